"""What is open is found without looking at what is settled: letters to send, sessions to end."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.drop_index(op.f("ix_outbox_due_at"), table_name="outbox")
    for name, table, column, where in (
        ("ix_outbox_open", "outbox", "due_at", "done_at IS NULL"),
        ("ix_sessions_open", "sessions", "expires_at", "ended_at IS NULL"),
    ):
        op.create_index(
            name,
            table,
            [column],
            unique=False,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
