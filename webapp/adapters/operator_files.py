"""The files that start an installation: the selling company and its first accounts; partners are in `reseller_file`.

Read with the same care as the catalogue: every mistake is told with its line. docs/catalogue.md shows the fields.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException
from stdnum.eu import at_02
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from webapp.adapters.yaml_file import Document, Entry
from webapp.domain.access import Role
from webapp.domain.catalogue import FREQUENCIES, LANGUAGES
from webapp.domain.periods import boundary
from webapp.domain.vat_treatment import TREATMENTS
from webapp.i18n import _

STAFF_ROLES = ("support", "billing", "catalogue", "admin")
METHODS = ("transfer", "direct_debit", "card")
E_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True)
class MonthsAgo:
    """A day of the month, some months back."""

    months: int
    day: int

    def before(self, today: date) -> date:
        """Counted from `today`; a month that has no such day, or a day still to come, is passed over.

        >>> MonthsAgo(8, 1).before(date(2026, 11, 16)), MonthsAgo(9, 31).before(date(2026, 11, 16))
        (datetime.date(2026, 3, 1), datetime.date(2026, 1, 31))
        """
        months = self.months
        while True:
            first = boundary(today.replace(day=1), -months)
            found = first + timedelta(days=self.day - 1)
            if found.month == first.month and found <= today:
                return found
            months += 1


@dataclass(frozen=True)
class IssuerFile:
    values: dict[str, str]


@dataclass(frozen=True)
class UserFile:
    email: str
    name: str
    role: str
    language: str | None


@dataclass(frozen=True)
class TeamFile:
    """Somebody of the operator's own team."""

    email: str
    name: str
    role: str
    language: str | None


@dataclass(frozen=True)
class EstablishmentFile:
    """There from the signature, joined after some months of it, or added some days ago."""

    name: str
    street: str
    postcode: str
    city: str
    number: str | None
    after_months: int
    added_days_ago: int | None


@dataclass(frozen=True)
class OptionFile:
    """`establishment` is a position counted from 1."""

    code: str
    quantity: int
    establishment: int | None
    after_months: int
    removed_days_ago: int | None


@dataclass(frozen=True)
class ChangeFile:
    plan: str
    frequency: str
    asked_days_ago: int


@dataclass(frozen=True)
class SubscriptionFile:
    plan: str
    frequency: str
    starts: MonthsAgo
    establishments: tuple[EstablishmentFile, ...]
    options: tuple[OptionFile, ...]
    change: ChangeFile | None


@dataclass(frozen=True)
class PaymentFile:
    """What pays the invoices: an account to debit under a mandate, or a card that expires some months from now."""

    iban: str  # compact; empty for a card
    label: str  # of a card, as shown
    reference: str  # of the mandate
    expires_in_months: int


@dataclass(frozen=True)
class AccountFile:
    reference: str
    name: str
    kind: str
    language: str
    reseller: str | None
    billing: dict[str, Any]  # the columns of billing_details
    payment: PaymentFile | None
    users: tuple[UserFile, ...]
    overdue_invoices: int
    subscription: SubscriptionFile


@dataclass(frozen=True)
class AccountsFile:
    password: str
    accounts: tuple[AccountFile, ...]
    team: tuple[TeamFile, ...] = ()


def read_issuer(path: Path) -> IssuerFile:
    """The selling company. Raises BrokenFile."""
    document = Document(path)
    root = document.root()
    values = {
        name: root.text(name) for name in ("brand", "legal_name", "street", "postcode", "city", "register")
    }
    values |= {
        "code": root.code(),
        "country": root.text("country", most=2),
        "enterprise_number": re.sub(
            r"\D", "", _valid(root, "enterprise_number", _belgian, _("un numéro d’entreprise"))
        ),
        "vat_number": _valid(
            root, "vat_number", eu_vat.validate, _("un numéro de TVA, tel que BE 0765.432.146")
        ),
        "iban": _valid(root, "iban", _iban, _("un IBAN, tel que BE68 5390 0754 7034")),
        "creditor_id": _valid(root, "creditor_id", at_02.validate, _("un identifiant de créancier SEPA")),
        "email": e_mail_of(root, "email"),
        "phone": root.text("phone"),
        "bic": _maybe(root, "bic"),
    }
    root.close()
    document.finish()
    return IssuerFile(values)


