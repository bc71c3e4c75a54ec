"""An account that pays by direct debit, and files of the bank given to the portal, for the tests of collections."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy.orm import Session

from tests.builders import CLAIRE, noon
from tests.conftest import SECRET_KEY
from webapp.adapters.vault import Purpose, Vault
from webapp.models.accounts import Account
from webapp.models.payments import Mandate
from webapp.services import bank_files, payment_methods
from webapp.services.bank_files import Report
from webapp.services.collections import Links

VAULT = Vault([SECRET_KEY], Purpose.BANK_ACCOUNTS)
LINKS = Links(
    pay=lambda _subscription, number: f"http://localhost/payer/{number}",
    method=lambda _subscription: "http://localhost/moyen-de-paiement",
    team="http://localhost/equipe/banque",
)


def a_mandate(
    session: Session,
    account: Account,
    *,
    signed_on: date = date(2026, 1, 1),
    reference: str = "",
    iban: str = "BE21001275217803",
    notice: int = 1,
    **values: object,
) -> Mandate:
    """An active mandate, primary: the invoices of the account name it from now on."""
    method = payment_methods.add(
        session, account.id, "direct_debit", f"BE21 •••• {iban[-4:]}", noon(signed_on), CLAIRE, state="active"
    )
    mandate = Mandate(
        account_id=account.id,
        method=method,
        reference=reference or f"M{account.reference.replace('-', '')}{str(method.id.int)[:4]}",
        creditor_id="BE16ZZZ0765432146",
        debtor_name="Parc Horeca SRL",
        iban_sealed=VAULT.seal(iban),
        iban_last_four=iban[-4:],
        bic="GEBABEBB",
        status="active",
        signed_on=signed_on,
        signed_at=noon(signed_on),
        evidence={},
        pre_notification_days=notice,
    )
    for name, value in values.items():
        setattr(mandate, name, value)
    session.add(mandate)
    session.flush()
    payment_methods.make_primary(session, method, noon(signed_on), CLAIRE)
    return mandate


def give(session: Session, content: bytes, on: date, **options: object) -> Report:
    """Read a file in the session at hand."""

    @contextmanager
    def transaction() -> Iterator[Session]:
        yield session
        session.flush()

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "releve"
        file.write_bytes(content)
        return bank_files.take_in(
            transaction, file, "releve.xml", VAULT, on, lambda: noon(on), CLAIRE, LINKS, **options
        )
