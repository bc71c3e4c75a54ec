"""Which addresses of the portal open inside a reseller's page, and which only in the portal itself.

What gives a way to pay, people, or all the data of an account asks for a sign-in of its own: a page that is framed
may be made to mislead, and the reseller's assertion says who somebody is, not that they are at the keyboard.
Whatever is in neither list does not exist in the embed: a test holds the lists to the addresses of the portal.
"""

OPEN_BLUEPRINTS = frozenset(
    {"subscriptions", "options", "establishments", "invoices", "contract", "history", "help"}
)
OPEN = frozenset(
    {
        "account.home",
        "billing_details.edit",
        "billing_details.save",
        "billing_details.resend_check",
        "billing_details.cancel_check",
        "embed.open_session",
        "embed.write_ticket",
        "payment.edit",
    }
)
HOSTED_BLUEPRINTS = frozenset({"payment", "checkout", "users", "personal_data"})
# The team answers payment providers and shows demonstration pages there: no client of a reseller comes by them.
NOWHERE = frozenset(
    {"checkout.notice", "checkout.demo_page", "checkout.demo_answer", "users.invitation", "users.join"}
)
# What a ticket may open: files, which leave the frame as they are.
FILES = frozenset(
    {
        "contract.acknowledgement",
        "contract.calendar_file",
        "establishments.file_template",
        "invoices.accountant_csv",
        "invoices.archive",
        "invoices.pdf",
        "invoices.ubl",
    }
)


def is_open(endpoint: str) -> bool:
    """Whether this address answers inside the embed."""
    return endpoint in OPEN or _blueprint(endpoint) in OPEN_BLUEPRINTS


def is_hosted(endpoint: str) -> bool:
    """Whether the embed answers with a link to the portal, where one signs in afresh."""
    return not is_open(endpoint) and endpoint not in NOWHERE and _blueprint(endpoint) in HOSTED_BLUEPRINTS


def _blueprint(endpoint: str) -> str:
    return endpoint.partition(".")[0]
