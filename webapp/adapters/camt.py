"""camt.053 and camt.054, versions 02 to 12: the booked entries of the bank, each of its transactions a movement.

A batch of direct debits booked as one entry gives one movement per debtor. What the details leave of the entry, such
as the bank's own charge on a return, is a movement apart: the sum is always the entry's.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any

from webapp.adapters.bank_errors import BrokenStatement
from webapp.adapters.iso_xml import elements
from webapp.domain.bank_movements import NOT_PROVIDED, Movement, key_of, structured_in
from webapp.domain.money import Money

DIRECT_DEBITS = ("IDDT", "RDDT")  # families of bank transaction codes: issued by us, received from others

Element = Any  # lxml's own


def movements(file: Path, account: str) -> Iterator[Movement]:
    """The booked movements on `account`. Raises BrokenStatement."""
    statement: Element = None
    about = _About("", "", None, "")
    for entry in elements(file, "Ntry"):
        parent = entry.getparent()
        if parent is not statement:
            statement, about = parent, _about(parent)
            if about.iban != account:
                raise BrokenStatement("other_account", entry.sourceline, about.iban)
        yield from _entry(entry, about)


class _About:
    """The statement that an entry belongs to."""

    __slots__ = ("day", "iban", "name", "namespace")

    def __init__(self, iban: str, name: str, day: date | None, namespace: str) -> None:
        self.iban, self.name, self.day, self.namespace = iban, name, day, namespace


def _about(statement: Element) -> _About:
    namespace = statement.tag.partition("}")[0] + "}"
    read = _Reader(namespace)
    account = read(statement, "Acct/Id/IBAN") or read(statement, "Acct/Id/Othr/Id")
    try:
        day: date | None = date.fromisoformat(read(statement, "CreDtTm")[:10])
    except ValueError:
        day = None
    return _About(account.replace(" ", ""), read(statement, "Id"), day, namespace)


class _Reader:
    """The text at the end of a path, each step in the file's namespace; nothing when a step is missing."""

    __slots__ = ("namespace",)
    _paths: dict[tuple[str, str], str] = {}  # noqa: RUF012  # shared: the same dozen paths for each entry

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def path(self, steps: str) -> str:
        found = self._paths.get((self.namespace, steps))
        if found is None:
            found = "/".join(self.namespace + step for step in steps.split("/"))
            self._paths[self.namespace, steps] = found
        return found

    def __call__(self, element: Element, steps: str) -> str:
        return (element.findtext(self.path(steps)) or "").strip()

    def first(self, element: Element, *choices: str) -> str:
        for steps in choices:
            if text := self(element, steps):
                return text
        return ""

    def all(self, element: Element, steps: str) -> list[Element]:
        return list(element.findall(self.path(steps)))


def _entry(entry: Element, about: _About) -> Iterator[Movement]:
    read = _Reader(about.namespace)
    if read.first(entry, "Sts/Cd", "Sts") != "BOOK":
        return  # announced, not there yet: the statement of the day it is booked will tell it
    whole = _signed(entry, entry, read)
    details = read.all(entry, "NtryDtls/TxDtls")
    amounts = [_amount_of(detail, entry, read) for detail in details]
    if len(details) == 1 and amounts[0] is None:
        amounts = [whole]
    if not details or any(amount is None for amount in amounts):
        details, amounts = [None], [whole]
    told = 0
    for detail, amount in zip(details, amounts, strict=True):
        if amount is not None:
            told += amount.cents
            yield _movement(entry, detail, amount, about, read)
    if told != whole.cents:
        rest = Money(whole.cents - told, whole.currency)
        yield replace(_movement(entry, None, rest, about, read), is_direct_debit=False)


