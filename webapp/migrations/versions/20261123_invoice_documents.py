"""documents: the PDF and the UBL of each invoice, kept as made, with what the rules said and where they went

Revision c3d90b5e7f21, after 8a41c0d7be15.
"""

import sqlalchemy as sa
from alembic import op

revision = 'c3d90b5e7f21'
down_revision = '91d3c6a58e07'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('invoice_documents',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('invoice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('channel', sa.String(length=60), nullable=False),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('pdf', sa.LargeBinary(), nullable=False),
    sa.Column('pdf_sha256', sa.String(length=64), nullable=False),
    sa.Column('ubl', sa.LargeBinary(), nullable=False),
    sa.Column('ubl_sha256', sa.String(length=64), nullable=False),
    sa.Column('rules_version', sa.String(), nullable=True),
    sa.Column('findings', sa.JSON(), nullable=False),
    sa.Column('transmission_id', sa.String(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('queued_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('retain_until', sa.Date(), nullable=False),
    sa.CheckConstraint("channel in ('peppol', 'mail')", name=op.f('ck_invoice_documents_known_channel')),
    sa.CheckConstraint(
        "state in ('ready', 'validated', 'queued', 'sent', 'delivered', 'rejected', 'failed', 'held')",
        name=op.f('ck_invoice_documents_known_state'),
    ),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_invoice_documents_invoice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_invoice_documents')),
    sa.UniqueConstraint('invoice_id', name=op.f('uq_invoice_documents_invoice_id'))
    )
    op.create_index('ix_invoice_documents_state_id', 'invoice_documents', ['state', 'id'])


def downgrade() -> None:
    op.drop_table('invoice_documents')
