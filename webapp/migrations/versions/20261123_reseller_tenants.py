"""resellers: who is billed, what their clients see, origins, keys and themes

Those that are there keep what they had: their clients are billed, and see the reseller's prices and their invoices.

Revision 5e8f20c7a3d1, after c3f96d1e8b27.
"""

import sqlalchemy as sa
from alembic import op

revision = "5e8f20c7a3d1"
down_revision = "c3f96d1e8b27"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CHECKS = {
    "known_billed_party": "billed_party in ('client', 'reseller')",
    "known_prices_shown": "prices_shown in ('none', 'reseller_retail', 'public')",
    "known_invoices_shown": "invoices_shown in ('none', 'reseller', 'platform')",
    "known_role_cap": "role_cap in ('owner', 'administrator', 'viewer', 'accountant')",
}
CODES = {
    "billed_party": "client",
    "prices_shown": "reseller_retail",
    "invoices_shown": "platform",
    "role_cap": "administrator",
}


def upgrade() -> None:
    with op.batch_alter_table("resellers") as batch:
        batch.add_column(
            sa.Column("languages", sa.JSON(), nullable=False, server_default='["fr", "nl", "en"]')
        )
        for name, default in CODES.items():
            batch.add_column(sa.Column(name, sa.String(length=60), nullable=False, server_default=default))
        batch.add_column(sa.Column("allowed_origins", sa.JSON(), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("theme_hash", sa.String(length=64), nullable=True))
        for name, condition in CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_resellers_{name}"), condition)
    op.create_table(
        "reseller_keys",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.String(length=60), nullable=False),
        sa.Column("algorithm", sa.String(length=60), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "algorithm in ('EdDSA', 'ES256', 'HS256')", name=op.f("ck_reseller_keys_known_algorithm")
        ),
        sa.CheckConstraint(
            "(algorithm = 'HS256' and sealed_secret is not null and public_key is null)"
            " or (algorithm <> 'HS256' and public_key is not null and sealed_secret is null)",
            name=op.f("ck_reseller_keys_one_secret_or_one_public_key"),
        ),
        sa.ForeignKeyConstraint(
            ["reseller_id"], ["resellers.id"], name=op.f("fk_reseller_keys_reseller_id_resellers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reseller_keys")),
        sa.UniqueConstraint("reseller_id", "kid", name=op.f("uq_reseller_keys_reseller_id_kid")),
    )
    op.create_table(
        "reseller_themes",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("css", sa.Text(), nullable=False),
        sa.Column("logo", sa.LargeBinary(), nullable=True),
        sa.Column("logo_type", sa.String(length=60), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reseller_id"], ["resellers.id"], name=op.f("fk_reseller_themes_reseller_id_resellers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reseller_themes")),
        sa.UniqueConstraint("reseller_id", "hash", name=op.f("uq_reseller_themes_reseller_id_hash")),
    )
    op.create_index(op.f("ix_reseller_themes_hash"), "reseller_themes", ["hash"])


def downgrade() -> None:
    op.drop_table("reseller_themes")
    op.drop_table("reseller_keys")
    with op.batch_alter_table("resellers") as batch:
        for name in CHECKS:
            batch.drop_constraint(op.f(f"ck_resellers_{name}"), type_="check")
        for name in ("theme_hash", "allowed_origins", *reversed(CODES), "languages"):
            batch.drop_column(name)
