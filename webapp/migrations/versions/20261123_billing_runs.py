"""billing runs: what each one did, and whom it set aside

Revision e27a5d41b8c9, after c4f19e2a7d60.
"""

import sqlalchemy as sa
from alembic import op

revision = 'e27a5d41b8c9'
down_revision = 'c4f19e2a7d60'
branch_labels = None
depends_on = None

number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('billing_runs',
    sa.Column('id', number, autoincrement=True, nullable=False),
    sa.Column('run_on', sa.Date(), nullable=False),
    sa.Column('account_reference', sa.String(length=60), nullable=True),
    sa.Column('status', sa.String(length=60), nullable=False),
    sa.Column('due', sa.Integer(), nullable=False),
    sa.Column('billed', sa.Integer(), nullable=False),
    sa.Column('skipped', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('documents', sa.Integer(), nullable=False),
    sa.Column('net_cents', number, nullable=False),
    sa.Column('vat_cents', number, nullable=False),
    sa.Column('total_cents', number, nullable=False),
    sa.Column('last_due_on', sa.Date(), nullable=True),
    sa.Column('last_subscription_id', sa.Uuid(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('running', 'done', 'stopped')", name=op.f('ck_billing_runs_known_status')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_billing_runs'))
    )
    op.create_table('billing_run_failures',
    sa.Column('id', number, autoincrement=True, nullable=False),
    sa.Column('run_id', number, nullable=False),
    sa.Column('subscription_id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.String(length=60), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('failed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['billing_runs.id'], name=op.f('fk_billing_run_failures_run_id')),
    sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('fk_billing_run_failures_subscription_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_billing_run_failures')),
    sa.UniqueConstraint('run_id', 'subscription_id', name=op.f('uq_billing_run_failures_run_id_subscription_id'))
    )
    op.create_index('ix_billing_run_failures_subscription_id', 'billing_run_failures', ['subscription_id'])


def downgrade() -> None:
    op.drop_table('billing_run_failures')
    op.drop_table('billing_runs')
