"""Registered relying parties: what each may do, kept in SQL and cached for two seconds.

What may be registered at all is decided in `registration.py`, once, when a party is added or
changed; the routes compare strings and look nothing up but this register.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from idp import claims
from idp.client_secrets import ClientSecrets, Kept, kept_of
from idp.errors import ConfError, Problem
from idp.events import Event, Kind
from idp.journal import Journal
from idp.profiles import SIGNED
from idp.registration import ID_TOKEN_ALGORITHMS, is_client_id, problems_of
from idp.sectors import nowhere, sector_fault
from idp.store.sql import transaction
from idp.store.tables import client_secrets as secrets_table
from idp.store.tables import relying_parties as table

CACHE_S = 2.0
TAKEN, MEANWHILE = "taken", "changed meanwhile"  # what a ConfError found: somebody else came first
CACHE_ROWS = 2048  # unknown ids are remembered too: their number must be bounded


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One relying party (RFC 7591 names where they exist)."""

    client_id: str
    name_ko: str
    name_en: str
    kind: str = "internal"  # which adapter of the entry points idp.relying_parties
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""
    response_modes: tuple[str, ...] = ("query",)
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    token_endpoint_auth_methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post")
    jwks: dict[str, Any] | None = None  # public keys for private_key_jwt
    scope: tuple[str, ...] = ("openid", "profile", "email", "groups", "offline_access")
    audience: str = ""  # of client_credentials tokens, e.g. "<issuer>/api/v1"
    id_token_signed_response_alg: str = "ES256"  # noqa: S105 - an algorithm, no secret
    minimum_acr: str = "urn:gongmu:acr:2"
    consent: Literal["trusted", "once", "always"] = "trusted"
    sector: str = ""  # host for pairwise subs; default: the host of the redirect URIs
    pkce_required: bool = True
    claims: dict[str, Any] = field(default_factory=dict)  # claims mapping (idp/claims.py)
    claims_in_id_token: bool = False  # for programs that never ask userinfo
    profile: Literal["oidc", "fapi2", "public"] = (
        "oidc"  # mandates that hold on every route in (D-2)
    )
    jwks_uri: str = ""  # instead of jwks
    sector_identifier_uri: str = ""
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    resources: tuple[str, ...] = ()  # resource indicators it may ask tokens for (RFC 8707)
    protected_resources: tuple[
        str, ...
    ] = ()  # those it answers for: it may introspect their tokens
    exchange_audiences: tuple[
        str, ...
    ] = ()  # client_ids of those it may call for a person (RFC 8693)
    origins: tuple[str, ...] = ()  # of its browser apps: CORS for these alone
    frontchannel_logout_uri: str = ""
    dpop_bound_access_tokens: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    tls_client_auth_subject_dn: str = ""  # RFC 4514, as registered (RFC 8705 §2.1.2)
    tls_client_auth_san_dns: str = ""
    access_token_format: Literal["jwt", "opaque"] = "jwt"  # noqa: S105 - no secret
    authorization_signed_response_alg: str = ""
    id_token_encrypted_response_alg: str = ""
    id_token_encrypted_response_enc: str = ""
    userinfo_signed_response_alg: str = ""
    userinfo_encrypted_response_alg: str = ""
    userinfo_encrypted_response_enc: str = ""
    introspection_signed_response_alg: str = ""
    default_max_age: int | None = None  # seconds
    software_id: str = ""
    software_version: str = ""
    contacts: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    party: RelyingParty
    secrets: tuple[Kept, ...] = ()


_ADAPTER: TypeAdapter[RelyingParty] = TypeAdapter(RelyingParty)
_WITH_SECRETS = select(
    table, secrets_table.c.id.label("secret_id"), secrets_table.c.mac, secrets_table.c.expires_at
).outerjoin_from(table, secrets_table)
Also = Callable[[Connection], None]  # what is done in the transaction of a change


def nothing_more(_connection: Connection) -> None:
    """The change alone."""


