"""A session knows which one took its place when its person signed in again in the same browser."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("successor", sa.String(32), nullable=False, server_default="")
    )
    op.create_index(
        "ix_sessions_successor",
        "sessions",
        ["successor"],
        sqlite_where=sa.text("successor <> ''"),
        postgresql_where=sa.text("successor <> ''"),
    )
