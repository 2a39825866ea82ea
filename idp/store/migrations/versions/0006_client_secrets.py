"""A client has several secrets, with their ends and their last uses."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    made = op.create_table(
        "client_secrets",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("used_at", TIME),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["relying_parties.client_id"],
            name=op.f("fk_client_secrets_client_id_relying_parties"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secrets")),
    )
    op.create_index(op.f("ix_client_secrets_client_id"), "client_secrets", ["client_id"])
    parties = sa.table(
        "relying_parties",
        sa.column("client_id", sa.String),
        sa.column("secret_mac", sa.String),
        sa.column("created_at", TIME),
    )
    rows = op.get_bind().execute(sa.select(parties).where(parties.c.secret_mac != "")).all()
    if rows:
        op.bulk_insert(
            made,
            [
                {
                    "id": secrets.token_urlsafe(16),
                    "client_id": row.client_id,
                    "mac": row.secret_mac,
                    "created_at": row.created_at,
                }
                for row in rows
            ],
        )
    op.drop_column("relying_parties", "secret_mac")
