"""The demo: businesses whose life is replayed day by day with the real services, up to the day of seeding.

Nothing is made up after the fact: each invoice is issued by the billing that will issue the next one, in the order
of the dates, because numbers follow them. What is there already is never touched: loading twice changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from webapp.adapters import operator_files
from webapp.adapters.bank_accounts import bank_account
from webapp.adapters.catalogue_file import read_catalogue
from webapp.adapters.operator_files import AccountFile, EstablishmentFile, OptionFile, TeamFile
from webapp.adapters.passwords import hash_password
from webapp.adapters.vault import Vault
from webapp.domain.access import SYSTEM, Actor, Role
from webapp.domain.contract import ChangeKind
from webapp.domain.money import Money
from webapp.domain.payment_methods import USUAL_NOTICE_DAYS
from webapp.domain.periods import boundary, next_boundary, period_containing
from webapp.models.accounts import Account, BillingDetails, Membership, Reseller, User
from webapp.models.catalogue import Plan
from webapp.models.invoices import Invoice, Issuer
from webapp.models.records import OutboxMessage
from webapp.models.subscriptions import Establishment, Subscription, SubscriptionOption
from webapp.services import (
    audit,
    billing,
    catalogue,
    demo_resellers,
    dunning,
    mandates,
    payment_methods,
    payments,
    scheduling,
    subscriptions,
)
from webapp.services.payment_methods import Card
from webapp.services.payments import Receipt

FOLDER = Path(__file__).resolve().parent.parent / "demo"


@dataclass(frozen=True)
class Loaded:
    """What loading did: the references added, and how many invoices their life took."""

    references: tuple[str, ...]
    invoices: int


@dataclass(frozen=True)
class Login:
    email: str
    role: str
    account: str
    reference: str


def load(session: Session, today: date, now: datetime, vault: Vault, folder: Path = FOLDER) -> Loaded:
    """Load the company, its partners, the catalogue and the accounts that are not there yet. Flushes.

    `vault` seals the bank accounts of their mandates.

    Raises BrokenFile when a file is wrong.
    """
    file = operator_files.read_accounts(folder / "accounts.yaml")
    present = set(session.scalars(select(Account.reference)))
    missing = [account for account in file.accounts if account.reference not in present]
    _load_issuer(session, folder / "issuer.yaml")
    first = min(account.subscription.starts.before(today) for account in file.accounts).replace(day=1)
    demo_resellers.load(session, folder / "resellers.yaml", first, now)
    dunning.publish(session, dunning.check(session, folder / "dunning.yaml"), SYSTEM, now)
    if not session.scalar(select(exists().select_from(Plan))):
        slugs = list(session.scalars(select(Reseller.slug)))
        found = read_catalogue(folder / "catalogue.yaml", slugs)
        catalogue.publish(session, found, first.replace(month=1), SYSTEM, now)
    if not missing:
        return Loaded((), 0)
    password_hash = hash_password(file.password)
    _load_team(session, file.team, password_hash, now)
    demo_resellers.load_people(session, folder / "resellers.yaml", password_hash, now)
    lives = [_Life(session, account, today, now, password_hash, vault) for account in missing]
    for day in _days(min(life.starts_on for life in lives), today):
        for life in lives:
            life.live(day)
    invoices = sum(life.pay() for life in lives)
    references = tuple(life.account.reference for life in lives)
    _let_mails_rest(session, [life.row for life in lives], now)
    session.flush()
    return Loaded(references, invoices)


def logins(session: Session, folder: Path = FOLDER) -> tuple[str, list[Login]]:
    """The password of the demo, and who may sign in with it among the accounts that are loaded."""
    file = operator_files.read_accounts(folder / "accounts.yaml")
    present = set(session.scalars(select(Account.reference)))
    found = [
        Login(user.email, user.role, account.name, account.reference)
        for account in file.accounts
        if account.reference in present
        for user in account.users
    ]
    team = set(session.scalars(select(User.email).where(User.staff_role.is_not(None))))
    brand = session.scalar(select(Issuer.brand).order_by(Issuer.id).limit(1)) or ""
    found += [Login(each.email, "staff", brand, "") for each in file.team if each.email in team]
    found += [Login(email, role, name, "") for email, role, name in demo_resellers.people(session)]
    return file.password, found


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _load_issuer(session: Session, path: Path) -> None:
    issuer = operator_files.read_issuer(path)
    if session.scalars(select(Issuer).where(Issuer.code == issuer.values["code"])).first() is None:
        session.add(Issuer(**issuer.values))
        session.flush()


def _load_team(session: Session, team: tuple[TeamFile, ...], password_hash: str, now: datetime) -> None:
    present = set(session.scalars(select(User.email).where(User.staff_role.is_not(None))))
    for person in team:
        if person.email not in present:
            session.add(
                User(
                    email=person.email,
                    full_name=person.name,
                    password_hash=password_hash,
                    language=person.language,
                    staff_role=person.role,
                    created_at=now,
                )
            )
    session.flush()


def _let_mails_rest(session: Session, accounts: list[Account], now: datetime) -> None:
    """What the past would have mailed was read long ago: nothing leaves for these addresses."""
    ids = [account.id for account in accounts]
    waiting = update(OutboxMessage).where(OutboxMessage.sent_at.is_(None), OutboxMessage.account_id.in_(ids))
    session.execute(waiting.values(sent_at=now).execution_options(synchronize_session=False))


class _Life:
    """One account, from its signature to the day of seeding."""

    def __init__(
        self,
        session: Session,
        account: AccountFile,
        today: date,
        now: datetime,
        password_hash: str,
        vault: Vault,
    ) -> None:
        self.session = session
        self.account = account
        self.today = today
        self.now = now
        self.password_hash = password_hash
        self.vault = vault
        self.starts_on = account.subscription.starts.before(today)
        self.row: Account
        self.subscription: Subscription
        self.places: dict[int, Establishment] = {}
        self.owner: Actor = SYSTEM

    def live(self, day: date) -> None:
        """All that happens on `day`: what begins joins first, then the period is billed, then people change things."""
        if day < self.starts_on:
            return
        if day == self.starts_on:
            self.sign()
        for position, place in enumerate(self.account.subscription.establishments, start=1):
            if self.joins_on(place) == day and position not in self.places:
                self.join_establishment(place, position, day)
        for option in self.account.subscription.options:
            if boundary(self.starts_on, option.after_months) == day:
                self.join_option(option, day)
        if self.subscription.billed_until <= day:
            billing.bill_due(self.session, self.subscription.id, day, self.at(day))
        for option in self.account.subscription.options:
            if option.removed_days_ago is not None and self.recently(option.removed_days_ago) == day:
                self.remove_option(option, day)
        change = self.account.subscription.change
        if (
            change is not None
            and max(self.today - timedelta(days=change.asked_days_ago), self.starts_on) == day
        ):
            self.change_plan(change.plan, change.frequency, day)

    def at(self, day: date) -> datetime:
        """Half past nine in the morning, never after now."""
        return min(datetime.combine(day, time(8, 30), tzinfo=UTC), self.now)

    def recently(self, days_ago: int) -> date:
        """Some days ago, but within the month under way: what it changes is still to come."""
        return max(
            self.today - timedelta(days=days_ago), period_containing(self.starts_on, self.today, 1).start
        )

    def joins_on(self, place: EstablishmentFile) -> date:
        if place.added_days_ago is not None:
            return self.recently(place.added_days_ago)
        return boundary(self.starts_on, place.after_months)

    # What happens

    def sign(self) -> None:
        account, signed_at = self.account, self.at(self.starts_on)
        reseller_id = None
        if account.reseller is not None:
            reseller_id = self.session.scalars(
                select(Reseller.id).where(Reseller.slug == account.reseller)
            ).one()
        self.row = Account(
            reference=account.reference,
            name=account.name,
            kind=account.kind,
            language=account.language,
            reseller_id=reseller_id,
            created_at=signed_at,
        )
        self.session.add(self.row)
        self.session.flush()
        self.session.add(BillingDetails(account_id=self.row.id, **account.billing))
        self.welcome_users(signed_at)
        wanted = account.subscription
        offers = {
            offer.code: offer for offer in catalogue.plans_for_sale(self.session, reseller_id, self.starts_on)
        }
        price = offers[wanted.plan].price(wanted.frequency)
        if price is None:
            raise LookupError(f"{account.reference}: {wanted.plan} is not sold {wanted.frequency}")
        first = [
            (position, place)
            for position, place in enumerate(wanted.establishments, start=1)
            if place.added_days_ago is None and place.after_months == 0
        ]
        self.subscription = subscriptions.sign(
            self.session,
            self.row.id,
            price.id,
            self.starts_on,
            [
                subscriptions.NewEstablishment(
                    place.name, place.street, place.postcode, place.city, place.number
                )
                for _position, place in first
            ],
            [],
            self.owner,
            signed_at,
            reseller_id,
        )
        rows = self.session.scalars(
            select(Establishment)
            .where(Establishment.subscription_id == self.subscription.id)
            .order_by(Establishment.position)
        )
        self.places = {position: row for (position, _place), row in zip(first, rows, strict=True)}
        self.give_payment_method(signed_at)

    def give_payment_method(self, signed_at: datetime) -> None:
        """A mandate signed three days before the contract, or a card kept by the provider of the demo."""
        payment = self.account.payment
        if payment is None:
            return
        if not payment.iban:
            ends = boundary(self.today.replace(day=1), payment.expires_in_months)
            brand, _dots, last_four = payment.label.partition(" •••• ")
            card = Card(
                "demo",
                self.row.reference,
                f"demo-{self.row.reference}",
                brand,
                last_four,
                (ends.year, ends.month),
            )
            method = payment_methods.add_card(self.session, self.row.id, card, signed_at, self.owner)
            payment_methods.make_primary(self.session, method, signed_at, self.owner)
            return
        person = next(each for each in self.account.users if each.role == Role.OWNER)
        signed_on = self.starts_on - timedelta(days=3)
        mandates.adopt(
            self.session,
            self.subscription.id,
            mandates.Debtor(self.row.billing_details.legal_name, bank_account(payment.iban)),
            mandates.Signer(
                person.name, person.email, "192.0.2.10", "demo", person.language or self.row.language
            ),
            self.vault,
            USUAL_NOTICE_DAYS,
            payment.reference,
            signed_on,
            min(signed_at, self.at(signed_on)),
            self.owner,
        )

    def welcome_users(self, signed_at: datetime) -> None:
        for person in self.account.users:
            user = self.session.scalars(select(User).where(User.email == person.email)).first()
            if user is None:
                user = User(
                    email=person.email,
                    full_name=person.name,
                    password_hash=self.password_hash,
                    language=person.language,
                    created_at=signed_at,
                )
                self.session.add(user)
                self.session.flush()
            self.session.add(
                Membership(user_id=user.id, account_id=self.row.id, role=person.role, created_at=signed_at)
            )
            if person.role == Role.OWNER and self.owner is SYSTEM:
                self.owner = Actor("user", str(user.id), user.full_name)
        self.session.flush()

    def join_establishment(self, place: EstablishmentFile, position: int, day: date) -> None:
        """In service at once, charged from the next monthly renewal, which may be this very day (E1)."""
        on_renewal = place.added_days_ago is None
        row = Establishment(
            subscription_id=self.subscription.id,
            position=position,
            name=place.name,
            street=place.street,
            postcode=place.postcode,
            city=place.city,
            number=place.number,
            active_from=day,
            charged_from=day if on_renewal else next_boundary(self.starts_on, day, 1),
        )
        self.session.add(row)
        self.places[position] = row
        self.record("subscription.establishment_added", place.name, day)

    def join_option(self, option: OptionFile, day: date) -> None:
        offers = catalogue.options_for_sale(self.session, self.row.reseller_id, day)
        offer = next(offer for offer in offers if offer.code == option.code)
        place = self.places[option.establishment] if option.establishment else None
        self.session.add(
            SubscriptionOption(
                subscription_id=self.subscription.id,
                option_version_id=offer.version_id,
                establishment_id=place.id if place else None,
                quantity=option.quantity,
                starts_on=day,
                **offer.signed_prices(),
            )
        )
        self.record("subscription.option_added", option.code, day)

    def remove_option(self, option: OptionFile, day: date) -> None:
        """Active until the end of the period already paid (O4)."""
        self.session.refresh(self.subscription, ["options"])
        held = next(row for row in self.subscription.options if row.option_version.option.code == option.code)
        facts = {"option_id": held.id, "quantity": 0}
        scheduling.schedule(
            self.session,
            self.subscription,
            ChangeKind.OPTION,
            self.subscription.billed_until,
            facts,
            self.owner,
            self.at(day),
        )
        self.record("subscription.option_scheduled", option.code, day)

    def change_plan(self, plan: str, frequency: str, day: date) -> None:
        preview = subscriptions.preview_plan(self.session, self.subscription.id, plan, frequency, day)
        subscriptions.change_plan(
            self.session,
            self.subscription.id,
            plan,
            frequency,
            preview.fingerprint,
            day,
            self.at(day),
            self.owner,
            link="",  # its mail rests with the others
        )

    def pay(self) -> int:
        """Settle what fell due, but the last overdue ones that the file leaves unpaid. Answers how many invoices."""
        statement = select(Invoice).where(Invoice.account_id == self.row.id, Invoice.kind == "invoice")
        issued = list(self.session.scalars(statement.order_by(Invoice.issued_on, Invoice.id)))
        due = [invoice for invoice in issued if invoice.due_on < self.today]
        unpaid = self.account.overdue_invoices
        if unpaid:
            settled = due[:-unpaid]
        elif self.row.billing_details.payment_method == "card":
            settled = issued  # taken when issued
        else:
            settled = due
        for invoice in settled:
            method = invoice.payment["method"]
            day = invoice.issued_on if method == "card" else invoice.due_on
            left = invoice.total_cents - invoice.paid_cents
            if left > 0:
                receipt = Receipt(
                    self.row.id, Money(left, invoice.currency), method, f"demo:{invoice.number}", day
                )
                payments.receive(self.session, receipt, day, self.at(day), first=[invoice.id])
            if method == "direct_debit":
                primary = payment_methods.primary(self.session, self.row.id)
                if primary is not None and primary.mandate is not None:
                    payment_methods.mark_used(primary.mandate, day)
        return len(issued)

    def record(self, action: str, subject: str, day: date) -> None:
        self.session.flush()
        audit.record(
            self.session, self.owner, self.row.id, action, subject, {}, {"on": day.isoformat()}, self.at(day)
        )
