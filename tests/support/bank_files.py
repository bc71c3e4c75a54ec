"""Statements as banks write them, from a few lines: camt.053 or camt.054 in two versions, and CODA."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

IBAN = "BE68539007547034"  # of the seller in the builders


@dataclass(frozen=True)
class Line:
    """One transaction. A `reason` makes it an R-transaction; `batch` books it with its neighbours of that name."""

    cents: int
    on: date
    ogm: str = ""
    text: str = ""
    name: str = "Parc Horeca SRL"
    iban: str = "BE21001275217803"
    end_to_end: str = ""
    reference: str = ""
    mandate: str = ""
    reason: str = ""
    batch: str = ""
    currency: str = "EUR"
    status: str = "BOOK"


def camt(
    lines: Iterable[Line],
    *,
    version: str = "08",
    message: str = "053",
    statement: str = "S1",
    iban: str = IBAN,
) -> bytes:
    return "".join(
        camt_parts(lines, version=version, message=message, statement=statement, iban=iban)
    ).encode()


def camt_parts(
    lines: Iterable[Line], *, version: str, message: str, statement: str, iban: str = IBAN
) -> Iterator[str]:
    body, part = {"053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}[message]
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{version}"><{body}>'
        f"<GrpHdr><MsgId>{statement}</MsgId><CreDtTm>2026-11-16T18:00:00</CreDtTm></GrpHdr>"
        f"<{part}><Id>{statement}</Id><CreDtTm>2026-11-16T18:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{iban}</IBAN></Id><Ccy>EUR</Ccy></Acct>\n"
    )
    waiting: list[Line] = []
    for line in lines:
        if waiting and (not line.batch or line.batch != waiting[0].batch):
            yield _entry(waiting, version)
            waiting = []
        waiting.append(line)
    if waiting:
        yield _entry(waiting, version)
    yield f"</{part}></{body}></Document>"


def _entry(lines: list[Line], version: str) -> str:
    total, first = sum(each.cents for each in lines), lines[0]
    status = first.status if version == "02" else f"<Cd>{first.status}</Cd>"
    reference = first.batch or first.reference
    details = "".join(_details(each, version, len(lines) > 1) for each in lines)
    family, kind = ("IDDT", "UPDD" if first.reason else "ESDD") if first.mandate else ("RCDT", "ESCT")
    return (
        f'<Ntry><Amt Ccy="{first.currency}">{abs(total) / 100:.2f}</Amt>'
        f"<CdtDbtInd>{'CRDT' if total > 0 else 'DBIT'}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><Dt>{first.on}</Dt></BookgDt><ValDt><Dt>{first.on}</Dt></ValDt>"
        + (f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else "")
        + f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{kind}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{details}</NtryDtls></Ntry>\n"
    )


def _details(line: Line, version: str, is_batched: bool) -> str:
    side = "Dbtr" if line.cents > 0 or line.mandate else "Cdtr"
    name = f"<Nm>{escape(line.name)}</Nm>" if version == "02" else f"<Pty><Nm>{escape(line.name)}</Nm></Pty>"
    amount = f'<Amt Ccy="{line.currency}">{abs(line.cents) / 100:.2f}</Amt>'
    if version == "02":
        amount = f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>"
    else:
        amount += f"<CdtDbtInd>{'CRDT' if line.cents > 0 else 'DBIT'}</CdtDbtInd>"
    remittance = ""
    if line.ogm:
        remittance += f"<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry><Issr>BBA</Issr></Tp><Ref>{line.ogm}</Ref></CdtrRefInf></Strd>"
    if line.text:
        remittance = f"<Ustrd>{escape(line.text)}</Ustrd>" + remittance
    return (
        "<TxDtls><Refs>"
        + (f"<AcctSvcrRef>{line.reference}</AcctSvcrRef>" if is_batched and line.reference else "")
        + f"<EndToEndId>{line.end_to_end or 'NOTPROVIDED'}</EndToEndId>"
        + (f"<MndtId>{line.mandate}</MndtId>" if line.mandate else "")
        + f"</Refs>{amount}<RltdPties><{side}>{name}</{side}>"
        + (f"<{side}Acct><Id><IBAN>{line.iban}</IBAN></Id></{side}Acct>" if line.iban else "")
        + "</RltdPties>"
        + (f"<RmtInf>{remittance}</RmtInf>" if remittance else "")
        + (f"<RtrInf><Rsn><Cd>{line.reason}</Cd></Rsn></RtrInf>" if line.reason else "")
        + "</TxDtls>"
    )


def coda(lines: Iterable[Line], *, on: date, number: int = 1, iban: str = IBAN, opening: int = 0) -> bytes:
    return "".join(coda_parts(lines, on=on, number=number, iban=iban, opening=opening)).encode("windows-1252")


def coda_parts(
    lines: Iterable[Line], *, on: date, number: int = 1, iban: str = IBAN, opening: int = 0
) -> Iterator[str]:
    """Records of 128 signs (Febelfin, version 2). Batches are not made: each line is an amount of its own."""
    day = f"{on:%d%m%y}"
    yield _record(
        f"00000{day}53905        {number:010d}{'CentralApp SA':<26}{'GKCCBEBB':<11}{'00765432146'}",
        {127: "2"},
    )
    account = f"{iban:<34}EUR"
    sign = "1" if opening < 0 else "0"
    yield _record(
        f"12{number:03d}{account}{sign}{abs(opening) * 10:015d}{day}{'CentralApp SA':<26}{'Compte':<35}{number:03d}"
    )
    records, credit, debit = 1, 0, 0
    for sequence, line in enumerate(lines, start=1):
        count = f"{sequence % 10000:04d}0000"
        if line.cents > 0:
            credit += line.cents
        else:
            debit -= line.cents
        code = "00502000" if line.mandate else "00150000"
        if line.mandate:
            raw = (
                f"1127{line.on:%d%m%y}110{'BE16ZZZ0765432146':<35}{line.mandate:<35}"
                f"{(line.ogm or line.text):<62}{'2' if line.reason else '0'}{line.reason:<4}"
            )
        elif line.ogm:
            raw = f"1101{line.ogm}"
        else:
            raw = f"0{line.text}"
        raw = raw.ljust(150)
        yield _record(
            f"21{count}{line.reference:<21}{'1' if line.cents < 0 else '0'}{abs(line.cents) * 10:015d}"
            f"{line.on:%d%m%y}{code}{raw[:54]}{line.on:%d%m%y}{number:03d}0"
        )
        yield _record(
            f"22{count}{raw[54:107]}{line.end_to_end:<35}{'':<11}{'':<3}{'2' if line.reason else ' '}{line.reason:<4}"
        )
        yield _record(f"23{count}{line.iban:<34}EUR{line.name[:35]:<35}{raw[107:150]}")
        records += 3
    closing = opening + credit - debit
    sign = "1" if closing < 0 else "0"
    yield _record(f"8{number:03d}{account}{sign}{abs(closing) * 10:015d}{day}")
    yield _record(f"9{'':<15}{records + 1:06d}0{debit * 10:014d}0{credit * 10:014d}")


def _record(text: str, signs: dict[int, str] | None = None) -> str:
    written = list(text[:128].ljust(128))
    for position, sign in (signs or {}).items():
        written[position] = sign
    return "".join(written) + "\r\n"
