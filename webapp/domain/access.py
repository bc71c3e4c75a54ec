"""Who may do what: one table, read by the doors, by the services and by the tests (spec, "Who uses it")."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A user's role in one account."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"
    ACCOUNTANT = "accountant"


class May(StrEnum):
    """What a door asks for. ANYONE needs no sign-in, SIGNED_IN no account, STAFF a place in the operator's own team;
    the others are granted by a role."""

    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    STAFF = "staff"
    READ_SUBSCRIPTION = "read_subscription"
    READ_INVOICES = "read_invoices"
    READ_BILLING_DETAILS = "read_billing_details"
    CHANGE_OPTIONS = "change_options"
    CHANGE_ESTABLISHMENTS = "change_establishments"
    CHANGE_PLAN = "change_plan"
    CHANGE_PAYMENT = "change_payment"
    CHANGE_BILLING_DETAILS = "change_billing_details"
    MANAGE_USERS = "manage_users"
    TERMINATE = "terminate"
    CONTACT_SUPPORT = "contact_support"
    MANAGE_DATA = "manage_data"


_READS = frozenset({May.READ_SUBSCRIPTION, May.READ_INVOICES, May.READ_BILLING_DETAILS, May.CONTACT_SUPPORT})

ROLE_MAY: dict[Role, frozenset[May]] = {
    Role.OWNER: frozenset(May) - {May.ANYONE, May.SIGNED_IN, May.STAFF},
    Role.ADMINISTRATOR: _READS | {May.CHANGE_OPTIONS, May.CHANGE_ESTABLISHMENTS},
    Role.VIEWER: _READS,
    Role.ACCOUNTANT: frozenset({May.READ_INVOICES, May.READ_BILLING_DETAILS, May.CONTACT_SUPPORT}),
}


def is_allowed(role: Role | None, may: May) -> bool:
    """Whether `role` grants `may`; without a role, only what needs none."""
    if may in (May.ANYONE, May.SIGNED_IN):
        return True
    return role is not None and may in ROLE_MAY[role]


@dataclass(frozen=True)
class Actor:
    """Who acts, as the audit trail and the list of scheduled changes show it."""

    kind: str  # user, staff or system
    id: str
    name: str


SYSTEM = Actor(kind="system", id="system", name="")
