"""getting paid: methods, mandates, collections, bank files, reminders, suspensions, events and their receivers

Revision c1a645e24b5c, after c41f7e08b2da.
"""

import sqlalchemy as sa
from alembic import op

revision = 'c1a645e24b5c'
down_revision = 'c41f7e08b2da'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('bank_files',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('filename', sa.String(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('received_by', sa.String(), nullable=False),
    sa.Column('entry_count', sa.Integer(), nullable=False),
    sa.Column('new_count', sa.Integer(), nullable=False),
    sa.Column('matched_count', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bank_files')),
    sa.UniqueConstraint('sha256', name=op.f('uq_bank_files_sha256'))
    )
    op.create_table('debit_batches',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('message_id', sa.String(length=35), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('made_on', sa.Date(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('total_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('downloaded_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_debit_batches')),
    sa.UniqueConstraint('message_id', name=op.f('uq_debit_batches_message_id'))
    )
    op.create_table('late_interest_rates',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_kind', sa.String(length=60), nullable=False),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('percent', sa.String(length=10), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_late_interest_rates')),
    sa.UniqueConstraint('account_kind', 'valid_from', name=op.f('uq_late_interest_rates_account_kind_valid_from'))
    )
    op.create_table('provider_events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('provider', sa.String(length=60), nullable=False),
    sa.Column('event_id', sa.String(length=255), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('handled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_provider_events')),
    sa.UniqueConstraint('provider', 'event_id', name=op.f('uq_provider_events_provider_event_id'))
    )
    with op.batch_alter_table('provider_events', schema=None) as batch_op:
        batch_op.create_index('ix_provider_events_unhandled', ['handled_at', 'id'], unique=False)

    op.create_table('api_consumers',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('reseller_id', sa.Uuid(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['reseller_id'], ['resellers.id'], name=op.f('fk_api_consumers_reseller_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_consumers')),
    sa.UniqueConstraint('name', name=op.f('uq_api_consumers_name'))
    )
    with op.batch_alter_table('api_consumers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_consumers_reseller_id'), ['reseller_id'], unique=False)

    op.create_table('dunning_policies',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_kind', sa.String(length=60), nullable=True),
    sa.Column('reseller_id', sa.Uuid(), nullable=True),
    sa.Column('valid_from', sa.Date(), nullable=False),
    sa.Column('ladder', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['reseller_id'], ['resellers.id'], name=op.f('fk_dunning_policies_reseller_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dunning_policies')),
    sa.UniqueConstraint('account_kind', 'reseller_id', 'valid_from', name=op.f('uq_dunning_policies_account_kind_reseller_id_valid_from'))
    )
    op.create_table('api_keys',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('consumer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('prefix', sa.String(length=12), nullable=False),
    sa.Column('key_hash', sa.String(length=64), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['consumer_id'], ['api_consumers.id'], name=op.f('fk_api_keys_consumer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('key_hash', name=op.f('uq_api_keys_key_hash'))
    )
    with op.batch_alter_table('api_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_api_keys_consumer_id'), ['consumer_id'], unique=False)

    op.create_table('bank_entries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('file_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('key', sa.String(length=140), nullable=False),
    sa.Column('booked_on', sa.Date(), nullable=False),
    sa.Column('valued_on', sa.Date(), nullable=False),
    sa.Column('amount_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('counterpart_name', sa.String(), nullable=False),
    sa.Column('counterpart_iban_sealed', sa.Text(), nullable=True),
    sa.Column('counterpart_last_four', sa.String(length=4), nullable=False),
    sa.Column('ogm', sa.String(length=12), nullable=True),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('end_to_end_id', sa.String(length=35), nullable=True),
    sa.Column('reason_code', sa.String(length=60), nullable=True),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=True),
    sa.Column('resolved_by', sa.String(), nullable=True),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('matched', 'unmatched', 'ignored', 'alert')", name=op.f('ck_bank_entries_known_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_bank_entries_account_id')),
    sa.ForeignKeyConstraint(['file_id'], ['bank_files.id'], name=op.f('fk_bank_entries_file_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bank_entries')),
    sa.UniqueConstraint('key', name=op.f('uq_bank_entries_key'))
    )
    with op.batch_alter_table('bank_entries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_bank_entries_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_bank_entries_file_id'), ['file_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_bank_entries_ogm'), ['ogm'], unique=False)
        batch_op.create_index('ix_bank_entries_state', ['state', 'id'], unique=False)

    op.create_table('checkout_sessions',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('purpose', sa.String(length=60), nullable=False),
    sa.Column('provider', sa.String(length=60), nullable=False),
    sa.Column('provider_reference', sa.String(length=255), nullable=True),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('invoice_ids', sa.JSON(), nullable=False),
    sa.Column('amount_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('failure', sa.String(), nullable=True),
    sa.Column('opened_by', sa.String(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_checkout_sessions_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_checkout_sessions')),
    sa.UniqueConstraint('key', name=op.f('uq_checkout_sessions_key')),
    sa.UniqueConstraint('provider_reference', name=op.f('uq_checkout_sessions_provider_reference'))
    )
    with op.batch_alter_table('checkout_sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_checkout_sessions_account_id'), ['account_id'], unique=False)

    op.create_table('dunning_cases',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('opened_on', sa.Date(), nullable=False),
    sa.Column('anchored_on', sa.Date(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_dunning_cases_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dunning_cases'))
    )
    with op.batch_alter_table('dunning_cases', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dunning_cases_account_id'), ['account_id'], unique=False)
        batch_op.create_index('uq_dunning_cases_open', ['account_id'], unique=True, sqlite_where=sa.text('closed_at is null'), postgresql_where=sa.text('closed_at is null'))

    op.create_table('events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('key', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_events_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_events')),
    sa.UniqueConstraint('key', name=op.f('uq_events_key'))
    )
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_index('ix_events_account', ['account_id', 'id'], unique=False)

    op.create_table('payment_methods',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('is_primary', sa.Boolean(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('provider', sa.String(length=60), nullable=False),
    sa.Column('provider_customer', sa.String(), nullable=False),
    sa.Column('provider_reference', sa.String(), nullable=False),
    sa.Column('last_four', sa.String(length=4), nullable=False),
    sa.Column('expires_on', sa.Date(), nullable=True),
    sa.Column('blocked_reason', sa.String(length=60), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind in ('transfer', 'direct_debit', 'card')", name=op.f('ck_payment_methods_known_kind')),
    sa.CheckConstraint("state in ('pending', 'active', 'blocked', 'expired', 'closed')", name=op.f('ck_payment_methods_known_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_payment_methods_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_methods'))
    )
    with op.batch_alter_table('payment_methods', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payment_methods_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payment_methods_provider_reference'), ['provider_reference'], unique=False)
        batch_op.create_index('uq_payment_methods_primary', ['account_id'], unique=True, sqlite_where=sa.text('is_primary'), postgresql_where=sa.text('is_primary'))

    op.create_table('restoration_passes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('made_by', sa.String(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_restoration_passes_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_restoration_passes'))
    )
    with op.batch_alter_table('restoration_passes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_restoration_passes_account_id'), ['account_id'], unique=False)

    op.create_table('suspensions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('cause', sa.String(length=60), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_by', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('unpaid', sa.JSON(), nullable=False),
    sa.Column('lifted_on', sa.Date(), nullable=True),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_by', sa.String(), nullable=True),
    sa.Column('lifted_reason', sa.String(), nullable=False),
    sa.CheckConstraint("cause in ('unpaid', 'staff')", name=op.f('ck_suspensions_known_cause')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_suspensions_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suspensions'))
    )
    with op.batch_alter_table('suspensions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_suspensions_account_id'), ['account_id'], unique=False)
        batch_op.create_index('uq_suspensions_open', ['account_id', 'cause'], unique=True, sqlite_where=sa.text('lifted_at is null'), postgresql_where=sa.text('lifted_at is null'))

    op.create_table('webhook_endpoints',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('consumer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('kinds', sa.JSON(), nullable=False),
    sa.Column('secret_sealed', sa.Text(), nullable=False),
    sa.Column('former_secret_sealed', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['consumer_id'], ['api_consumers.id'], name=op.f('fk_webhook_endpoints_consumer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_endpoints'))
    )
    with op.batch_alter_table('webhook_endpoints', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_webhook_endpoints_consumer_id'), ['consumer_id'], unique=False)

    op.create_table('dunning_steps',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('case_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('template', sa.String(length=60), nullable=False),
    sa.Column('sent_on', sa.Date(), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('invoices', sa.JSON(), nullable=False),
    sa.Column('fee_cents', sa.Integer(), nullable=False),
    sa.Column('interest_cents', sa.Integer(), nullable=False),
    sa.Column('legal', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_dunning_steps_account_id')),
    sa.ForeignKeyConstraint(['case_id'], ['dunning_cases.id'], name=op.f('fk_dunning_steps_case_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dunning_steps')),
    sa.UniqueConstraint('case_id', 'round', 'position', name=op.f('uq_dunning_steps_case_id_round_position'))
    )
    with op.batch_alter_table('dunning_steps', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dunning_steps_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_dunning_steps_case_id'), ['case_id'], unique=False)

    op.create_table('mandates',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('method_id', sa.Uuid(), nullable=False),
    sa.Column('reference', sa.String(length=35), nullable=False),
    sa.Column('scheme', sa.String(length=60), nullable=False),
    sa.Column('creditor_id', sa.String(length=35), nullable=False),
    sa.Column('debtor_name', sa.String(length=140), nullable=False),
    sa.Column('iban_sealed', sa.Text(), nullable=False),
    sa.Column('iban_last_four', sa.String(length=4), nullable=False),
    sa.Column('bic', sa.String(length=11), nullable=False),
    sa.Column('bank', sa.String(), nullable=False),
    sa.Column('status', sa.String(length=60), nullable=False),
    sa.Column('signed_on', sa.Date(), nullable=False),
    sa.Column('signed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('evidence', sa.JSON(), nullable=False),
    sa.Column('amendment', sa.JSON(), nullable=True),
    sa.Column('pre_notification_days', sa.Integer(), nullable=False),
    sa.Column('first_used_on', sa.Date(), nullable=True),
    sa.Column('last_used_on', sa.Date(), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("status in ('active', 'suspended', 'cancelled', 'expired')", name=op.f('ck_mandates_known_status')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_mandates_account_id')),
    sa.ForeignKeyConstraint(['method_id'], ['payment_methods.id'], name=op.f('fk_mandates_method_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mandates')),
    sa.UniqueConstraint('method_id', name=op.f('uq_mandates_method_id')),
    sa.UniqueConstraint('reference', name=op.f('uq_mandates_reference'))
    )
    with op.batch_alter_table('mandates', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_mandates_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_mandates_iban_last_four'), ['iban_last_four'], unique=False)

    op.create_table('webhook_deliveries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('event_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('endpoint_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('delivered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_status', sa.Integer(), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['endpoint_id'], ['webhook_endpoints.id'], name=op.f('fk_webhook_deliveries_endpoint_id')),
    sa.ForeignKeyConstraint(['event_id'], ['events.id'], name=op.f('fk_webhook_deliveries_event_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_deliveries')),
    sa.UniqueConstraint('event_id', 'endpoint_id', name=op.f('uq_webhook_deliveries_event_id_endpoint_id'))
    )
    with op.batch_alter_table('webhook_deliveries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_webhook_deliveries_endpoint_id'), ['endpoint_id'], unique=False)
        batch_op.create_index('ix_webhook_deliveries_state_next', ['state', 'next_at'], unique=False)

    op.create_table('collections',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('method_id', sa.Uuid(), nullable=False),
    sa.Column('mandate_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('end_to_end_id', sa.String(length=35), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('amount_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('sequence', sa.String(length=4), nullable=True),
    sa.Column('requested_on', sa.Date(), nullable=False),
    sa.Column('notified_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.String(length=60), nullable=False),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.Column('provider_reference', sa.String(), nullable=True),
    sa.Column('reason_code', sa.String(length=60), nullable=True),
    sa.Column('retry_on', sa.Date(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state in ('planned', 'sent', 'settled', 'refused', 'returned', 'refunded', 'cancelled')", name=op.f('ck_collections_known_state')),
    sa.CheckConstraint('amount_cents > 0', name=op.f('ck_collections_amount_positive')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_collections_account_id')),
    sa.ForeignKeyConstraint(['batch_id'], ['debit_batches.id'], name=op.f('fk_collections_batch_id')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_collections_invoice_id')),
    sa.ForeignKeyConstraint(['mandate_id'], ['mandates.id'], name=op.f('fk_collections_mandate_id')),
    sa.ForeignKeyConstraint(['method_id'], ['payment_methods.id'], name=op.f('fk_collections_method_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_collections')),
    sa.UniqueConstraint('end_to_end_id', name=op.f('uq_collections_end_to_end_id'))
    )
    with op.batch_alter_table('collections', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_collections_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_collections_batch_id'), ['batch_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_collections_invoice_id'), ['invoice_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_collections_provider_reference'), ['provider_reference'], unique=False)
        batch_op.create_index('ix_collections_state_requested', ['state', 'requested_on', 'id'], unique=False)
        batch_op.create_index('uq_collections_open', ['invoice_id'], unique=True, sqlite_where=sa.text('is_open'), postgresql_where=sa.text('is_open'))

    op.create_table('dunning_holds',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('kind', sa.String(length=60), nullable=False),
    sa.Column('from_on', sa.Date(), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=True),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('made_by', sa.String(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lifted_by', sa.String(), nullable=True),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind in ('hold', 'dispute')", name=op.f('ck_dunning_holds_known_kind')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_dunning_holds_account_id')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_dunning_holds_invoice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dunning_holds'))
    )
    with op.batch_alter_table('dunning_holds', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dunning_holds_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_dunning_holds_invoice_id'), ['invoice_id'], unique=False)

    op.create_table('transfer_announcements',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('invoice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('announced_on', sa.Date(), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=False),
    sa.Column('announced_by', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_transfer_announcements_account_id')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoices.id'], name=op.f('fk_transfer_announcements_invoice_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfer_announcements')),
    sa.UniqueConstraint('invoice_id', 'announced_on', name=op.f('uq_transfer_announcements_invoice_id_announced_on'))
    )
    with op.batch_alter_table('transfer_announcements', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_transfer_announcements_account_id'), ['account_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_transfer_announcements_invoice_id'), ['invoice_id'], unique=False)

    with op.batch_alter_table('accounts', schema=None) as batch_op:
        batch_op.add_column(sa.Column('suspended_on', sa.Date(), nullable=True))

    with op.batch_alter_table('credit_balance_entries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('payment_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.alter_column('invoice_id',
               existing_type=sa.INTEGER(),
               nullable=True)
        batch_op.create_foreign_key(batch_op.f('fk_credit_balance_entries_payment_id'), 'payments', ['payment_id'], ['id'])

    with op.batch_alter_table('payments', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source', sa.String(length=180), nullable=True))
        batch_op.add_column(sa.Column('collection_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.add_column(sa.Column('reversal_of_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.add_column(sa.Column('reason_code', sa.String(length=60), nullable=True))
        batch_op.alter_column('invoice_id',
               existing_type=sa.INTEGER(),
               nullable=True)
        batch_op.create_index(batch_op.f('ix_payments_collection_id'), ['collection_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_reversal_of_id'), ['reversal_of_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_source'), ['source'], unique=False)
        batch_op.create_unique_constraint(batch_op.f('uq_payments_source_invoice_id'), ['source', 'invoice_id'])
        batch_op.create_index('uq_payments_source_surplus', ['source'], unique=True, sqlite_where=sa.text('invoice_id is null'), postgresql_where=sa.text('invoice_id is null'))
        batch_op.create_foreign_key(batch_op.f('fk_payments_reversal_of_id'), 'payments', ['reversal_of_id'], ['id'])
        batch_op.create_foreign_key(batch_op.f('fk_payments_collection_id'), 'collections', ['collection_id'], ['id'])



def downgrade() -> None:
    with op.batch_alter_table('payments', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_payments_collection_id'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('fk_payments_reversal_of_id'), type_='foreignkey')
        batch_op.drop_index('uq_payments_source_surplus', sqlite_where=sa.text('invoice_id is null'), postgresql_where=sa.text('invoice_id is null'))
        batch_op.drop_constraint(batch_op.f('uq_payments_source_invoice_id'), type_='unique')
        batch_op.drop_index(batch_op.f('ix_payments_source'))
        batch_op.drop_index(batch_op.f('ix_payments_reversal_of_id'))
        batch_op.drop_index(batch_op.f('ix_payments_collection_id'))
        batch_op.alter_column('invoice_id',
               existing_type=sa.INTEGER(),
               nullable=False)
        batch_op.drop_column('reason_code')
        batch_op.drop_column('reversal_of_id')
        batch_op.drop_column('collection_id')
        batch_op.drop_column('source')

    with op.batch_alter_table('credit_balance_entries', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_credit_balance_entries_payment_id'), type_='foreignkey')
        batch_op.alter_column('invoice_id',
               existing_type=sa.INTEGER(),
               nullable=False)
        batch_op.drop_column('payment_id')

    with op.batch_alter_table('accounts', schema=None) as batch_op:
        batch_op.drop_column('suspended_on')

    with op.batch_alter_table('transfer_announcements', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_transfer_announcements_invoice_id'))
        batch_op.drop_index(batch_op.f('ix_transfer_announcements_account_id'))

    op.drop_table('transfer_announcements')
    with op.batch_alter_table('dunning_holds', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dunning_holds_invoice_id'))
        batch_op.drop_index(batch_op.f('ix_dunning_holds_account_id'))

    op.drop_table('dunning_holds')
    with op.batch_alter_table('collections', schema=None) as batch_op:
        batch_op.drop_index('uq_collections_open', sqlite_where=sa.text('is_open'), postgresql_where=sa.text('is_open'))
        batch_op.drop_index('ix_collections_state_requested')
        batch_op.drop_index(batch_op.f('ix_collections_provider_reference'))
        batch_op.drop_index(batch_op.f('ix_collections_invoice_id'))
        batch_op.drop_index(batch_op.f('ix_collections_batch_id'))
        batch_op.drop_index(batch_op.f('ix_collections_account_id'))

    op.drop_table('collections')
    with op.batch_alter_table('webhook_deliveries', schema=None) as batch_op:
        batch_op.drop_index('ix_webhook_deliveries_state_next')
        batch_op.drop_index(batch_op.f('ix_webhook_deliveries_endpoint_id'))

    op.drop_table('webhook_deliveries')
    with op.batch_alter_table('mandates', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_mandates_iban_last_four'))
        batch_op.drop_index(batch_op.f('ix_mandates_account_id'))

    op.drop_table('mandates')
    with op.batch_alter_table('dunning_steps', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dunning_steps_case_id'))
        batch_op.drop_index(batch_op.f('ix_dunning_steps_account_id'))

    op.drop_table('dunning_steps')
    with op.batch_alter_table('webhook_endpoints', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhook_endpoints_consumer_id'))

    op.drop_table('webhook_endpoints')
    with op.batch_alter_table('suspensions', schema=None) as batch_op:
        batch_op.drop_index('uq_suspensions_open', sqlite_where=sa.text('lifted_at is null'), postgresql_where=sa.text('lifted_at is null'))
        batch_op.drop_index(batch_op.f('ix_suspensions_account_id'))

    op.drop_table('suspensions')
    with op.batch_alter_table('restoration_passes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_restoration_passes_account_id'))

    op.drop_table('restoration_passes')
    with op.batch_alter_table('payment_methods', schema=None) as batch_op:
        batch_op.drop_index('uq_payment_methods_primary', sqlite_where=sa.text('is_primary'), postgresql_where=sa.text('is_primary'))
        batch_op.drop_index(batch_op.f('ix_payment_methods_provider_reference'))
        batch_op.drop_index(batch_op.f('ix_payment_methods_account_id'))

    op.drop_table('payment_methods')
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.drop_index('ix_events_account')

    op.drop_table('events')
    with op.batch_alter_table('dunning_cases', schema=None) as batch_op:
        batch_op.drop_index('uq_dunning_cases_open', sqlite_where=sa.text('closed_at is null'), postgresql_where=sa.text('closed_at is null'))
        batch_op.drop_index(batch_op.f('ix_dunning_cases_account_id'))

    op.drop_table('dunning_cases')
    with op.batch_alter_table('checkout_sessions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_checkout_sessions_account_id'))

    op.drop_table('checkout_sessions')
    with op.batch_alter_table('bank_entries', schema=None) as batch_op:
        batch_op.drop_index('ix_bank_entries_state')
        batch_op.drop_index(batch_op.f('ix_bank_entries_ogm'))
        batch_op.drop_index(batch_op.f('ix_bank_entries_file_id'))
        batch_op.drop_index(batch_op.f('ix_bank_entries_account_id'))

    op.drop_table('bank_entries')
    with op.batch_alter_table('api_keys', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_api_keys_consumer_id'))

    op.drop_table('api_keys')
    op.drop_table('dunning_policies')
    with op.batch_alter_table('api_consumers', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_api_consumers_reseller_id'))

    op.drop_table('api_consumers')
    with op.batch_alter_table('provider_events', schema=None) as batch_op:
        batch_op.drop_index('ix_provider_events_unhandled')

    op.drop_table('provider_events')
    op.drop_table('late_interest_rates')
    op.drop_table('debit_batches')
    op.drop_table('bank_files')
