"""resellers: people of their own, invited by mail, and a day since which one is suspended

Invitations lead into an account or among a reseller's people.

Revision 7d2c94b1e6f8, after 9b1d47e6f0a2.
"""

import sqlalchemy as sa
from alembic import op

revision = "7d2c94b1e6f8"
down_revision = "9b1d47e6f0a2"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ACCOUNT_ROLES = "role in ('owner', 'administrator', 'viewer', 'accountant')"
RESELLER_ROLES = "role in ('reseller_admin', 'reseller_agent', 'reseller_reader')"
EITHER = (
    f"(account_id is not null and reseller_id is null and {ACCOUNT_ROLES})"
    f" or (account_id is null and reseller_id is not null and {RESELLER_ROLES})"
)


def upgrade() -> None:
    with op.batch_alter_table("resellers") as batch:
        batch.add_column(sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "reseller_memberships",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reseller_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(RESELLER_ROLES, name=op.f("ck_reseller_memberships_known_role")),
        sa.ForeignKeyConstraint(
            ["reseller_id"], ["resellers.id"], name=op.f("fk_reseller_memberships_reseller_id_resellers")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_reseller_memberships_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reseller_memberships")),
        sa.UniqueConstraint("user_id", name=op.f("uq_reseller_memberships_user_id")),
    )
    op.create_index(
        op.f("ix_reseller_memberships_reseller_id"), "reseller_memberships", ["reseller_id"]
    )
    with op.batch_alter_table("invitations") as batch:
        batch.alter_column("account_id", existing_type=sa.Uuid(), nullable=True)
        batch.add_column(sa.Column("reseller_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_invitations_reseller_id_resellers"), "resellers", ["reseller_id"], ["id"]
        )
        batch.create_index(op.f("ix_invitations_reseller_id"), ["reseller_id"])
        batch.drop_constraint(op.f("ck_invitations_known_role"), type_="check")
        batch.create_check_constraint(op.f("ck_invitations_known_role"), EITHER)


def downgrade() -> None:
    op.execute("delete from invitations where account_id is null")
    with op.batch_alter_table("invitations") as batch:
        batch.drop_constraint(op.f("ck_invitations_known_role"), type_="check")
        batch.create_check_constraint(op.f("ck_invitations_known_role"), ACCOUNT_ROLES)
        batch.drop_index(op.f("ix_invitations_reseller_id"))
        batch.drop_constraint(op.f("fk_invitations_reseller_id_resellers"), type_="foreignkey")
        batch.drop_column("reseller_id")
        batch.alter_column("account_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_table("reseller_memberships")
    with op.batch_alter_table("resellers") as batch:
        batch.drop_column("suspended_at")
