"""What a person has agreed to: scopes, and claims asked for one by one, per relying party, in SQL."""

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from idp.claims import PROTOCOL_CLAIMS
from idp.login import AuthorizationRequest
from idp.oidc import user_claims
from idp.services import services
from idp.store.sql import transaction
from idp.store.tables import consents


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for, or a person has agreed to."""

    scope: frozenset[str]
    claims: frozenset[str]


def of_request(asked: AuthorizationRequest) -> Wanted:
    """What a person is to agree to; what the protocol itself says of a sign-in is not among it."""
    named = user_claims.asked(asked.claims, "userinfo") | user_claims.asked(
        asked.claims, "id_token"
    )
    return Wanted(frozenset(asked.scope), named - PROTOCOL_CLAIMS)


def covers(subject: str, client_id: str, wanted: Wanted, *, lock: bool = False) -> bool:
    """Whether all of it was agreed to before; `lock` waits for who is withdrawing it. OutsideError."""
    with transaction(services().engine) as connection:
        given = _given(connection, subject, client_id, lock=lock)
    return wanted.scope <= given.scope and wanted.claims <= given.claims


def keep(connection: Connection, subject: str, client_id: str, wanted: Wanted) -> None:
    """In the caller's transaction: agreed to as well.

    The row is locked before it is read: what another tab withdraws at the same time stays withdrawn.
    """
    given = _given(connection, subject, client_id, lock=True)
    values = {
        "scope": " ".join(sorted(given.scope | wanted.scope)),
        "claims": " ".join(sorted(given.claims | wanted.claims)),
        "given_at": services().now(),
    }
    kind = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(
        kind.insert(consents)
        .values(subject=subject, client_id=client_id, **values)
        .on_conflict_do_update(index_elements=["subject", "client_id"], set_=values)
    )


def _given(connection: Connection, subject: str, client_id: str, *, lock: bool = False) -> Wanted:
    query = select(consents.c.scope, consents.c.claims).where(
        consents.c.subject == subject, consents.c.client_id == client_id
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    scope, claims = (row.scope, row.claims) if row else ("", "")
    return Wanted(frozenset(scope.split()), frozenset(claims.split()))
