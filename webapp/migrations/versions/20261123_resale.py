"""resale: wholesale prices, what clients of a billed reseller use, and its document of the month

Revision 9b1d47e6f0a2, after b81d4f60a2c7.
"""

import sqlalchemy as sa
from alembic import op

revision = "9b1d47e6f0a2"
down_revision = "b81d4f60a2c7"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _code(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=60), nullable=nullable)


def _key(table: str) -> tuple[sa.Column[int], sa.PrimaryKeyConstraint]:
    return (
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _points(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}"))


def upgrade() -> None:
    op.create_table(
        "wholesale_prices",
        *_key("wholesale_prices"),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        _code("item"),
        _code("ref"),
        _code("frequency"),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("from_unit", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_wholesale_prices_amount_not_negative")),
        sa.CheckConstraint(
            "frequency in ('monthly', 'annual', 'once')", name=op.f("ck_wholesale_prices_known_frequency")
        ),
        sa.CheckConstraint(
            "item in ('plan', 'option', 'one_off', 'establishment')",
            name=op.f("ck_wholesale_prices_known_item"),
        ),
        _points("wholesale_prices", "reseller_id", "resellers"),
        sa.UniqueConstraint(
            "reseller_id",
            "item",
            "ref",
            "frequency",
            "currency",
            "from_unit",
            "valid_from",
            name=op.f("uq_wholesale_prices_reseller_id_item_ref_frequency_currency_from_unit_valid_from"),
        ),
    )
    op.create_table(
        "reseller_accounts",
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        _points("reseller_accounts", "reseller_id", "resellers"),
        _points("reseller_accounts", "account_id", "accounts"),
        sa.PrimaryKeyConstraint("reseller_id", name=op.f("pk_reseller_accounts")),
        sa.UniqueConstraint("account_id", name=op.f("uq_reseller_accounts_account_id")),
    )
    op.create_table(
        "resale_lines",
        *_key("resale_lines"),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        _code("reason"),
        _code("run_kind", nullable=True),
        sa.Column("run_on", sa.Date(), nullable=True),
        sa.Column("charged_on", sa.Date(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _code("item"),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("establishment_id", sa.Uuid(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("whole_start", sa.Date(), nullable=False),
        sa.Column("whole_end", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("unit_cents", sa.Integer(), nullable=False),
        sa.Column("net_cents", sa.Integer(), nullable=False),
        sa.Column("wholesale_unit_cents", sa.Integer(), nullable=False),
        sa.Column("wholesale_cents", sa.Integer(), nullable=False),
        sa.Column("vat_rate", sa.String(), nullable=False),
        _code("vat_category"),
        sa.Column("root_id", NUMBER, nullable=True),
        sa.Column("invoice_line_id", NUMBER, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _points("resale_lines", "reseller_id", "resellers"),
        _points("resale_lines", "account_id", "accounts"),
        _points("resale_lines", "subscription_id", "subscriptions"),
        _points("resale_lines", "establishment_id", "establishments"),
        _points("resale_lines", "root_id", "resale_lines"),
        _points("resale_lines", "invoice_line_id", "invoice_lines"),
        sa.UniqueConstraint(
            "subscription_id",
            "run_kind",
            "run_on",
            "position",
            name=op.f("uq_resale_lines_subscription_id_run_kind_run_on_position"),
        ),
        sa.UniqueConstraint("invoice_line_id", name=op.f("uq_resale_lines_invoice_line_id")),
    )
    op.create_index("ix_resale_lines_waiting", "resale_lines", ["reseller_id", "invoice_line_id"])
    op.create_index(
        "ix_resale_lines_subscription_period_end", "resale_lines", ["subscription_id", "period_end"]
    )
    op.create_index(op.f("ix_resale_lines_account_id"), "resale_lines", ["account_id"])
    op.create_index(op.f("ix_resale_lines_root_id"), "resale_lines", ["root_id"])
    op.create_table(
        "reseller_invoices",
        *_key("reseller_invoices"),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("invoice_id", NUMBER, nullable=False),
        _points("reseller_invoices", "reseller_id", "resellers"),
        _points("reseller_invoices", "invoice_id", "invoices"),
        sa.UniqueConstraint("reseller_id", "month", name=op.f("uq_reseller_invoices_reseller_id_month")),
        sa.UniqueConstraint("invoice_id", name=op.f("uq_reseller_invoices_invoice_id")),
    )


def downgrade() -> None:
    op.drop_table("reseller_invoices")
    op.drop_table("resale_lines")
    op.drop_table("reseller_accounts")
    op.drop_table("wholesale_prices")
