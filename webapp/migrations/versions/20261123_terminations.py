"""terminations: announcements sent once, acknowledgements kept, documents attached to mails

Revision c4f19e2a7d60, after 8a41c0d7be15.
"""

import sqlalchemy as sa
from alembic import op

revision = 'c4f19e2a7d60'
down_revision = 'c3d90b5e7f21'
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table(
        'announcements',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('subscription_id', sa.Uuid(), nullable=False),
        sa.Column('kind', sa.String(length=60), nullable=False),
        sa.Column('deadline_on', sa.Date(), nullable=False),
        sa.Column('days_before', sa.Integer(), nullable=False),
        sa.Column('noted_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['subscription_id'], ['subscriptions.id'], name=op.f('fk_announcements_subscription_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_announcements')),
        sa.UniqueConstraint(
            'subscription_id', 'kind', 'deadline_on', 'days_before',
            name=op.f('uq_announcements_subscription_id_kind_deadline_on_days_before'),
        ),
    )
    op.create_table(
        'acknowledgements',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('change_id', NUMBER, nullable=False),
        sa.Column('filename', sa.String(), nullable=False),
        sa.Column('media_type', sa.String(length=60), nullable=False),
        sa.Column('language', sa.String(length=60), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['change_id'], ['scheduled_changes.id'], name=op.f('fk_acknowledgements_change_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_acknowledgements')),
        sa.UniqueConstraint('change_id', name=op.f('uq_acknowledgements_change_id')),
    )
    op.create_table(
        'outbox_attachments',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('message_id', NUMBER, nullable=False),
        sa.Column('filename', sa.String(), nullable=False),
        sa.Column('media_type', sa.String(length=60), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(['message_id'], ['outbox_messages.id'], name=op.f('fk_outbox_attachments_message_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_attachments')),
    )
    op.create_index(op.f('ix_outbox_attachments_message_id'), 'outbox_attachments', ['message_id'])


def downgrade() -> None:
    op.drop_index(op.f('ix_outbox_attachments_message_id'), table_name='outbox_attachments')
    op.drop_table('outbox_attachments')
    op.drop_table('acknowledgements')
    op.drop_table('announcements')
