"""The durable record, as SQLAlchemy Core tables. One transaction per change, its event inside it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TIME = DateTime(timezone=True)  # SQLite keeps no zone: sql.py reads and writes UTC for both

subjects = Table(
    "subjects",
    metadata,
    Column("id", String(32), primary_key=True),  # random; the person's internal id
    Column("issuer", String(255), nullable=False),
    Column("personnel_number", String(64), nullable=False),
    Column("created_at", TIME, nullable=False),
    UniqueConstraint("issuer", "personnel_number"),
)

relying_parties = Table(
    "relying_parties",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("settings", JSON, nullable=False),  # relying_parties.RelyingParty as JSON
    Column("created_at", TIME, nullable=False),
    Column("disabled_at", TIME),
    Column("registration_mac", String(64), nullable=False, server_default=""),  # RFC 7592
)

client_secrets = Table(
    "client_secrets",
    metadata,
    Column("id", String(32), primary_key=True),  # random; says nothing of the secret
    Column(
        "client_id",
        String(64),
        ForeignKey("relying_parties.client_id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("mac", String(64), nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("expires_at", TIME),
    Column("used_at", TIME),
    Index(None, "client_id"),
)

initial_access_tokens = Table(  # who may register a relying party by itself (RFC 7591 §3)
    "initial_access_tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("mac", String(64), nullable=False, unique=True),
    Column("note", String(120), nullable=False, server_default=""),
    Column("uses_left", Integer, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("expires_at", TIME, nullable=False),
    Column("created_by", String(64), nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("subject", String(32), ForeignKey("subjects.id"), primary_key=True),
    Column("client_id", String(64), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("given_at", TIME, nullable=False),
    Column("claims", Text, nullable=False, server_default=""),  # names asked for one by one
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),  # public id: `sid`, events
    Column("cookie_hash", String(64), nullable=False, unique=True),
    Column("subject", String(32), ForeignKey("subjects.id"), nullable=False),
    Column("source", String(64), nullable=False),  # directory source
    Column("personnel_number", String(64), nullable=False),
    Column("journey", String(32), nullable=False),
    Column("method", String(32), nullable=False),
    Column("means", JSON, nullable=False),
    Column("acr", String(64), nullable=False),
    Column("amr", JSON, nullable=False),
    Column("mobile_id", String(32), nullable=False, server_default=""),
    Column("device", String(120), nullable=False, server_default=""),
    Column("address", String(64), nullable=False, server_default=""),
    Column("authenticated_at", TIME, nullable=False),
    Column("seen_at", TIME, nullable=False),
    Column("expires_at", TIME, nullable=False),
    Column("ended_at", TIME),
    Column("end_reason", String(32), nullable=False, server_default=""),
    Column("passkey", String(32), nullable=False, server_default=""),
    # The session that took its place in the same browser (step-up): it lives on for its grants alone.
    Column("successor", String(32), nullable=False, server_default=""),
    Index(None, "subject"),
    Index(None, "mobile_id"),
    Index(None, "passkey"),
    Index(
        "ix_sessions_successor",
        "successor",
        sqlite_where=text("successor <> ''"),
        postgresql_where=text("successor <> ''"),
    ),
    Index(
        "ix_sessions_open",
        "expires_at",
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

grants = Table(  # one authorization of a relying party within a session; a refresh family is one
    "grants",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("session", String(32), ForeignKey("sessions.id"), nullable=False),
    Column("subject", String(32), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("scope", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("expires_at", TIME, nullable=False),
    Column("ended_at", TIME),
    Column("end_reason", String(32), nullable=False, server_default=""),
    Column("claims", Text, nullable=False, server_default=""),  # claims parameter, canonical JSON
    Column("resource", Text, nullable=False, server_default=""),  # RFC 8707, separated by spaces
    Column("binding", String(64), nullable=False, server_default=""),  # jkt:... or x5t:...
    Index(None, "session"),
    Index(None, "subject"),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String(32), primary_key=True),  # ours, random: pages, events
    Column("credential_id", LargeBinary, nullable=False, unique=True),  # the authenticator's
    Column("subject", String(32), ForeignKey("subjects.id"), nullable=False),
    Column("source", String(64), nullable=False),  # directory source of the owner
    Column("personnel_number", String(64), nullable=False),
    Column("issuer", String(255), nullable=False),  # with the number: who the owner is
    Column("user_handle", LargeBinary, nullable=False),  # random, one per person
    Column("name", String(80), nullable=False),  # as the owner calls it
    Column("data", JSON, nullable=False),  # the method's own; compared and set as a whole
    Column("version", Integer, nullable=False, server_default="0"),  # of data
    Column("mobile_id", String(32), nullable=False, server_default=""),  # of the same phone, or ""
    Column("state", String(16), nullable=False),  # live, suspended, removed
    Column("state_reason", String(32), nullable=False, server_default=""),
    Column("created_at", TIME, nullable=False),
    Column("used_at", TIME),
    Column("changed_at", TIME, nullable=False),
    Index(None, "subject"),
    Index(None, "mobile_id"),
)

cut_offs = Table(
    "cut_offs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(32), nullable=False),
    Column("at", TIME, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("lifted_at", TIME),
    Index(None, "subject"),
)

mobile_ids = Table(
    "mobile_ids",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("personnel_number", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("status_list", Integer, nullable=False),
    Column("status_index", Integer),  # NULL while only offered
    Column("key_thumbprint", String(64), nullable=False, server_default=""),
    Column("created_at", TIME, nullable=False),
    Column("expires_at", TIME, nullable=False),
    Column("changed_at", TIME, nullable=False),
    UniqueConstraint("status_list", "status_index"),
    Index(
        "ux_mobile_ids_one_live",
        "source",
        "personnel_number",
        unique=True,
        sqlite_where=text("state IN ('live', 'suspended')"),
        postgresql_where=text("state IN ('live', 'suspended')"),
    ),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("use", String(16), nullable=False),  # oidc, verifier, issuer, root, secret
    Column("algorithm", String(16), nullable=False),
    Column("state", String(16), nullable=False),  # next, active, retired
    Column("sealed", LargeBinary, nullable=False),  # PKCS #8 or raw secret under the KEK
    Column("public_jwk", JSON, nullable=False),
    Column("chain", JSON, nullable=False),  # base64 DER, leaf first
    Column("created_at", TIME, nullable=False),
    Column("active_at", TIME),
    Column("retired_at", TIME),
)

writers = Table(  # the head of each writer's chain; locked while an event is appended
    "writers",
    metadata,
    Column("writer_id", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("writer_id", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(32), nullable=False, unique=True),
    Column("at", TIME, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("reason", String(48), nullable=False),
    Column("journey", String(32), nullable=False),
    Column("subject", String(32), nullable=False),
    Column("session", String(32), nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON: what the hash covers
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "at"),
    Index(None, "journey"),
    Index(None, "subject"),
)

spent = Table(  # what others made and may be used once (client assertions), until it expires
    "spent",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", TIME, nullable=False),
    Index(None, "expires_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(32), nullable=False),  # backchannel_logout ...
    Column("target", String(64), nullable=False),  # client_id
    Column("body", JSON, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("due_at", TIME, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("done_at", TIME),
    Column("failed", Boolean, nullable=False, server_default=text("false")),
    Index(
        "ix_outbox_open",
        "due_at",
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
)
