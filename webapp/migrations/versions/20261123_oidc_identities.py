"""identity provider of the team: whose account there is whose, and sessions that it asked a second step for

Revision 5c0e8d72b1f9, after c58e20a7d1f4.
"""

import sqlalchemy as sa
from alembic import op

revision = "5c0e8d72b1f9"
down_revision = "c58e20a7d1f4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_identities",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oidc_identities_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_oidc_identities_issuer_subject")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_oidc_identities_user_id_issuer")),
    )
    op.add_column(
        "login_sessions",
        sa.Column("has_second_step", sa.Boolean(), server_default=sa.false(), nullable=False),
    )


def downgrade() -> None:
    with op.batch_alter_table("login_sessions") as batch:
        batch.drop_column("has_second_step")
    op.drop_table("oidc_identities")
