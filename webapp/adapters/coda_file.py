"""CODA 2, the statements of Belgian banks (Febelfin), read record by record with the fields of `febelfin-coda`.

The package keeps a whole file in memory; here a movement is given out as soon as the next one begins. Balances, totals
and the number of records are checked: a file that was cut, or that lost a line, is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from coda import CODA, HEADER, NEW_BALANCE, OLD_BALANCE, TRAILER, Move, Statement

from webapp.adapters.bank_errors import BrokenStatement
from webapp.domain.bank_movements import NOT_PROVIDED, Movement, key_of, structured_in
from webapp.domain.money import Money

ENCODING = "windows-1252"
WIDTH = 128
# Of an amount that the bank or its customer has totalled, the details are the movements; of a simple amount with
# details (3), such as the bank's charges, they only explain it.
TOTALS, SIMPLE = ("1", "2"), ("0", "3")
DIRECT_DEBITS = "05"  # the family of the transaction code
# Reject, return, refund, reversal, cancellation. Before SEPA, banks wrote other things in these columns.
R_TRANSACTIONS = tuple("12345")
REASON = re.compile(r"[A-Z]{2}\d{2}")
IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}")
NO_REASON = "MS03"


@dataclass(slots=True)
class _Totals:
    """What the trailer of a statement must say."""

    records: int = 0
    credit: Decimal = Decimal(0)
    debit: Decimal = Decimal(0)

    def count(self, amount: Decimal) -> None:
        if amount > 0:
            self.credit += amount
        else:
            self.debit -= amount


@dataclass(slots=True)
class _Open:
    """A movement of the first level, while its details are still to come."""

    move: Move
    details: list[Move] = field(default_factory=list)


def movements(file: Path, account: str) -> Iterator[Movement]:
    """The movements on `account`. Raises BrokenStatement."""
    reader, number = CODA([]), 0
    statement: Statement | None = None
    totals, opened, move = _Totals(), None, None
    with file.open(encoding=ENCODING, newline="") as records:
        for number, record in enumerate(_whole(records), start=1):
            kind, article = record[0], record[1]
            try:
                if kind == "0":
                    if statement is not None:
                        raise BrokenStatement("cut", number)
                    statement, totals = Statement(), _Totals()
                    reader._parse_statement(record, statement, HEADER)
                    if statement.version != 2:
                        raise BrokenStatement("not_coda", number, f"version {statement.version}")
                    continue
                if statement is None:
                    raise BrokenStatement("not_coda", number)
                totals.records += kind in "1238"
                if kind == "1":
                    reader._parse_statement(record, statement, OLD_BALANCE)
                    _ensure_ours(statement, account, number)
                elif kind == "2":
                    if article == "1":
                        move = Move()
                    if move is None:
                        raise BrokenStatement("not_coda", number)
                    reader._parse_move(record, article, move)
                    if article == "1":
                        level = move.transaction_type
                        if level in TOTALS or level in SIMPLE:
                            if opened is not None:
                                yield from _told(opened, statement, account)
                            opened = _Open(move)
                            totals.count(move.amount)
                        elif opened is not None:
                            opened.details.append(move)
                elif kind == "8":
                    reader._parse_statement(record, statement, NEW_BALANCE)
                elif kind == "9":
                    reader._parse_statement(record, statement, TRAILER)
                    if opened is not None:
                        yield from _told(opened, statement, account)
                    _ensure_adds_up(statement, totals, number)
                    statement, opened, move = None, None, None
            except (ValueError, ArithmeticError, AssertionError, KeyError, IndexError) as error:
                raise BrokenStatement("not_coda", number, str(error)) from None
    if statement is not None or not number:
        raise BrokenStatement("cut", number)


def _whole(records: Iterator[str]) -> Iterator[str]:
    for number, record in enumerate(records, start=1):
        line = record.rstrip("\r\n\x1a")
        if not line:
            continue
        if len(line) > WIDTH:
            raise BrokenStatement("not_coda", number, f"{len(line)} signs")
        yield line.ljust(WIDTH)


def _ensure_ours(statement: Statement, account: str, number: int) -> None:
    found = statement.account.replace(" ", "")
    if found not in (
        account,
        account[4:],
    ):  # the older form is the Belgian number, without country and check digits
        raise BrokenStatement("other_account", number, found)


def _ensure_adds_up(statement: Statement, totals: _Totals, number: int) -> None:
    if statement.number_records != totals.records:
        raise BrokenStatement("cut", number, f"{totals.records} records, {statement.number_records} told")
    old = statement.old_balance
    new = statement.new_balance if statement.new_balance is not None else old
    if (
        (statement.total_credit, statement.total_debit) != (totals.credit, totals.debit)
        or old is None
        or new - old != totals.credit - totals.debit
    ):
        raise BrokenStatement("totals", number)


def _told(opened: _Open, statement: Statement, account: str) -> Iterator[Movement]:
    """The movements of one amount: itself, or the details of a total, and what these leave of it."""
    parent = opened.move
    if parent.transaction_type in SIMPLE or not opened.details:
        yield _movement(parent, parent.amount, statement, account)
        return
    # Details of details (9) only explain the one before.
    details = [move for move in opened.details if move.transaction_type != "9"]
    left = parent.amount
    for move in details:
        left -= move.amount
        yield _movement(move, move.amount, statement, account, parent)
    if left:
        yield _movement(parent, left, statement, account)


def _movement(
    move: Move,
    amount: Decimal,
    statement: Statement,
    account: str,
    parent: Move | None = None,
) -> Movement:
    kind = move.communication_type
    text = (move.communication or "").strip()
    end_to_end_id = (move.customer_reference or "").replace(NOT_PROVIDED, "").strip()
    reason = (move.r_reason or "").strip()
    is_returned = (move.r_transaction or "").strip() in R_TRANSACTIONS and REASON.fullmatch(
        reason
    ) is not None
    mandate = ""
    if kind == "127":
        # Type 127: … creditor identifier, mandate, communication, kind of R-transaction, reason
        raw = move._communication.ljust(150)
        mandate = raw[48:83].strip()
        is_returned = is_returned or raw[145] in R_TRANSACTIONS
        reason = raw[146:150].strip() or reason
    structured = text if kind in ("101", "102") else ""
    cents = amount * 100
    if cents != int(cents):
        raise BrokenStatement("amount", None, str(amount))
    name = (move.counterparty_name or "").strip()
    found = IBAN.match(move.counterparty_account or "")
    iban = found.group() if found else ""
    on = move.entry_date
    others = sha256(
        "|".join((f"{statement.old_sequence} {statement.creation_date}", name, iban, text)).encode()
    ).hexdigest()[:24]
    reference = (move.bank_reference or "").strip()
    return Movement(
        key=key_of(account, on, reference, int(cents), end_to_end_id, others),
        booked_on=on,
        valued_on=move.value_date or on,
        amount=Money(int(cents), statement.account_currency.strip() or "EUR"),
        name=name,
        iban=iban,
        ogm=structured_in(structured) or structured_in(text),
        message=text,
        end_to_end_id=end_to_end_id or None,
        mandate=mandate or None,
        reason_code=(reason or NO_REASON) if is_returned else None,
        is_direct_debit=bool(mandate) or (parent or move).transaction_family == DIRECT_DEBITS,
    )
