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
    # Of the operator's team, members of no account
    SUPPORT = "support"
    BILLING = "billing"
    CATALOGUE = "catalogue"
    ADMIN = "admin"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"
    ACCOUNTANT = "accountant"
    # Of the people of a reseller, members of no account
    RESELLER_ADMIN = "reseller_admin"
    RESELLER_AGENT = "reseller_agent"
    RESELLER_READER = "reseller_reader"


EVERYBODY = frozenset(Who)
SIGNED_IN = EVERYBODY - {Who.ANONYMOUS}
ALL_MEMBERS = frozenset({Who.OWNER, Who.ADMINISTRATOR, Who.VIEWER, Who.ACCOUNTANT})
READERS = ALL_MEMBERS - {Who.ACCOUNTANT}
OWNER_AND_ADMINISTRATOR = frozenset({Who.OWNER, Who.ADMINISTRATOR})
OWNER_ONLY = frozenset({Who.OWNER})
STAFF = frozenset({Who.SUPPORT, Who.BILLING, Who.CATALOGUE, Who.ADMIN})
HELP_TEAM = frozenset({Who.SUPPORT, Who.BILLING, Who.ADMIN})
BILLING_TEAM = frozenset({Who.BILLING, Who.ADMIN})
CATALOGUE_TEAM = frozenset({Who.CATALOGUE, Who.ADMIN})
ADMINS = frozenset({Who.ADMIN})
PARTNERS = frozenset({Who.RESELLER_ADMIN, Who.RESELLER_AGENT, Who.RESELLER_READER})
PARTNER_BUYERS = PARTNERS - {Who.RESELLER_AGENT}  # they see what the reseller itself pays
PARTNER_ADMINS = frozenset({Who.RESELLER_ADMIN})
PARTNER_AGENTS = PARTNERS - {Who.RESELLER_READER}  # they look after clients


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
NO_METHOD: dict[str, object] = {"method_id": uuid.UUID(int=0)}
NO_DRAFT: dict[str, object] = {"draft_id": 0}
PRO: dict[str, object] = {"code": "pro"}
MONTHLY: dict[str, object] = {"code": "pro", "frequency": "mensuel"}
NO_PAGE: dict[str, object] = {"checkout_id": uuid.UUID(int=0)}

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
    # The team's identity provider: without one, as here, there is no such page
    Door("GET", "account.begin_oidc", EVERYBODY, answers=NOT_FOUND),
    Door("GET", "account.return_from_oidc", EVERYBODY, answers=NOT_FOUND),
    Door("POST", "account.finish_oidc", EVERYBODY, answers=NOT_FOUND),
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
    Door("GET", "history.sent", OWNER_ONLY),
    Door("GET", "history.message", OWNER_ONLY, {"message_id": 0}, answers=NOT_FOUND),
    Door("GET", "help.article", ALL_MEMBERS),
    Door("POST", "help.answer", ALL_MEMBERS),
    # What was asked of the team: one's own requests, the owner's being all of them
    Door("GET", "help.requests", ALL_MEMBERS),
    Door("GET", "help.request_page", ALL_MEMBERS, {"request_id": 0}, answers=NOT_FOUND),
    Door("POST", "help.request_reply", ALL_MEMBERS, {"request_id": 0}, answers=NOT_FOUND),
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
    # Paying: every member sees how, the owner and the administrators pay; the owner alone gives a card
    Door("GET", "checkout.pay", ALL_MEMBERS),
    Door("POST", "checkout.start", OWNER_AND_ADMINISTRATOR),
    Door("POST", "checkout.announce", OWNER_AND_ADMINISTRATOR),
    Door("POST", "checkout.set_up", OWNER_ONLY, answers=frozenset({400})),
    Door("GET", "checkout.leave", OWNER_AND_ADMINISTRATOR, NO_PAGE, answers=NOT_FOUND),
    Door("GET", "checkout.outcome", ALL_MEMBERS, NO_PAGE, answers=NOT_FOUND),
    Door("GET", "checkout.demo_page", SIGNED_IN, {"reference": "inconnue"}, answers=NOT_FOUND),
    Door("POST", "checkout.demo_answer", SIGNED_IN, {"reference": "inconnue"}, answers=NOT_FOUND),
    # What providers send is signed: without its signature it is a bad request, whoever asks
    Door("POST", "checkout.notice", EVERYBODY, {"provider": "demo"}, answers=frozenset({400})),
    # The operator's own team
    Door("GET", "staff.home", STAFF),
    # Accounts: found, read on one page, noted, and looked at as their client
    Door("GET", "staff.accounts", HELP_TEAM),
    Door("GET", "staff.account", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "staff.account_history", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("POST", "staff.add_note", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("POST", "staff.view_as", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("POST", "staff.stop_viewing", STAFF),
    Door("GET", "staff.rehearsal_page", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "staff.rehearsal_csv", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "staff.quotation_list", STAFF),
    Door("GET", "staff.quotation", STAFF, {"quotation_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.answer_quotation", STAFF, {"quotation_id": 0}, answers=NOT_FOUND | {422}),
    Door("GET", "staff.credit", BILLING_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("POST", "staff.confirm_credit", BILLING_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    # Late accounts: who helps accounts reads, who corrects money decides
    Door("GET", "staff.arrears", HELP_TEAM),
    Door("GET", "staff.dunning", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "staff.dunning_act", BILLING_TEAM, {"reference": "CA-0", "act": "pause"}, answers=NOT_FOUND),
    Door(
        "POST",
        "staff.confirm_dunning_act",
        BILLING_TEAM,
        {"reference": "CA-0", "act": "pause"},
        answers=NOT_FOUND,
    ),
    # The dashboard: the team reads its totals, who helps accounts reads which accounts they are
    Door("GET", "staff.migrations", CATALOGUE_TEAM),
    Door("GET", "staff.migration_simulation", CATALOGUE_TEAM, answers=frozenset({422})),
    Door("GET", "staff.migration_simulation_csv", CATALOGUE_TEAM, answers=NOT_FOUND),
    Door("POST", "staff.publish_migration", CATALOGUE_TEAM, answers=frozenset({422})),
    Door("GET", "staff.migration", CATALOGUE_TEAM, {"migration_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.migration_csv", CATALOGUE_TEAM, {"migration_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.resume_migration", CATALOGUE_TEAM, {"migration_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.migration_cancel", CATALOGUE_TEAM, {"migration_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.cancel_migration", CATALOGUE_TEAM, {"migration_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.dashboard", STAFF),
    Door("GET", "staff.dashboard_csv", STAFF, {"name": "revenu"}),
    Door("GET", "staff.dashboard_movements", HELP_TEAM),
    Door("GET", "staff.dashboard_accounts_csv", HELP_TEAM, {"name": "mouvements"}),
    # The billing room: the help team follows, the billing team starts, pauses and mends
    Door("GET", "staff.billing_room", HELP_TEAM),
    Door("POST", "staff.billing_preview", BILLING_TEAM),
    Door("POST", "staff.billing_work", BILLING_TEAM),
    Door("GET", "staff.billing_job", HELP_TEAM, {"job_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.billing_start", BILLING_TEAM, {"job_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.billing_pause", BILLING_TEAM, {"job_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.billing_resume", BILLING_TEAM, {"job_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.billing_retry", BILLING_TEAM, {"job_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.billing_run", HELP_TEAM, {"run_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.billing_run_again", BILLING_TEAM, {"run_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.numbering", HELP_TEAM),
    # Documents on Peppol: who helps accounts reads, who corrects money acts
    Door("GET", "staff.gestures", HELP_TEAM, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "staff.gesture", BILLING_TEAM, {"reference": "CA-0", "kind": "remise"}, answers=NOT_FOUND),
    Door(
        "POST", "staff.make_gesture", BILLING_TEAM, {"reference": "CA-0", "kind": "remise"}, answers=NOT_FOUND
    ),
    Door(
        "GET", "staff.gesture_undo", BILLING_TEAM, {"reference": "CA-0", "gesture_id": 0}, answers=NOT_FOUND
    ),
    Door(
        "POST", "staff.undo_gesture", BILLING_TEAM, {"reference": "CA-0", "gesture_id": 0}, answers=NOT_FOUND
    ),
    Door("GET", "staff.invoices", HELP_TEAM),
    Door("GET", "staff.documents", HELP_TEAM),
    Door("GET", "staff.document", HELP_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door(
        "GET", "staff.document_file", HELP_TEAM, {"number": "F2026-00000", "kind": "xml"}, answers=NOT_FOUND
    ),
    Door("POST", "staff.check_document", BILLING_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("POST", "staff.send_document", BILLING_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("POST", "staff.hand_over_document", BILLING_TEAM, {"number": "F2026-00000"}, answers=NOT_FOUND),
    # The other systems: whoever moves money sees to it that they are told; what does not exist is not found
    # The bank: the help team reads, the billing team decides
    Door("GET", "staff.bank_files", HELP_TEAM),
    Door("POST", "staff.bank_upload", BILLING_TEAM),
    Door("GET", "staff.bank_file", HELP_TEAM, {"file_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.bank_entries", HELP_TEAM),
    Door("GET", "staff.bank_entry", HELP_TEAM, {"entry_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.bank_assign", BILLING_TEAM, {"entry_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.bank_return", BILLING_TEAM, {"entry_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.bank_ignore", BILLING_TEAM, {"entry_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.bank_take_up", BILLING_TEAM, {"entry_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.batches", HELP_TEAM),
    Door("POST", "staff.batch_make", BILLING_TEAM),
    Door("GET", "staff.batch", HELP_TEAM, {"name": "DD20260101-1"}, answers=NOT_FOUND),
    Door("POST", "staff.batch_file", BILLING_TEAM, {"name": "DD20260101-1"}, answers=NOT_FOUND),
    # The requests of clients; the replies kept ready are the administrators'
    Door("GET", "staff.requests", HELP_TEAM),
    Door("GET", "staff.request_page", HELP_TEAM, {"request_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_answer", HELP_TEAM, {"request_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_note", HELP_TEAM, {"request_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_assign", HELP_TEAM, {"request_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_state", HELP_TEAM, {"request_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.request_replies", ADMINS),
    Door("POST", "staff.request_reply_add", ADMINS),
    Door("GET", "staff.request_reply", ADMINS, {"reply_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_reply_save", ADMINS, {"reply_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.request_reply_remove", ADMINS, {"reply_id": 0}, answers=NOT_FOUND),
    # The catalogue: the whole team reads it, its own part of the team prepares and publishes it
    Door("GET", "staff.catalogue", STAFF),
    Door("GET", "staff.catalogue_file", STAFF),
    Door("GET", "staff.catalogue_plan", STAFF, {"code": "inconnu"}, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_option", STAFF, {"code": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_start", CATALOGUE_TEAM),
    Door("GET", "staff.catalogue_draft", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_file", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_save", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_withdraw", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_restore", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_rebase", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_abandon", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_new_plan", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_plan", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_add_plan", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_save_plan", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_price", CATALOGUE_TEAM, NO_DRAFT | MONTHLY, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_save_price", CATALOGUE_TEAM, NO_DRAFT | MONTHLY, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_remove_price", CATALOGUE_TEAM, NO_DRAFT | MONTHLY, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_new_option", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_option", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_add_option", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_save_option", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_new_feature", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_feature", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_add_feature", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_save_feature", CATALOGUE_TEAM, NO_DRAFT | PRO, answers=NOT_FOUND),
    Door("GET", "staff.catalogue_draft_publication", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("POST", "staff.catalogue_draft_publish", CATALOGUE_TEAM, NO_DRAFT, answers=NOT_FOUND),
    Door("GET", "staff.integrations", BILLING_TEAM),
    Door("POST", "staff.open_integration", BILLING_TEAM),
    Door("GET", "staff.integration", BILLING_TEAM, {"consumer_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_make_key", BILLING_TEAM, {"consumer_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_revoke_key", BILLING_TEAM, {"key_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_close", BILLING_TEAM, {"consumer_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_add_endpoint", BILLING_TEAM, {"consumer_id": 0}, answers=NOT_FOUND),
    Door("GET", "staff.integration_endpoint", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_test", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_renew_secret", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_drop_secret", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_disable", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_enable", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_replay_all", BILLING_TEAM, {"endpoint_id": 0}, answers=NOT_FOUND),
    Door("POST", "staff.integration_replay", BILLING_TEAM, {"delivery_id": 0}, answers=NOT_FOUND),
    # The interface for programs: the address is everybody's, the answer is for a key
    Door("GET", "api.openapi", EVERYBODY),
    Door("GET", "api.account", EVERYBODY, {"reference": "CA-0"}, answers=frozenset({401})),
    Door("GET", "api.services", EVERYBODY, {"reference": "CA-0"}, answers=frozenset({401})),
    Door("GET", "api.invoices", EVERYBODY, {"reference": "CA-0"}, answers=frozenset({401})),
    Door("GET", "api.invoice", EVERYBODY, {"number": "F2026-00000"}, answers=frozenset({401})),
    Door("GET", "api.event_feed", EVERYBODY, answers=frozenset({401})),
    # The embed: the address is everybody's, the answer is for an assertion, a session or a ticket
    Door("POST", "embed.open_session", EVERYBODY, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "embed.write_ticket", EVERYBODY, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("GET", "embed.ticket", EVERYBODY, {"token": "inconnu"}, answers=UNKNOWN_LINK),
    Door("GET", "embed.loader", EVERYBODY),
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
    # How invoices are paid: everybody reads it, the owner alone changes it and takes the signed IBAN away
    Door("GET", "payment.edit", ALL_MEMBERS),
    Door("GET", "payment.account_form", OWNER_ONLY),
    Door("POST", "payment.preview_mandate", OWNER_ONLY),
    Door("POST", "payment.sign_mandate", OWNER_ONLY),
    Door("GET", "payment.mandate_file", OWNER_ONLY, {"document_id": 0}, answers=NOT_FOUND),
    Door("GET", "payment.choose_transfer", OWNER_ONLY),
    Door("POST", "payment.confirm_transfer", OWNER_ONLY),
    Door("GET", "payment.choose", OWNER_ONLY, NO_METHOD),
    Door("POST", "payment.confirm_choice", OWNER_ONLY, NO_METHOD),
    Door("GET", "payment.remove", OWNER_ONLY, NO_METHOD),
    Door("POST", "payment.confirm_removal", OWNER_ONLY, NO_METHOD),
    # The contract: everybody who reads the subscription sees its dates, the owner alone ends it
    Door("GET", "contract.show", READERS),
    Door("GET", "contract.calendar_file", READERS),
    Door("GET", "contract.terminate", OWNER_ONLY),
    Door("POST", "contract.confirm_termination", OWNER_ONLY),
    Door("POST", "contract.cancel_termination", OWNER_ONLY, {"change_id": 0}),
    Door("GET", "contract.acknowledgement", READERS, {"change_id": 0}, answers=frozenset({404})),
    Door("GET", "contract.withdraw", OWNER_ONLY),
    Door("POST", "contract.confirm_withdrawal", OWNER_ONLY),
    # Resellers, on the operator's side: the team reads what is agreed, an administrator sets it
    Door("GET", "staff.resellers", STAFF),
    Door("POST", "staff.reseller_open", ADMINS),
    Door("GET", "staff.reseller", STAFF, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.reseller_contact", ADMINS, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.reseller_policy", ADMINS, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.reseller_suspend", ADMINS, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.reseller_resume", ADMINS, {"slug": "inconnu"}, answers=NOT_FOUND),
    Door("POST", "staff.reseller_invite", ADMINS, {"slug": "inconnu"}, answers=NOT_FOUND),
    # The console of a reseller: its own people alone; no address names the reseller
    Door("GET", "reseller.clients", PARTNERS),
    Door("GET", "reseller.client", PARTNERS, {"reference": "CA-0"}, answers=NOT_FOUND),
    Door("GET", "reseller.client_new", PARTNER_AGENTS),
    Door("POST", "reseller.client_preview", PARTNER_AGENTS),
    Door("POST", "reseller.client_confirm", PARTNER_AGENTS),
    Door("GET", "reseller.bills", PARTNER_BUYERS),
    Door("GET", "reseller.bill_pdf", PARTNER_BUYERS, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("GET", "reseller.bill_xml", PARTNER_BUYERS, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("GET", "reseller.bill_csv", PARTNER_BUYERS, {"number": "F2026-00000"}, answers=NOT_FOUND),
    Door("GET", "reseller.connection", PARTNERS),
    Door("POST", "reseller.key_add", PARTNER_ADMINS),
    Door("GET", "reseller.key_confirm_revocation", PARTNER_ADMINS, {"kid": "inconnue"}, answers=NOT_FOUND),
    Door("POST", "reseller.key_revoke", PARTNER_ADMINS, {"kid": "inconnue"}, answers=NOT_FOUND),
    Door("POST", "reseller.origins_save", PARTNER_ADMINS),
    Door("GET", "reseller.embed_test", PARTNERS),
    Door("GET", "reseller.look", PARTNERS),
    Door("POST", "reseller.look_try", PARTNER_ADMINS),
    Door("POST", "reseller.look_save", PARTNER_ADMINS),
    Door("GET", "reseller.colleagues", PARTNERS),
    Door("POST", "reseller.colleague_invite", PARTNER_ADMINS),
    Door("POST", "reseller.colleague_invite_again", PARTNER_ADMINS, {"invitation_id": 0}, answers=NOT_FOUND),
    Door("POST", "reseller.colleague_take_back", PARTNER_ADMINS, {"invitation_id": 0}, answers=NOT_FOUND),
    Door(
        "POST",
        "reseller.colleague_role",
        PARTNER_ADMINS,
        {"membership_id": 0},
        form={"role": "reseller_reader"},
        answers=NOT_FOUND,
    ),
    Door(
        "GET",
        "reseller.colleague_confirm_removal",
        PARTNER_ADMINS,
        {"membership_id": 0},
        answers=NOT_FOUND,
    ),
    Door("POST", "reseller.colleague_remove", PARTNER_ADMINS, {"membership_id": 0}, answers=NOT_FOUND),
    # The looks of resellers are public, like any style sheet
    Door("GET", "themes.sheet", EVERYBODY, {"hashed": "inconnu"}, answers=NOT_FOUND),
    Door("GET", "themes.logo", EVERYBODY, {"hashed": "inconnu"}, answers=NOT_FOUND),
)