def read_accounts(path: Path) -> AccountsFile:
    """The accounts, their users and the life of their subscription. Raises BrokenFile."""
    document = Document(path)
    root = document.root()
    password = root.text("password")
    accounts: list[AccountFile] = []
    for entry in root.entries("accounts", label="reference"):
        account = _account(entry)
        if account.reference in {other.reference for other in accounts}:
            entry.complain(
                "reference", _("Cette référence est déjà prise : %(value)s."), value=account.reference
            )
        accounts.append(account)
    team = tuple(_teammate(entry) for entry in root.entries("team", label="-", required=False))
    root.close()
    document.finish()
    return AccountsFile(password, tuple(accounts), team)


def _teammate(entry: Entry) -> TeamFile:
    language = entry.choice("language", LANGUAGES, default="") or None
    role = entry.choice("role", STAFF_ROLES)
    teammate = TeamFile(e_mail_of(entry, "email").lower(), entry.text("name"), role, language)
    entry.close()
    return teammate


def _account(entry: Entry) -> AccountFile:
    users = []
    for item in entry.entries("users", label="-"):
        language = item.choice("language", LANGUAGES, default="") or None
        role = item.choice("role", [role.value for role in Role])
        users.append(UserFile(e_mail_of(item, "email").lower(), item.text("name"), role, language))
        item.close()
    if not any(user.role == Role.OWNER for user in users):
        entry.complain("users", _("Personne n’est propriétaire. Attendu : au moins un « role: owner »."))
    subscription = entry.entry("subscription")
    account = AccountFile(
        reference=entry.text("reference", most=60),
        name=entry.text("name", most=120),
        kind=entry.choice("kind", ("business", "consumer", "public"), default="business"),
        language=entry.choice("language", LANGUAGES),
        reseller=entry.text("reseller", default="") or None,
        billing=billing_of(entry),
        payment=_payment(entry),
        users=tuple(users),
        overdue_invoices=entry.integer("overdue_invoices", 0, 24, default=0),
        subscription=_subscription(subscription or entry),
    )
    if subscription:
        subscription.close()
    entry.close()
    return account


def billing_of(account: Entry, name: str = "billing") -> dict[str, Any]:
    """The columns of `billing_details`; nothing when they are missing."""
    entry = account.entry(name)
    if entry is None:
        return {}
    vat_number = None
    if entry.has("vat_number"):
        vat_number = _valid(
            entry, "vat_number", eu_vat.validate, _("un numéro de TVA, tel que BE 0765.432.146")
        )
    country = entry.text("country", default="BE", most=2)
    number = vat_number[2:] if vat_number and country == "BE" else None
    values: dict[str, Any] = {
        "legal_name": entry.text("legal_name", most=120),
        "street": entry.text("street", most=120),
        "postcode": entry.text("postcode", most=12),
        "city": entry.text("city", most=80),
        "country": country,
        "vat_number": vat_number,
        "enterprise_number": number,
        "invoice_email": e_mail_of(entry, "invoice_email"),
        "accountant_email": e_mail_of(entry, "accountant_email") if entry.has("accountant_email") else None,
        "buyer_reference": entry.text("buyer_reference", default="") or None,
        "peppol_id": f"0208:{number}" if entry.flag("peppol") and number else None,
        "vat_treatment": entry.choice("vat_treatment", TREATMENTS, default="domestic"),
        "payment_term_days": entry.integer("payment_term_days", 0, 90, default=14),
    }
    entry.close()
    return values


