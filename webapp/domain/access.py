"""Who may do what: one table, read by the doors, by the services and by the tests (spec, "Who uses it")."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A user's role in one account."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"
    ACCOUNTANT = "accountant"


class StaffRole(StrEnum):
    """A place in the operator's own team."""

    SUPPORT = "support"
    BILLING = "billing"
    CATALOGUE = "catalogue"
    ADMIN = "admin"


class ResellerRole(StrEnum):
    """A place among a reseller's people."""

    ADMIN = "reseller_admin"
    AGENT = "reseller_agent"
    READER = "reseller_reader"


class May(StrEnum):
    """What a door asks for. ANYONE needs no sign-in, SIGNED_IN no account, STAFF any place in the operator's own team;
    the others are granted by a role in an account, from HELP_ACCOUNTS on by a place in the team, and from READ_CONSOLE on
    by a place among a reseller's people."""

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
    PAY = "pay"
    CHANGE_BILLING_DETAILS = "change_billing_details"
    MANAGE_USERS = "manage_users"
    TERMINATE = "terminate"
    CONTACT_SUPPORT = "contact_support"
    MANAGE_DATA = "manage_data"
    READ_MESSAGES = "read_messages"
    HELP_ACCOUNTS = "help_accounts"
    CORRECT_MONEY = "correct_money"
    EDIT_CATALOGUE = "edit_catalogue"
    ADMINISTER = "administer"
    READ_CONSOLE = "read_console"
    READ_RESALE = "read_resale"
    ADD_CLIENTS = "add_clients"
    MANAGE_CONSOLE = "manage_console"


_READS = frozenset({May.READ_SUBSCRIPTION, May.READ_INVOICES, May.READ_BILLING_DETAILS, May.CONTACT_SUPPORT})

# Support answers and helps, billing moves money, catalogue sets what is sold; an admin does all of it, and the rest.
_OF_THE_TEAM = frozenset(
    {May.STAFF, May.HELP_ACCOUNTS, May.CORRECT_MONEY, May.EDIT_CATALOGUE, May.ADMINISTER}
)

STAFF_MAY: dict[StaffRole, frozenset[May]] = {
    StaffRole.SUPPORT: frozenset({May.STAFF, May.HELP_ACCOUNTS}),
    StaffRole.BILLING: frozenset({May.STAFF, May.HELP_ACCOUNTS, May.CORRECT_MONEY}),
    StaffRole.CATALOGUE: frozenset({May.STAFF, May.EDIT_CATALOGUE}),
    StaffRole.ADMIN: _OF_THE_TEAM,
}

# An agent looks after clients and adds some, and does not see what the reseller itself pays; an administrator also sets
# what opens the embed, how it looks, and who works here.
_READS_OF_RESELLERS = frozenset({May.READ_CONSOLE, May.READ_RESALE})
_OF_RESELLERS = _READS_OF_RESELLERS | {May.ADD_CLIENTS, May.MANAGE_CONSOLE}

RESELLER_MAY: dict[ResellerRole, frozenset[May]] = {
    ResellerRole.ADMIN: _OF_RESELLERS,
    ResellerRole.AGENT: frozenset({May.READ_CONSOLE, May.ADD_CLIENTS}),
    ResellerRole.READER: _READS_OF_RESELLERS,
}

ROLE_MAY: dict[Role, frozenset[May]] = {
    Role.OWNER: frozenset(May) - {May.ANYONE, May.SIGNED_IN} - _OF_THE_TEAM - _OF_RESELLERS,
    Role.ADMINISTRATOR: _READS | {May.CHANGE_OPTIONS, May.CHANGE_ESTABLISHMENTS, May.PAY},
    Role.VIEWER: _READS,
    Role.ACCOUNTANT: frozenset({May.READ_INVOICES, May.READ_BILLING_DETAILS, May.CONTACT_SUPPORT}),
}


def is_allowed(role: Role | None, may: May) -> bool:
    """Whether `role` grants `may`; without a role, only what needs none."""
    if may in (May.ANYONE, May.SIGNED_IN):
        return True
    return role is not None and may in ROLE_MAY[role]


def is_at_most(role: Role, cap: Role) -> bool:
    """Whether `role` grants nothing that `cap` does not.

    >>> is_at_most(Role.VIEWER, Role.ADMINISTRATOR), is_at_most(Role.OWNER, Role.ADMINISTRATOR)
    (True, False)
    """
    return ROLE_MAY[role] <= ROLE_MAY[cap]


def lesser(one: Role, other: Role) -> Role:
    """The one that grants less: each role grants all that the next does, from owner to accountant."""
    return one if is_at_most(one, other) else other


def is_for_staff(may: May) -> bool:
    """Whether only the operator's own team may be granted it."""
    return may in _OF_THE_TEAM


def is_staff_allowed(role: StaffRole | None, may: May) -> bool:
    """Whether a place in the team grants `may`; none grants nothing."""
    return role is not None and may in STAFF_MAY[role]


def is_for_resellers(may: May) -> bool:
    """Whether only a reseller's people may be granted it."""
    return may in _OF_RESELLERS


def is_reseller_allowed(role: ResellerRole, may: May, *, is_suspended: bool = False) -> bool:
    """Whether a place among a reseller's people grants `may`; while the reseller is suspended, only to read.

    >>> is_reseller_allowed(ResellerRole.ADMIN, May.MANAGE_CONSOLE, is_suspended=True)
    False
    """
    return may in RESELLER_MAY[role] and (may in _READS_OF_RESELLERS or not is_suspended)


@dataclass(frozen=True)
class Actor:
    """Who acts, as the audit trail and the list of scheduled changes show it."""

    kind: str  # user, staff or system
    id: str
    name: str


SYSTEM = Actor(kind="system", id="system", name="")
