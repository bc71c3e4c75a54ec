"""Who may enter where: every address of the portal, one row each. `tests/house/test_access.py` tries them all.

A new view needs a row here, written by hand from the specification and not read from the code:

    Door("GET", "invoices.index", ALL_MEMBERS),
    Door("POST", "options.save", OWNER_AND_ADMINISTRATOR, form={"version": "1"}),

`subscription_id` is filled in; other parts of the address go in `values`. `answers` are the statuses that say "you
are in", for those whose values or form are not meant to succeed.
"""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum


class Who(StrEnum):
    ANONYMOUS = "anonymous"
    STRANGER = "stranger"  # signed in, owner of another account
    STAFF = "staff"  # of the operator, member of no account
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"
    ACCOUNTANT = "accountant"


EVERYBODY = frozenset(Who)
SIGNED_IN = EVERYBODY - {Who.ANONYMOUS}
ALL_MEMBERS = frozenset({Who.OWNER, Who.ADMINISTRATOR, Who.VIEWER, Who.ACCOUNTANT})
READERS = ALL_MEMBERS - {Who.ACCOUNTANT}
OWNER_AND_ADMINISTRATOR = frozenset({Who.OWNER, Who.ADMINISTRATOR})
OWNER_ONLY = frozenset({Who.OWNER})
STAFF = frozenset({Who.STAFF})


@dataclass(frozen=True)
class Door:
    method: str
    endpoint: str
    admitted: frozenset[Who]
    values: dict[str, object] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    answers: frozenset[int] = frozenset({200, 302, 303, 409, 422})

    def __str__(self) -> str:
        return f"{self.method} {self.endpoint}"


UNKNOWN_LINK = frozenset({410})
NOT_FOUND = frozenset({404})
NO_ESTABLISHMENT: dict[str, object] = {"establishment_id": uuid.UUID(int=0)}

