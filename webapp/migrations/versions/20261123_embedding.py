"""embed: assertions used up, sessions without cookie, one-time addresses

Revision 7b1d4e9a60f2, after d2f7b6a0e915.
"""

import sqlalchemy as sa
from alembic import op

revision = '7b1d4e9a60f2'
down_revision = 'd2f7b6a0e915'
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table(
        'embed_assertions',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('reseller_id', sa.Uuid(), nullable=False),
        sa.Column('jti', sa.String(length=100), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['reseller_id'], ['resellers.id'], name=op.f('fk_embed_assertions_reseller_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_embed_assertions')),
        sa.UniqueConstraint('reseller_id', 'jti', name=op.f('uq_embed_assertions_reseller_id_jti')),
    )
    op.create_index('ix_embed_assertions_used_at', 'embed_assertions', ['used_at'])
    op.create_table(
        'embed_sessions',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('token_hash', sa.String(length=64), nullable=False),
        sa.Column('reseller_id', sa.Uuid(), nullable=False),
        sa.Column('key_id', NUMBER, nullable=False),
        sa.Column('account_id', sa.Uuid(), nullable=False),
        sa.Column('user_id', sa.Uuid(), nullable=False),
        sa.Column('role', sa.String(length=60), nullable=False),
        sa.Column('origin', sa.String(), nullable=False),
        sa.Column('language', sa.String(length=60), nullable=False),
        sa.Column('state', sa.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('ip_address', sa.String(length=45), nullable=False),
        sa.Column('user_agent', sa.String(length=400), nullable=False),
        sa.CheckConstraint("role in ('owner', 'administrator', 'viewer', 'accountant')", name=op.f('ck_embed_sessions_known_role')),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_embed_sessions_account_id')),
        sa.ForeignKeyConstraint(['key_id'], ['reseller_keys.id'], name=op.f('fk_embed_sessions_key_id')),
        sa.ForeignKeyConstraint(['reseller_id'], ['resellers.id'], name=op.f('fk_embed_sessions_reseller_id')),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_embed_sessions_user_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_embed_sessions')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_embed_sessions_token_hash')),
    )
    op.create_index(op.f('ix_embed_sessions_account_id'), 'embed_sessions', ['account_id'])
    op.create_index(op.f('ix_embed_sessions_reseller_id'), 'embed_sessions', ['reseller_id'])
    op.create_table(
        'embed_tickets',
        sa.Column('id', NUMBER, autoincrement=True, nullable=False),
        sa.Column('token_hash', sa.String(length=64), nullable=False),
        sa.Column('embed_session_id', NUMBER, nullable=False),
        sa.Column('address', sa.String(length=1000), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['embed_session_id'], ['embed_sessions.id'], name=op.f('fk_embed_tickets_embed_session_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_embed_tickets')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_embed_tickets_token_hash')),
    )
    op.create_index(op.f('ix_embed_tickets_embed_session_id'), 'embed_tickets', ['embed_session_id'])


def downgrade() -> None:
    op.drop_table('embed_tickets')
    op.drop_table('embed_sessions')
    op.drop_table('embed_assertions')