def _movement(
    entry: Element, detail: Element | None, amount: Money, about: _About, read: _Reader
) -> Movement:
    booked_on = _day(entry, "BookgDt", read) or _day(entry, "ValDt", read) or about.day
    if booked_on is None:
        raise BrokenStatement("not_xml", entry.sourceline, "an entry without a date")
    family = read(entry, "BkTxCd/Domn/Fmly/Cd")
    reference = read(entry, "AcctSvcrRef")
    end_to_end_id = mandate = name = iban = message = ""
    ogm = reason = None
    if detail is not None:
        family = read(detail, "BkTxCd/Domn/Fmly/Cd") or family
        reference = read(detail, "Refs/AcctSvcrRef") or reference or read(detail, "Refs/TxId")
        end_to_end_id = read(detail, "Refs/EndToEndId").replace(NOT_PROVIDED, "")
        mandate = read(detail, "Refs/MndtId")
        reason = read.first(detail, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry") or None
        name, iban = _other_party(detail, amount, about, read, bool(mandate) or family in DIRECT_DEBITS)
        structured = [read(each, "CdtrRefInf/Ref") for each in read.all(detail, "RmtInf/Strd")]
        unstructured = [(each.text or "").strip() for each in read.all(detail, "RmtInf/Ustrd")]
        message = " ".join(filter(None, [*structured, *unstructured]))
        ogm = next(filter(None, map(structured_in, structured)), None) or structured_in(
            " ".join(unstructured)
        )
    else:
        message = read(entry, "AddtlNtryInf")
        ogm = structured_in(message)
    others = sha256("|".join((about.name, name, iban, message)).encode()).hexdigest()[:24]
    return Movement(
        key=key_of(about.iban, booked_on, reference, amount.cents, end_to_end_id, others),
        booked_on=booked_on,
        valued_on=_day(entry, "ValDt", read) or booked_on,
        amount=amount,
        name=name,
        iban=iban,
        ogm=ogm,
        message=message,
        end_to_end_id=end_to_end_id or None,
        mandate=mandate or None,
        reason_code=reason,
        is_direct_debit=bool(mandate) or family in DIRECT_DEBITS,
    )


def _other_party(
    detail: Element, amount: Money, about: _About, read: _Reader, is_direct_debit: bool
) -> tuple[str, str]:
    """Name and IBAN of who is not us: the debtor of what came in and of our direct debits, else the creditor."""
    sides = ("Dbtr", "Cdtr") if amount.cents > 0 or is_direct_debit else ("Cdtr", "Dbtr")
    for side in sides:
        iban = read(detail, f"RltdPties/{side}Acct/Id/IBAN").replace(" ", "")
        if iban == about.iban:
            continue
        name = read.first(detail, f"RltdPties/{side}/Pty/Nm", f"RltdPties/{side}/Nm")
        if name or iban:
            return name, iban
    return "", ""


def _amount_of(detail: Element, entry: Element, read: _Reader) -> Money | None:
    for steps in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        found = detail.find(read.path(steps))
        if found is not None:
            sign = read(detail, "CdtDbtInd") or read(entry, "CdtDbtInd")
            return _money(found, sign)
    return None


def _signed(element: Element, entry: Element, read: _Reader) -> Money:
    found = element.find(read.path("Amt"))
    if found is None:
        raise BrokenStatement("amount", entry.sourceline)
    return _money(found, read(entry, "CdtDbtInd"))


def _money(amount: Element, sign: str) -> Money:
    try:
        cents = Decimal((amount.text or "").strip()) * 100
    except InvalidOperation:
        raise BrokenStatement("amount", amount.sourceline, amount.text or "") from None
    if not cents.is_finite() or cents != int(cents) or cents < 0 or sign not in ("CRDT", "DBIT"):
        raise BrokenStatement("amount", amount.sourceline, amount.text or "")
    return Money(int(cents) if sign == "CRDT" else -int(cents), amount.get("Ccy", "EUR"))


def _day(entry: Element, name: str, read: _Reader) -> date | None:
    text = read.first(entry, f"{name}/Dt", f"{name}/DtTm")[:10]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BrokenStatement("not_xml", entry.sourceline, text) from None