DOORS = (
    # Arriving
    Door("GET", "account.home", EVERYBODY),
    Door("GET", "account.login", EVERYBODY),
    Door("POST", "account.sign_in", EVERYBODY),
    Door("POST", "account.logout", SIGNED_IN),
    # Links by mail
    Door("GET", "account.ask_sign_in_link", EVERYBODY),
    Door("POST", "account.mail_sign_in_link", EVERYBODY),
    Door("GET", "account.sign_in_link", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("POST", "account.use_sign_in_link", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("GET", "account.reset", EVERYBODY),
    Door("POST", "account.mail_reset_link", EVERYBODY),
    Door("GET", "account.choose_password", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("POST", "account.set_password", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    # One's own pages; a session that is not one's own does not exist
    Door("GET", "account.sessions", SIGNED_IN),
    Door("POST", "account.end_session", SIGNED_IN, {"session_id": 0}, answers=frozenset({404})),
    Door("POST", "account.end_other_sessions", SIGNED_IN),
    Door("GET", "account.preferences", SIGNED_IN),
    Door("POST", "account.save_preferences", SIGNED_IN),
    Door("GET", "account.password", SIGNED_IN),
    Door("POST", "account.change_password", SIGNED_IN),
    # The second step of signing in: without a first one, back to the sign-in page
    Door("GET", "account.sign_in_code", EVERYBODY),
    Door("POST", "account.check_code", EVERYBODY),
    Door("GET", "account.two_factor", SIGNED_IN),
    Door("POST", "account.begin_two_factor", SIGNED_IN),
    Door("POST", "account.confirm_two_factor", SIGNED_IN),
    Door("POST", "account.renew_recovery_codes", SIGNED_IN),
    Door("POST", "account.remove_two_factor", SIGNED_IN),
    Door("POST", "account.set_language", EVERYBODY, form={"language": "nl"}),
    Door("POST", "account.set_price_display", SIGNED_IN, form={"price_display": "tvac"}),
    Door("GET", "account.accounts", SIGNED_IN),
    # Billing details: every member reads, the owner changes; the accountant's link needs no account
    Door("GET", "billing_details.edit", ALL_MEMBERS),
    Door("POST", "billing_details.save", OWNER_ONLY),
    Door("POST", "billing_details.resend_check", OWNER_ONLY),
    Door("POST", "billing_details.cancel_check", OWNER_ONLY),
    Door("GET", "billing_details.checked_address", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("POST", "billing_details.confirm_address", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("GET", "history.index", READERS),
    Door("GET", "help.article", ALL_MEMBERS),
    Door("POST", "help.answer", ALL_MEMBERS),
    Door("GET", "personal_data.index", OWNER_ONLY),
    Door("POST", "personal_data.export", OWNER_ONLY),
    Door("POST", "personal_data.close", OWNER_ONLY),
    # People: who reads the subscription sees them, the owner changes; an invitation needs no account
    Door("GET", "users.index", READERS),
    Door("POST", "users.invite", OWNER_ONLY),
    Door("POST", "users.invite_again", OWNER_ONLY, {"invitation_id": 0}, answers=frozenset({404})),
    Door("POST", "users.revoke_invitation", OWNER_ONLY, {"invitation_id": 0}, answers=frozenset({404})),
    Door("POST", "users.change_role", OWNER_ONLY, {"membership_id": 0}, {"role": "viewer"}, frozenset({404})),
    Door("GET", "users.confirm_removal", OWNER_ONLY, {"membership_id": 0}, answers=frozenset({404})),
    Door("POST", "users.remove", OWNER_ONLY, {"membership_id": 0}, answers=frozenset({404})),
    Door("GET", "users.invitation", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("POST", "users.join", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    # Changing plan: everybody who reads the subscription compares, the owner alone goes further
    Door("GET", "subscriptions.plans", READERS),
    Door("GET", "subscriptions.preview_plan", OWNER_ONLY, {"plan_code": "premium"}),
    Door("POST", "subscriptions.change_plan", OWNER_ONLY, {"plan_code": "premium"}),
    Door("GET", "subscriptions.plan_changed", READERS),
    # The overview: options are undone by who changes them, a plan by the owner alone
    Door("GET", "subscriptions.overview", READERS),
    Door("POST", "subscriptions.undo_change", OWNER_AND_ADMINISTRATOR, {"change_id": 0}),
    Door("GET", "subscriptions.contact", ALL_MEMBERS),
    Door("POST", "subscriptions.send_message", ALL_MEMBERS, form={"message": "Bonjour"}),
    # Documents
    Door("GET", "invoices.index", ALL_MEMBERS),
    Door("GET", "invoices.show", ALL_MEMBERS, {"number": "F2026-00000"}, answers=frozenset({404})),
    Door("GET", "invoices.pdf", ALL_MEMBERS, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("GET", "invoices.ubl", ALL_MEMBERS, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("GET", "invoices.archive", ALL_MEMBERS),
    Door("GET", "invoices.accountant_csv", ALL_MEMBERS),
    Door("GET", "invoices.forecast", READERS),
    # Options: everybody who reads the subscription sees them, the owner and administrators change them
    Door("GET", "options.edit", READERS),
    Door("POST", "options.draft", OWNER_AND_ADMINISTRATOR),
    Door("POST", "options.preview", OWNER_AND_ADMINISTRATOR),
    Door("POST", "options.save", OWNER_AND_ADMINISTRATOR),
    Door("GET", "options.saved", READERS),
    # Quotations: one that does not exist here is not found
    Door("GET", "options.ask_quotation", OWNER_AND_ADMINISTRATOR, {"option_code": "concierge"}),
    Door("POST", "options.request_quotation", OWNER_AND_ADMINISTRATOR, {"option_code": "concierge"}),
    Door("GET", "options.quotation", READERS, {"quotation_id": 0}, answers=NOT_FOUND),
    Door("GET", "options.preview_quotation", OWNER_AND_ADMINISTRATOR, {"quotation_id": 0}, answers=NOT_FOUND),
    Door(
        "POST",
        "options.accept_quotation",
        OWNER_AND_ADMINISTRATOR,
        {"quotation_id": 0},
        {"idempotency_key": "0" * 32, "preview": "x"},
        answers=NOT_FOUND,
    ),
    Door(
        "POST", "options.decline_quotation", OWNER_AND_ADMINISTRATOR, {"quotation_id": 0}, answers=NOT_FOUND
    ),
    # The operator's own team
    Door("GET", "staff.quotation_list", STAFF),
    Door("GET", "staff.quotation", STAFF, {"quotation_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.answer_quotation", STAFF, {"quotation_id": 0}, answers=NOT_FOUND | {422}),
    Door("GET", "staff.credit", STAFF, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("POST", "staff.confirm_credit", STAFF, {"number": "F2026-00000"}, answers=NOT_FOUND),
    # Establishments: everybody who reads the subscription sees them; one that does not exist is not found
    Door("GET", "establishments.index", READERS),
    Door("POST", "establishments.preview_services", OWNER_AND_ADMINISTRATOR),
    Door("POST", "establishments.save_services", OWNER_AND_ADMINISTRATOR),
    Door("GET", "establishments.add", OWNER_AND_ADMINISTRATOR),
    Door("POST", "establishments.preview_addition", OWNER_AND_ADMINISTRATOR),
    Door("POST", "establishments.confirm_addition", OWNER_AND_ADMINISTRATOR),
    Door("GET", "establishments.edit", OWNER_AND_ADMINISTRATOR, NO_ESTABLISHMENT, answers=NOT_FOUND),
    Door("POST", "establishments.save", OWNER_AND_ADMINISTRATOR, NO_ESTABLISHMENT, answers=NOT_FOUND),
    Door(
        "GET", "establishments.preview_removal", OWNER_AND_ADMINISTRATOR, NO_ESTABLISHMENT, answers=NOT_FOUND
    ),
    Door("POST", "establishments.remove", OWNER_AND_ADMINISTRATOR, NO_ESTABLISHMENT, answers=NOT_FOUND),
    Door("POST", "establishments.undo_removal", OWNER_AND_ADMINISTRATOR, NO_ESTABLISHMENT, answers=NOT_FOUND),
    Door("GET", "establishments.choose_file", OWNER_AND_ADMINISTRATOR),
    Door("GET", "establishments.file_template", OWNER_AND_ADMINISTRATOR),
    Door("POST", "establishments.preview_import", OWNER_AND_ADMINISTRATOR),
    Door("POST", "establishments.confirm_import", OWNER_AND_ADMINISTRATOR, answers=frozenset({400})),
    # The contract: everybody who reads the subscription sees its dates, the owner alone ends it
    Door("GET", "contract.show", READERS),
    Door("GET", "contract.calendar_file", READERS),
    Door("GET", "contract.terminate", OWNER_ONLY),
    Door("POST", "contract.confirm_termination", OWNER_ONLY),
    Door("POST", "contract.cancel_termination", OWNER_ONLY, {"change_id": 0}),
    Door("GET", "contract.acknowledgement", READERS, {"change_id": 0}, answers=frozenset({404})),
    Door("GET", "contract.withdraw", OWNER_ONLY),
    Door("POST", "contract.confirm_withdrawal", OWNER_ONLY),
)
