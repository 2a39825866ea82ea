"""Passkeys; self-registration; what a grant is bound to, for whom it is, and which claims it tells."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
TIME = sa.DateTime(timezone=True)
_ADDED = (
    ("relying_parties", "registration_mac", sa.String(64)),
    ("consents", "claims", sa.Text()),
    ("sessions", "passkey", sa.String(32)),
    ("grants", "claims", sa.Text()),
    ("grants", "resource", sa.Text()),
    ("grants", "binding", sa.String(64)),
)


def upgrade() -> None:
    for table, name, kind in _ADDED:
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=""))
    op.create_index(op.f("ix_sessions_passkey"), "sessions", ["passkey"])
    op.create_table(
        "initial_access_tokens",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("note", sa.String(120), nullable=False, server_default=""),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_initial_access_tokens")),
        sa.UniqueConstraint("mac", name=op.f("uq_initial_access_tokens_mac")),
    )
    _passkeys()


def _passkeys() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("personnel_number", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("user_handle", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("mobile_id", sa.String(32), nullable=False, server_default=""),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.String(32), nullable=False, server_default=""),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"], ["subjects.id"], name=op.f("fk_passkeys_subject_subjects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_subject"), "passkeys", ["subject"])
    op.create_index(op.f("ix_passkeys_mobile_id"), "passkeys", ["mobile_id"])
