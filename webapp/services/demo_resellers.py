"""The partners of the demo: their policy, looks and sites, their own company, and what they pay."""

from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.reseller_file import CompanyFile, ResellerFile, read_resellers
from webapp.domain.access import SYSTEM
from webapp.domain.money import Money
from webapp.domain.resale import WholesalePrice
from webapp.models.accounts import Account, BillingDetails, Reseller, ResellerMembership, User
from webapp.services import resale, reseller_invoices, resellers, search_terms


def load(session: Session, path: Path, first: date, now: datetime) -> None:
    """Load the partners that are not there yet, with what they pay since `first`. Flushes. Raises BrokenFile."""
    present = set(session.scalars(select(Reseller.slug)))
    for partner in read_resellers(path):
        if partner.slug not in present:
            _load_reseller(session, partner, first, now)


def load_people(session: Session, path: Path, password_hash: str, now: datetime) -> None:
    """Who works for them, with the password of the demo, when nobody has that address yet. Flushes."""
    known = set(session.scalars(select(User.email)))
    for partner in read_resellers(path):
        reseller = resellers.by_slug(session, partner.slug)
        for person in partner.people:
            if person.email in known:
                continue
            user = User(
                email=person.email,
                full_name=person.name,
                password_hash=password_hash,
                language=person.language,
                created_at=now,
            )
            session.add(user)
            session.flush()
            session.add(
                ResellerMembership(
                    user_id=user.id, reseller_id=reseller.id, role=person.role.value, created_at=now
                )
            )
    session.flush()


def people(session: Session) -> list[tuple[str, str, str]]:
    """Address, role and reseller of who may open a console."""
    rows = session.execute(
        select(User.email, ResellerMembership.role, Reseller.name)
        .join(ResellerMembership, ResellerMembership.user_id == User.id)
        .join(Reseller, Reseller.id == ResellerMembership.reseller_id)
        .order_by(Reseller.name, ResellerMembership.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _load_reseller(session: Session, partner: ResellerFile, first: date, now: datetime) -> None:
    reseller = Reseller(
        slug=partner.slug,
        name=partner.name,
        contact_name=partner.contact_name,
        contact_email=partner.contact_email,
        contact_phone=partner.contact_phone,
        allowed_actions=list(partner.allowed_actions),
        languages=list(partner.languages),
        billed_party=partner.billed.value,
        prices_shown=partner.prices.value,
        invoices_shown=partner.invoices.value,
        role_cap=partner.role_cap.value,
        allowed_origins=list(partner.origins),
        created_at=now,
    )
    session.add(reseller)
    session.flush()
    if partner.theme is not None:
        resellers.publish_theme(session, reseller, partner.theme, None, now, SYSTEM)
    if partner.company is not None:
        _load_company(session, reseller, partner.company, now)
    wholesale = [
        WholesalePrice(each.item, each.ref, each.frequency, each.from_unit, first, Money(each.amount_cents))
        for each in partner.wholesale
    ]
    resale.publish_prices(session, reseller, wholesale, now, SYSTEM)


def _load_company(session: Session, reseller: Reseller, company: CompanyFile, now: datetime) -> None:
    language = reseller.languages[0]
    account = Account(reference=company.reference, name=company.name, language=language, created_at=now)
    session.add(account)
    session.flush()
    session.add(BillingDetails(account_id=account.id, **company.billing))
    session.flush()
    reseller_invoices.set_account(session, reseller, account.id, now, SYSTEM)
    search_terms.changed(session, account.id)