def _payment(account: Entry) -> PaymentFile | None:
    """How the account pays; None for transfers."""
    payment = account.entry("payment")
    if payment is None:
        return None
    method = payment.choice("method", METHODS)
    found = None
    if method == "direct_debit":
        iban = _valid(payment, "iban", _iban, _("un IBAN, tel que BE68 5390 0754 7034"))
        found = PaymentFile(iban, "", payment.text("reference", most=35), 0)
    elif method == "card":
        months = payment.integer("expires_in_months", 0, 120, default=24)
        found = PaymentFile("", payment.text("label", most=60), "", months)
    payment.close()
    return found


def _subscription(entry: Entry) -> SubscriptionFile:
    frequency = entry.choice("frequency", FREQUENCIES)
    every = 12 if frequency == "annual" else 1
    establishments = tuple(_establishment(item, every) for item in entry.entries("establishments", label="-"))
    options = tuple(_option(item, every, len(establishments)) for item in entry.entries("options", False))
    change = entry.entry("change", required=False)
    found = None
    if change is not None:
        found = ChangeFile(
            change.code("plan"), change.choice("frequency", FREQUENCIES), _days_ago(change, "asked")
        )
        change.close()
    return SubscriptionFile(entry.code("plan"), frequency, _months_ago(entry), establishments, options, found)


def _establishment(entry: Entry, every: int) -> EstablishmentFile:
    found = EstablishmentFile(
        name=entry.text("name", most=120),
        street=entry.text("street", most=120),
        postcode=entry.text("postcode", most=12),
        city=entry.text("city", most=80),
        number=entry.text("number", default="") or None,
        after_months=_after_months(entry, every),
        added_days_ago=_days_ago(entry, "added") if entry.has("added") else None,
    )
    entry.close()
    return found


def _option(entry: Entry, every: int, establishments: int) -> OptionFile:
    has_place = entry.has("establishment")
    found = OptionFile(
        code=entry.code(),
        quantity=entry.integer("quantity", 1, 10_000, default=1),
        establishment=entry.integer("establishment", 1, max(establishments, 1)) if has_place else None,
        after_months=_after_months(entry, every),
        removed_days_ago=_days_ago(entry, "removed") if entry.has("removed") else None,
    )
    entry.close()
    return found


def _after_months(entry: Entry, every: int) -> int:
    """Whole billing periods after the signature, so that what joins begins on a billing day."""
    months = entry.integer("after_months", 0, 120, default=0)
    if months % every:
        entry.complain(
            "after_months", _("Attendu : un multiple de %(every)s, facturé chaque année."), every=every
        )
    return months


def _months_ago(entry: Entry) -> MonthsAgo:
    starts = entry.entry("starts")
    if starts is None:
        return MonthsAgo(0, 1)
    found = MonthsAgo(starts.integer("months_ago", 0, 240), starts.integer("day", 1, 31))
    starts.close()
    return found


def _days_ago(entry: Entry, name: str) -> int:
    day = entry.entry(name)
    if day is None:
        return 0
    found = day.integer("days_ago", 0, 3660)
    day.close()
    return found


def e_mail_of(entry: Entry, name: str) -> str:
    value = entry.text(name, most=254)
    if value and not E_MAIL.fullmatch(value):
        entry.complain(name, _("« %(value)s » n’est pas une adresse e-mail."), value=value)
    return value


def _valid(entry: Entry, name: str, validate: Callable[[str], str], expected: str) -> str:
    """A number with a checksum, compact. `validate` raises one of the libraries' errors."""
    value = entry.text(name)
    try:
        return validate(value) if value else ""
    except (ValidationError, SchwiftyException):
        entry.complain(
            name,
            _("« %(value)s » n’est pas valable, vérifiez chaque chiffre. Attendu : %(expected)s."),
            value=value,
            expected=expected,
        )
        return ""


def _belgian(value: str) -> str:
    return str(eu_vat.validate(value if value.upper().startswith("BE") else f"BE{value}"))


def _iban(value: str) -> str:
    return str(IBAN(value))


def _maybe(entry: Entry, name: str) -> str:
    """A text that may be left empty."""
    if not entry.has(name) or not getattr(entry.fields[name], "value", ""):
        return ""
    return entry.text(name)
