"""Finding documents by what people have at hand: a number, a communication, an amount, an establishment.

One field for all of it: what is typed is taken for each of them, and a document that fits any is found.
"""

import re
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from webapp.domain.money import Money
from webapp.models.documents import InvoiceDocument
from webapp.models.invoices import Invoice, InvoiceLine
from webapp.models.subscriptions import Establishment, Subscription

MOST = 20  # of a search over all accounts: beyond, more is to be typed
_AMOUNT = re.compile(r"-?(\d{1,7})(?:[.,](\d{1,2}))?")


def matching(session: Session, account_id: uuid.UUID, text: str) -> ColumnElement[bool]:
    """The documents of an account that fit what was typed. One statement, for the names of its establishments."""
    fits = [_by_number(text), *_by_communication(text), *_by_amount(text)]
    fits.append(_lines(InvoiceLine.description.icontains(text, autoescape=True)))
    here = select(Establishment.id, Establishment.name).join(
        Subscription, Subscription.id == Establishment.subscription_id
    )
    asked = plain(text)
    places = [
        ident
        for ident, name in session.execute(here.where(Subscription.account_id == account_id))
        if asked in plain(name)
    ]
    if places:
        fits.append(_lines(InvoiceLine.establishment_id.in_(places)))
    return or_(*fits)


def plain(text: str) -> str:
    """Without capitals nor accents: Évère is found by evere, on any database."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(sign for sign in bare if not unicodedata.combining(sign)).split())


def _by_number(text: str) -> ColumnElement[bool]:
    return Invoice.number.icontains(text, autoescape=True)


def _by_communication(text: str) -> list[ColumnElement[bool]]:
    """+++261/0000/00130+++, or at least six of its digits."""
    digits = re.sub(r"[\s+*/.]", "", text)
    return [Invoice.ogm.contains(digits)] if digits.isdecimal() and 6 <= len(digits) <= 12 else []


def _by_amount(text: str) -> list[ColumnElement[bool]]:
    """124,63 or 124.63, with or without VAT; 124 is any amount from 124,00 to 124,99."""
    found = _AMOUNT.fullmatch(re.sub(r"[\s€]", "", text).replace("−", "-"))
    if found is None:
        return []
    whole, cents = int(found[1]) * 100, found[2]
    low = whole + (int(cents.ljust(2, "0")) if cents else 0)
    high = low if cents else low + 99
    return [
        or_(column.between(low, high), column.between(-high, -low))
        for column in (Invoice.total_cents, Invoice.net_cents)
    ]


def _lines(match: ColumnElement[bool]) -> ColumnElement[bool]:
    lines = select(InvoiceLine.id).where(and_(InvoiceLine.invoice_id == Invoice.id, match))
    return lines.correlate(Invoice).exists()


@dataclass(frozen=True, slots=True)
class Found:
    """A document of any account, as the team's search shows it."""

    number: str
    kind: str
    issued_on: date
    total: Money
    client: str
    reference: str
    is_electronic: bool  # whether it has a page among the electronic documents


def anywhere(session: Session, text: str) -> list[Found]:
    """Documents of every account by number, communication, client or account, newest first, MOST at the most."""
    client, reference = (Invoice.buyer[name].as_string() for name in ("legal_name", "reference"))
    fits: list[Any] = [_by_number(text), *_by_communication(text)]
    fits += [client.icontains(text, autoescape=True), reference.icontains(text, autoescape=True)]
    rows = session.execute(
        select(
            Invoice.number,
            Invoice.kind,
            Invoice.issued_on,
            Invoice.total_cents,
            Invoice.currency,
            client.label("client"),
            reference.label("reference"),
            (InvoiceDocument.channel == "peppol").label("is_electronic"),
        )
        .outerjoin(InvoiceDocument, InvoiceDocument.invoice_id == Invoice.id)
        .where(or_(*fits))
        .order_by(Invoice.id.desc())
        .limit(MOST)
    )
    return [
        Found(
            row.number,
            row.kind,
            row.issued_on,
            Money(row.total_cents, row.currency),
            row.client,
            row.reference,
            bool(row.is_electronic),
        )
        for row in rows
    ]