class RelyingParties:
    """The register, with the secrets of its members (`secrets`).

    `loopback` says whether http redirect URIs on loopback hosts may be registered (the demo),
    `algorithms` which signing keys there are, and `get` fetches a sector's document. Every method
    raises OutsideError when SQL is away.
    """

    def __init__(  # noqa: PLR0913 - what it keeps in, and what it may let in
        self,
        engine: Engine,
        journal: Journal,
        secret_key: bytes,
        now: Callable[[], datetime],
        *,
        loopback: bool = False,
        algorithms: Collection[str] = ID_TOKEN_ALGORITHMS,
        get: Callable[[str, str], bytes] = nowhere,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._now = now
        self._loopback = loopback
        self._algorithms = algorithms
        self._get = get
        self._cache: OrderedDict[str, tuple[float, _Known | None]] = OrderedDict()
        self._lock = Lock()
        self._origins: tuple[float, frozenset[str]] = (0.0, frozenset())
        self.secrets = ClientSecrets(engine, journal, secret_key, now, self._forget)

    def get(self, client_id: str) -> RelyingParty | None:
        """By id, disabled ones too; from a cache at most 2 s old."""
        known = self._find(client_id)
        return known.party if known else None

    def fresh(self, client_id: str) -> RelyingParty | None:
        """By id, as SQL has it now: for who changes it, or answers the one who has just changed it."""
        self._forget(client_id)
        return self.get(client_id)

    def all(self) -> list[RelyingParty]:
        """Every one, by client_id."""
        with transaction(self._engine) as connection:
            return [
                _known(row).party for row in connection.execute(select(table).order_by("client_id"))
            ]

    def origins(self) -> frozenset[str]:
        """Of the browser applications of every party of profile `public`; at most 2 s old."""
        until, found = self._origins
        if time.monotonic() >= until:
            public = table.c.settings["profile"].as_string() == "public"
            query = select(table.c.settings["origins"]).where(table.c.disabled_at.is_(None), public)
            with transaction(self._engine) as connection:
                lists = connection.scalars(query).all()
            found = frozenset(origin for origins in lists for origin in origins or ())
            self._origins = time.monotonic() + CACHE_S, found
        return found

    def secret_is_right(self, client_id: str, secret: str) -> bool:
        """Constant-time; an unknown client costs the same as a wrong secret (E5)."""
        known = self._find(client_id)
        # The comparison comes first, so that it always happens.
        right = self.secrets.is_right(client_id, secret, known.secrets if known else ())
        return right and known is not None and not known.party.disabled

    def add(self, party: RelyingParty, actor: str, also: Also = nothing_more) -> str:
        """Register; gives the client secret, shown this once ("" when none is used).

        `also` runs within the transaction. ConfError when a setting is not allowed or the id is taken.
        """
        self.check(party)
        secret = ""
        try:
            with transaction(self._engine) as connection:
                connection.execute(
                    insert(table).values(
                        client_id=party.client_id,
                        settings=_settings(party),
                        created_at=self._now(),
                        disabled_at=self._now() if party.disabled else None,
                    )
                )
                if _uses_secret(party):
                    _, secret = self.secrets.make(connection, party.client_id)
                also(connection)
                self._journal.record(connection, _changed(party.client_id, actor, "added"))
        except IntegrityError as error:
            raise _conflict(party.client_id, "client_id", TAKEN, "an id of its own") from error
        self._forget(party.client_id)
        return secret

    def update(
        self, party: RelyingParty, actor: str, also: Also = nothing_more, *, since: RelyingParty
    ) -> None:
        """Change the settings of a registered one; its secret and whether it is disabled stay.

        ConfError when it is no longer `since`, which the change was made from: else what somebody
        else has forbidden in between would be allowed again.
        """
        self.check(party)

        def unchanged(connection: Connection) -> None:
            query = select(table).where(table.c.client_id == party.client_id).with_for_update()
            row = connection.execute(query).one_or_none()
            if row and replace(_known(row).party, disabled=since.disabled) != since:
                raise _conflict(party.client_id, "settings", MEANWHILE, "what was read before")
            also(connection)

        self._write(party.client_id, actor, "changed", unchanged, settings=_settings(party))

    def set_disabled(
        self,
        client_id: str,
        disabled: bool,  # noqa: FBT001 - the state itself
        actor: str,
        also: Also = nothing_more,
    ) -> None:
        """Shut a party out, or let it in again; every process knows within two seconds."""
        change = "disabled" if disabled else "enabled"
        self._write(client_id, actor, change, also, disabled_at=self._now() if disabled else None)

    def new_secret(self, client_id: str, actor: str) -> str:
        """A new client secret, shown this once; the former ones are dead within two seconds."""
        return self.secrets.replace(client_id, actor)

    def _write(
        self, client_id: str, actor: str, change: str, also: Also = nothing_more, **values: Any
    ) -> None:
        with transaction(self._engine) as connection:
            also(connection)
            done = connection.execute(
                update(table).where(table.c.client_id == client_id).values(**values)
            )
            if done.rowcount != 1:
                raise ConfError([_problem(client_id, "client_id", "unknown", "a registered one")])
            self._journal.record(connection, _changed(client_id, actor, change))
        self._forget(client_id)

    def check(self, party: RelyingParty) -> None:
        """Whether these settings may be registered. ConfError with every fault at once."""
        problems = [
            _problem(party.client_id, *problem)
            for problem in problems_of(_settings(party), loopback=self._loopback)
        ]
        allowed = ", ".join(self._algorithms)
        problems += [
            _problem(party.client_id, name, algorithm, allowed)
            for name in SIGNED
            if (algorithm := getattr(party, name)) and algorithm not in self._algorithms
        ]
        if party.sector_identifier_uri and not problems:
            fault = sector_fault(party.sector_identifier_uri, party.redirect_uris, self._get)
            problems += [_problem(party.client_id, *fault)] if fault else []
        if problems:
            raise ConfError(problems)
        claims.parse_mapping(party.claims)

    def _find(self, client_id: str) -> _Known | None:
        if not is_client_id(client_id):
            return None
        with self._lock:
            until, known = self._cache.get(client_id, (0.0, None))
        if time.monotonic() < until:
            return known
        with transaction(self._engine) as connection:
            rows = connection.execute(_WITH_SECRETS.where(table.c.client_id == client_id)).all()
        known = replace(_known(rows[0]), secrets=kept_of(rows)) if rows else None
        with self._lock:
            self._cache[client_id] = (time.monotonic() + CACHE_S, known)
            self._cache.move_to_end(client_id)
            if len(self._cache) > CACHE_ROWS:
                self._cache.popitem(last=False)
        return known

    def _forget(self, client_id: str) -> None:
        with self._lock:
            self._cache.pop(client_id, None)


def _known(row: Row[Any]) -> _Known:
    party = _ADAPTER.validate_python({**row.settings, "client_id": row.client_id})
    return _Known(replace(party, disabled=row.disabled_at is not None))


def _settings(party: RelyingParty) -> dict[str, Any]:
    settings: dict[str, Any] = _ADAPTER.dump_python(party, mode="json")
    return {name: value for name, value in settings.items() if name != "disabled"}


def _uses_secret(party: RelyingParty) -> bool:
    return any(method.startswith("client_secret_") for method in party.token_endpoint_auth_methods)


def _problem(client_id: str, key: str, found: str, allowed: str) -> Problem:
    return Problem(f"relying party {client_id}", key, None, found, allowed)


def _conflict(client_id: str, *problem: str) -> ConfError:
    return ConfError([_problem(client_id, *problem)])


def _changed(client_id: str, actor: str, change: str) -> Event:
    return Event(
        Kind.RELYING_PARTY_CHANGED, actor=actor, relying_party=client_id, data={"change": change}
    )
