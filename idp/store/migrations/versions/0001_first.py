"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
        op.create_table('cut_offs',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('subject', sa.String(length=32), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('reason', sa.String(length=32), nullable=False),
        sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_cut_offs'))
        )
        op.create_index(op.f('ix_cut_offs_subject'), 'cut_offs', ['subject'], unique=False)
        op.create_table('events',
        sa.Column('writer_id', sa.String(length=32), nullable=False),
        sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('kind', sa.String(length=64), nullable=False),
        sa.Column('outcome', sa.String(length=32), nullable=False),
        sa.Column('reason', sa.String(length=48), nullable=False),
        sa.Column('journey', sa.String(length=32), nullable=False),
        sa.Column('subject', sa.String(length=32), nullable=False),
        sa.Column('session', sa.String(length=32), nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('prev_hash', sa.String(length=64), nullable=False),
        sa.Column('hash', sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint('writer_id', 'seq', name=op.f('pk_events')),
        sa.UniqueConstraint('id', name=op.f('uq_events_id'))
        )
        op.create_index(op.f('ix_events_at'), 'events', ['at'], unique=False)
        op.create_index(op.f('ix_events_journey'), 'events', ['journey'], unique=False)
        op.create_index(op.f('ix_events_subject'), 'events', ['subject'], unique=False)
        op.create_table('mobile_ids',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('personnel_number', sa.String(length=64), nullable=False),
        sa.Column('source', sa.String(length=64), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('status_list', sa.Integer(), nullable=False),
        sa.Column('status_index', sa.Integer(), nullable=True),
        sa.Column('key_thumbprint', sa.String(length=64), server_default='', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_mobile_ids')),
        sa.UniqueConstraint('status_list', 'status_index', name=op.f('uq_mobile_ids_status_list_status_index'))
        )
        op.create_index('ux_mobile_ids_one_live', 'mobile_ids', ['source', 'personnel_number'], unique=True, sqlite_where=sa.text("state IN ('live', 'suspended')"), postgresql_where=sa.text("state IN ('live', 'suspended')"))
        op.create_table('outbox',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('kind', sa.String(length=32), nullable=False),
        sa.Column('target', sa.String(length=64), nullable=False),
        sa.Column('body', sa.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('tries', sa.Integer(), server_default='0', nullable=False),
        sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('failed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
        )
        op.create_index(op.f('ix_outbox_due_at'), 'outbox', ['due_at'], unique=False)
        op.create_table('relying_parties',
        sa.Column('client_id', sa.String(length=64), nullable=False),
        sa.Column('settings', sa.JSON(), nullable=False),
        sa.Column('secret_mac', sa.String(length=64), server_default='', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('disabled_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('client_id', name=op.f('pk_relying_parties'))
        )
        op.create_table('signing_keys',
        sa.Column('kid', sa.String(length=64), nullable=False),
        sa.Column('use', sa.String(length=16), nullable=False),
        sa.Column('algorithm', sa.String(length=16), nullable=False),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('sealed', sa.LargeBinary(), nullable=False),
        sa.Column('public_jwk', sa.JSON(), nullable=False),
        sa.Column('chain', sa.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('active_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('kid', name=op.f('pk_signing_keys'))
        )
        op.create_table('subjects',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('issuer', sa.String(length=255), nullable=False),
        sa.Column('personnel_number', sa.String(length=64), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_subjects')),
        sa.UniqueConstraint('issuer', 'personnel_number', name=op.f('uq_subjects_issuer_personnel_number'))
        )
        op.create_table('writers',
        sa.Column('writer_id', sa.String(length=32), nullable=False),
        sa.Column('seq', sa.BigInteger(), nullable=False),
        sa.Column('head', sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint('writer_id', name=op.f('pk_writers'))
        )
        op.create_table('consents',
        sa.Column('subject', sa.String(length=32), nullable=False),
        sa.Column('client_id', sa.String(length=64), nullable=False),
        sa.Column('scope', sa.Text(), nullable=False),
        sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['subject'], ['subjects.id'], name=op.f('fk_consents_subject_subjects')),
        sa.PrimaryKeyConstraint('subject', 'client_id', name=op.f('pk_consents'))
        )
        op.create_table('sessions',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('cookie_hash', sa.String(length=64), nullable=False),
        sa.Column('subject', sa.String(length=32), nullable=False),
        sa.Column('source', sa.String(length=64), nullable=False),
        sa.Column('personnel_number', sa.String(length=64), nullable=False),
        sa.Column('journey', sa.String(length=32), nullable=False),
        sa.Column('method', sa.String(length=32), nullable=False),
        sa.Column('means', sa.JSON(), nullable=False),
        sa.Column('acr', sa.String(length=64), nullable=False),
        sa.Column('amr', sa.JSON(), nullable=False),
        sa.Column('mobile_id', sa.String(length=32), server_default='', nullable=False),
        sa.Column('device', sa.String(length=120), server_default='', nullable=False),
        sa.Column('address', sa.String(length=64), server_default='', nullable=False),
        sa.Column('authenticated_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('end_reason', sa.String(length=32), server_default='', nullable=False),
        sa.ForeignKeyConstraint(['subject'], ['subjects.id'], name=op.f('fk_sessions_subject_subjects')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
        sa.UniqueConstraint('cookie_hash', name=op.f('uq_sessions_cookie_hash'))
        )
        op.create_index(op.f('ix_sessions_mobile_id'), 'sessions', ['mobile_id'], unique=False)
        op.create_index(op.f('ix_sessions_subject'), 'sessions', ['subject'], unique=False)
        op.create_table('grants',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('session', sa.String(length=32), nullable=False),
        sa.Column('subject', sa.String(length=32), nullable=False),
        sa.Column('client_id', sa.String(length=64), nullable=False),
        sa.Column('scope', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('end_reason', sa.String(length=32), server_default='', nullable=False),
        sa.ForeignKeyConstraint(['session'], ['sessions.id'], name=op.f('fk_grants_session_sessions')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_grants'))
        )
        op.create_index(op.f('ix_grants_session'), 'grants', ['session'], unique=False)
        op.create_index(op.f('ix_grants_subject'), 'grants', ['subject'], unique=False)
        # ### end Alembic commands ###
