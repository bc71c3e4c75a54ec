"""Every secret that the database keeps sealed, and their passage from a former SECRET_KEY to the current one.

A column that is not listed here would be lost with the former key: a test looks for those whose name ends in _sealed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session, undefer

from webapp.adapters.vault import Purpose, Unreadable, Vault
from webapp.models.accounts import SecondFactor
from webapp.models.events import WebhookEndpoint
from webapp.models.payments import BankEntry, Collection, DebitBatch, Mandate, MandateDocument
from webapp.models.resellers import ResellerKey

COLUMNS: dict[InstrumentedAttribute[Any], Purpose] = {
    SecondFactor.secret: Purpose.SECOND_FACTORS,
    Mandate.iban_sealed: Purpose.BANK_ACCOUNTS,
    MandateDocument.text_sealed: Purpose.BANK_ACCOUNTS,
    BankEntry.counterpart_iban_sealed: Purpose.BANK_ACCOUNTS,
    DebitBatch.content: Purpose.BANK_ACCOUNTS,
    WebhookEndpoint.secret_sealed: Purpose.WEBHOOKS,
    WebhookEndpoint.former_secret_sealed: Purpose.WEBHOOKS,
    ResellerKey.sealed_secret: Purpose.RESELLER_KEYS,
}
# JSON values that hold a sealed secret under this name.
INSIDE: dict[InstrumentedAttribute[Any], tuple[str, Purpose]] = {
    Mandate.amendment: ("former_iban_sealed", Purpose.BANK_ACCOUNTS),
    Collection.amendment: ("former_iban_sealed", Purpose.BANK_ACCOUNTS),
}
CHUNK = 500  # rows of one page


def reseal(session: Session, vaults: Callable[[Purpose], Vault]) -> tuple[int, int]:
    """Seal everything with the current key, so that the former ones can go. Flushes.

    Answers how many secrets, and how many no key opens: those stay as they are.
    """
    done = lost = 0
    for column, purpose in COLUMNS.items():
        for row in _rows(session, column):
            try:
                setattr(row, column.key, _renewed(vaults(purpose), getattr(row, column.key)))
                done += 1
            except Unreadable:
                lost += 1
    for column, (name, purpose) in INSIDE.items():
        for row in _rows(session, column):
            value: Mapping[str, Any] = getattr(row, column.key) or {}
            if not value.get(name):
                continue
            try:
                setattr(row, column.key, {**value, name: vaults(purpose).renew(value[name])})
                done += 1
            except Unreadable:
                lost += 1
    session.flush()
    return done, lost


def _renewed(vault: Vault, secret: str | bytes) -> str | bytes:
    """Sealed anew, in the form of its column: a file is kept as bytes. Raises Unreadable."""
    return vault.renew(secret.decode()).encode() if isinstance(secret, bytes) else vault.renew(secret)


def _rows(session: Session, column: InstrumentedAttribute[Any]) -> Iterator[Any]:
    """The rows that hold such a secret, locked, a page at a time."""
    model = column.class_
    [key] = model.__table__.primary_key.columns
    after = None
    while True:
        statement = select(model).options(undefer(column)).where(column.is_not(None))
        statement = statement.order_by(key).limit(CHUNK).with_for_update()
        if after is not None:
            statement = statement.where(key > after)
        page = session.scalars(statement).all()
        if not page:
            return
        after = getattr(page[-1], key.name)
        yield from page
        session.flush()
