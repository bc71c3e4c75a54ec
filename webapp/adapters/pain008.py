"""The direct debit file for the bank: ISO 20022 pain.008.001.08, SEPA Core, checked by its schema before it is kept.

The same batch gives the same bytes. Payments are grouped by the day asked for and by FRST or RCUR, as the scheme wants.
Source: EPC130-08 (customer-to-bank implementation guidelines, SDD Core).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from webapp.adapters.sepa_text import sepa_text
from webapp.domain.money import Money

SCHEMA = Path(__file__).resolve().parent.parent / "documents" / "iso20022" / "pain.008.001.08.xsd"
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"
LONGEST_NAME = 70
CENT = Decimal("0.01")

Element = Any  # lxml's own


class InvalidFile(ValueError):
    """The schema refuses the file: nothing may leave. Its text says where."""


@dataclass(frozen=True, slots=True)
class Creditor:
    """Who collects, on which account, under which identifier."""

    name: str
    iban: str
    bic: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Debit:
    """One amount to collect. `ogm` is the structured communication, twelve digits.

    `former_reference` and `former_iban` tell the bank what the mandate was before, once, at the first debit after it.
    """

    end_to_end_id: str
    amount: Money
    sequence: str
    on: date
    mandate: str
    signed_on: date
    debtor: str
    iban: str
    bic: str = ""
    ogm: str = ""
    former_reference: str = ""
    former_iban: str = ""

    @property
    def is_amended(self) -> bool:
        return bool(self.former_reference or self.former_iban)


def build(message_id: str, made_at: datetime, creditor: Creditor, debits: Sequence[Debit]) -> bytes:
    """The file. Raises InvalidFile, ValueError without a debit or for another currency than the euro."""
    if not debits:
        raise ValueError("a file needs a debit")
    if any(debit.amount.currency != "EUR" for debit in debits):
        raise ValueError("SEPA moves euros only")
    prefixes: dict[Any, str] = {None: NAMESPACE}
    root = etree.Element(f"{{{NAMESPACE}}}Document", nsmap=prefixes)
    body = _in(root, "CstmrDrctDbtInitn")
    header = _in(body, "GrpHdr")
    _in(header, "MsgId", message_id)
    _in(header, "CreDtTm", made_at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z")
    _sums(header, debits)
    party = _in(header, "InitgPty")
    _in(party, "Nm", sepa_text(creditor.name, LONGEST_NAME))
    groups: dict[tuple[date, str], list[Debit]] = defaultdict(list)
    for debit in debits:
        groups[debit.on, debit.sequence].append(debit)
    for number, ((on, sequence), group) in enumerate(sorted(groups.items()), start=1):
        _payment(body, f"{message_id}-{number}", on, sequence, creditor, group)
    content = bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
    check(content)
    return content


def check(content: bytes) -> None:
    """Hold a file against the schema. Raises InvalidFile."""
    schema = _schema()
    if not schema.validate(etree.fromstring(content)):
        first = schema.error_log[0]
        raise InvalidFile(f"line {first.line}: {first.message}")


@lru_cache(maxsize=1)
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


def _payment(
    body: Element, name: str, on: date, sequence: str, creditor: Creditor, debits: Sequence[Debit]
) -> None:
    payment = _in(body, "PmtInf")
    _in(payment, "PmtInfId", name)
    _in(payment, "PmtMtd", "DD")
    _in(payment, "BtchBookg", "true")
    _sums(payment, debits)
    kind = _in(payment, "PmtTpInf")
    _in(_in(kind, "SvcLvl"), "Cd", "SEPA")
    _in(_in(kind, "LclInstrm"), "Cd", "CORE")
    _in(kind, "SeqTp", sequence)
    _in(payment, "ReqdColltnDt", on.isoformat())
    _in(_in(payment, "Cdtr"), "Nm", sepa_text(creditor.name, LONGEST_NAME))
    _in(_in(_in(payment, "CdtrAcct"), "Id"), "IBAN", creditor.iban)
    _agent(payment, "CdtrAgt", creditor.bic)
    _in(payment, "ChrgBr", "SLEV")
    _scheme(_in(payment, "CdtrSchmeId"), creditor.identifier)
    for debit in debits:
        _transaction(payment, debit)


def _transaction(payment: Element, debit: Debit) -> None:
    transaction = _in(payment, "DrctDbtTxInf")
    _in(_in(transaction, "PmtId"), "EndToEndId", debit.end_to_end_id)
    _in(transaction, "InstdAmt", _decimal(debit.amount.cents)).set("Ccy", debit.amount.currency)
    mandate = _in(_in(transaction, "DrctDbtTx"), "MndtRltdInf")
    _in(mandate, "MndtId", debit.mandate)
    _in(mandate, "DtOfSgntr", debit.signed_on.isoformat())
    if debit.is_amended:
        _in(mandate, "AmdmntInd", "true")
        details = _in(mandate, "AmdmntInfDtls")
        if debit.former_reference:
            _in(details, "OrgnlMndtId", debit.former_reference)
        if debit.former_iban:
            _in(_in(_in(details, "OrgnlDbtrAcct"), "Id"), "IBAN", debit.former_iban)
    _agent(transaction, "DbtrAgt", debit.bic)
    _in(_in(transaction, "Dbtr"), "Nm", sepa_text(debit.debtor, LONGEST_NAME))
    _in(_in(_in(transaction, "DbtrAcct"), "Id"), "IBAN", debit.iban)
    remittance = _in(transaction, "RmtInf")
    if debit.ogm:
        reference = _in(_in(remittance, "Strd"), "CdtrRefInf")
        kind = _in(reference, "Tp")
        _in(_in(kind, "CdOrPrtry"), "Cd", "SCOR")
        _in(kind, "Issr", "BBA")
        _in(reference, "Ref", debit.ogm)
    else:
        _in(remittance, "Ustrd", sepa_text(debit.end_to_end_id, 140))


def _sums(parent: Element, debits: Sequence[Debit]) -> None:
    _in(parent, "NbOfTxs", str(len(debits)))
    _in(parent, "CtrlSum", _decimal(sum(debit.amount.cents for debit in debits)))


def _agent(parent: Element, name: str, bic: str) -> None:
    institution = _in(_in(parent, name), "FinInstnId")
    if bic:
        _in(institution, "BICFI", bic)
    else:
        _in(_in(institution, "Othr"), "Id", "NOTPROVIDED")


def _scheme(parent: Element, identifier: str) -> None:
    other = _in(_in(_in(parent, "Id"), "PrvtId"), "Othr")
    _in(other, "Id", identifier)
    _in(_in(other, "SchmeNm"), "Prtry", "SEPA")


def _decimal(cents: int) -> str:
    return str((Decimal(cents) / 100).quantize(CENT))


def _in(parent: Element, name: str, text: str | None = None) -> Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    if text is not None:
        element.text = text
    return element
