"""Rows for the tests: say what matters, the rest has a default. Real rows, made by the services themselves."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.bank_accounts import bank_account
from webapp.adapters.vault import Purpose, Vault
from webapp.domain.access import SYSTEM, Actor, ResellerRole, Role
from webapp.domain.money import Money
from webapp.models.accounts import (
    Account,
    BillingDetails,
    Membership,
    Reseller,
    ResellerMembership,
    User,
)
from webapp.models.catalogue import Plan, PlanPrice, PlanVersion
from webapp.models.invoices import Invoice, Issuer, Payment
from webapp.models.payments import Mandate
from webapp.models.subscriptions import Subscription
from webapp.services import billing, catalogue, dunning, mandates, payments, subscriptions
from webapp.services.payments import Receipt
from webapp.services.subscriptions import NewEstablishment, NewOption

CATALOGUE = Path(__file__).resolve().parent.parent / "webapp" / "demo" / "catalogue.yaml"
LADDERS = CATALOGUE.with_name("dunning.yaml")
LONG_AGO = date(2020, 1, 1)
CLAIRE = Actor(kind="user", id="claire", name="Claire Janssens")
PASSWORD = "un mot de passe assez long"
_numbers = count(1)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def a_seller(session: Session) -> Issuer:
    """The selling company, once."""
    found = session.scalars(select(Issuer)).first()
    if found is None:
        found = Issuer(
            code="centralapp",
            brand="CentralApp",
            legal_name="CentralApp SA",
            street="Rue de la Loi 1",
            postcode="1000",
            city="Bruxelles",
            country="BE",
            enterprise_number="0765432146",
            vat_number="BE0765432146",
            register="RPM Bruxelles",
            iban="BE68539007547034",
            bic="GKCCBEBB",
            creditor_id="BE16ZZZ0765432146",
            email="facturation@centralapp.example",
            phone="+32 2 000 00 00",
        )
        session.add(found)
        session.flush()
    return found


def a_catalogue(session: Session, available_from: date = LONG_AGO) -> None:
    """The demo catalogue, on sale since `available_from`; once."""
    if session.scalars(select(PlanPrice.id).limit(1)).first() is None:
        a_reseller(session)
        published = catalogue.check(session, CATALOGUE)
        catalogue.publish(session, published, available_from, SYSTEM, noon(available_from))


def a_new_version(
    session: Session,
    plan: str = "pro",
    raised_cents: int = 600,
    on: date = date(2026, 11, 16),
    **content: object,
) -> tuple[int, int]:
    """Publish a version of a plan that costs that much more per month: the ids of the former version and of the new.

    `content` replaces what the version says: features, included_establishments…
    """
    a_catalogue(session)
    known = catalogue.check(session, CATALOGUE)
    plans = []
    for each in known.plans:
        if each.code == plan:
            prices = tuple(
                replace(
                    price,
                    amount_cents=price.amount_cents
                    + raised_cents * (10 if price.key.frequency == "annual" else 1),
                )
                if price.key.reseller is None
                else price
                for price in each.prices
            )
            described = {
                "descriptions": {"fr": "Nouvelle version", "nl": "Nieuwe versie", "en": "New version"}
            }
            each = replace(each, prices=prices, **{**described, **content})  # type: ignore[arg-type]
        plans.append(each)
    catalogue.publish(session, replace(known, plans=tuple(plans)), on, SYSTEM, noon(on))
    found = session.scalars(
        select(PlanVersion.id)
        .join(Plan)
        .where(Plan.code == plan)
        .order_by(PlanVersion.number.desc())
        .limit(2)
    ).all()
    return found[1], found[0]


def a_reseller(
    session: Session, slug: str = "horecaplus", allowed_actions: Sequence[str] = ("options",)
) -> Reseller:
    found = session.scalars(select(Reseller).where(Reseller.slug == slug)).first()
    if found is None:
        found = Reseller(
            slug=slug,
            name="HorecaPlus",
            contact_name="Sofie Peeters",
            contact_email="aide@horecaplus.example",
            contact_phone="+32 9 111 11 11",
            allowed_actions=list(allowed_actions),
            created_at=noon(LONG_AGO),
        )
        session.add(found)
        session.flush()
    return found


def ladders(session: Session) -> None:
    """The reminder ladders of the demo, published; once."""
    a_reseller(session)
    dunning.publish(session, dunning.check(session, LADDERS), SYSTEM, noon(LONG_AGO))


def an_account(
    session: Session, name: str = "Brasserie du Parc", reseller: Reseller | None = None, **details: object
) -> Account:
    number = next(_numbers)
    account = Account(
        reference=f"CA-{10_000 + number}",
        name=name,
        language=str(details.pop("language", "fr")),
        reseller_id=reseller.id if reseller else None,
        created_at=noon(LONG_AGO),
    )
    session.add(account)
    session.flush()
    values: dict[str, object] = {
        "legal_name": f"{name} SRL",
        "street": "Avenue du Parc 12",
        "postcode": "1060",
        "city": "Saint-Gilles",
        "vat_number": "BE0876543270",
        "enterprise_number": "0876543270",
        "invoice_email": f"compta{number}@exemple.example",
        "payment_term_days": 14,
    }
    session.add(BillingDetails(account_id=account.id, **(values | details)))
    session.flush()
    return account


def a_user(
    session: Session, account: Account | None = None, role: Role = Role.OWNER, **values: object
) -> User:
    number = next(_numbers)
    user = User(
        email=f"personne{number}@exemple.example",
        full_name="Claire Janssens",
        password_hash=None,
        language="fr",
        created_at=noon(LONG_AGO),
    )
    for name, value in values.items():
        setattr(user, name, value)
    session.add(user)
    session.flush()
    if account is not None:
        session.add(
            Membership(user_id=user.id, account_id=account.id, role=role.value, created_at=noon(LONG_AGO))
        )
        session.flush()
    return user


def a_colleague(
    session: Session, reseller: Reseller, role: ResellerRole = ResellerRole.ADMIN, **values: object
) -> User:
    """Somebody who works for this reseller."""
    user = a_user(session, None, **({"full_name": "Sofie Claes"} | values))
    session.add(
        ResellerMembership(
            user_id=user.id, reseller_id=reseller.id, role=role.value, created_at=noon(LONG_AGO)
        )
    )
    session.flush()
    return user


def addresses(number: int) -> list[NewEstablishment]:
    return [
        NewEstablishment(f"Adresse {n}", f"Rue Haute {n}", "1000", "Bruxelles") for n in range(1, number + 1)
    ]


def a_price(session: Session, plan: str, frequency: str, reseller: Reseller | None = None) -> int:
    """The id of a tariff on sale."""
    offers = catalogue.plans_for_sale(
        session, reseller.id if reseller else None, date.max - timedelta(days=400)
    )
    return next(
        price.id
        for offer in offers
        if offer.code == plan
        for price in offer.prices
        if price.frequency == frequency
    )


@dataclass(frozen=True)
class Signed:
    """A subscription with its account, as tests need them: ids, safe to keep after the session moved on."""

    id: uuid.UUID
    account_id: uuid.UUID
    account: Account
    subscription: Subscription


def a_subscription(
    session: Session,
    plan: str = "pro",
    frequency: str = "monthly",
    starts_on: date = date(2026, 3, 1),
    establishments: int = 1,
    options: Iterable[NewOption] = (),
    billed_through: date | None = None,
    account: Account | None = None,
    reseller: Reseller | None = None,
) -> Signed:
    """A signed subscription, every period up to `billed_through` invoiced."""
    a_seller(session)
    a_catalogue(session)
    account = account or an_account(session, reseller=reseller)
    subscription = subscriptions.sign(
        session,
        account.id,
        a_price(session, plan, frequency, reseller),
        starts_on,
        addresses(establishments),
        list(options),
        CLAIRE,
        noon(starts_on),
        reseller_id=reseller.id if reseller else None,
    )
    if billed_through is not None:
        billing.bill_due(session, subscription.id, billed_through, noon(billed_through))
    return Signed(subscription.id, account.id, account, subscription)


def pays(
    session: Session, invoice: Invoice, cents: int, method: str = "transfer", on: date | None = None
) -> list[Payment]:
    """Money received for this invoice first, by default on the day it falls due."""
    day = on or invoice.due_on
    receipt = Receipt(
        invoice.account_id, Money(cents, invoice.currency), method, f"test:{next(_numbers)}", day
    )
    return payments.receive(session, receipt, day, noon(day), first=[invoice.id])


def a_mandate(
    session: Session,
    subscription_id: uuid.UUID,
    iban: str = "BE71096123456769",
    signed_on: date = date(2026, 3, 1),
    vault: Vault | None = None,
    reference: str = "",
) -> Mandate:
    """A mandate in force for the account of this subscription, which pays its invoices by direct debit."""
    return mandates.adopt(
        session,
        subscription_id,
        mandates.Debtor("Parc Horeca SRL", bank_account(iban)),
        mandates.Signer("Claire Janssens", "claire@exemple.example", "127.0.0.1", "tests", "fr"),
        vault or Vault(["a key for the tests, as long as it must be"], Purpose.BANK_ACCOUNTS),
        14,
        reference or f"CAPP{next(_numbers):06d}",
        signed_on,
        noon(signed_on),
        CLAIRE,
    )
