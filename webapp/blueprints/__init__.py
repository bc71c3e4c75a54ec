"""The doors. Each package here exposes `bp`; doors never import each other."""

# Names of the packages to register, in the order in which their addresses are listed.
DOORS: tuple[str, ...] = (
    "personal_data",
    "help",
    "history",
    "users",
    "account",
    "billing_details",
    "subscriptions",
    "options",
    "establishments",
    "invoices",
    "payment",
    "contract",
    "checkout",
    "staff",
    "reseller",
    "api",
    "themes",
    "embed",
)
