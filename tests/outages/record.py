"""What must hold in SQL whatever was stopped, slow or killed (I-2, I-3, I-4)."""

import json
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Engine, select

from idp.events import Kind
from idp.journal import verify_chains
from idp.store.tables import events, grants, sessions
from tests.attacks.forge import decode


def assert_sound(engine: Engine, tokens: Iterable[str] = ()) -> None:
    """No session, code or token without its event, nor the reverse; chains hold; nothing used twice."""
    with engine.begin() as connection:
        started = _sessions_of(connection.scalars(_bodies(Kind.SESSION_STARTED)))
        rows = Counter(connection.scalars(select(sessions.c.id)))
        codes = Counter(_sessions_of(connection.scalars(_bodies(Kind.AUTHORIZATION_ISSUED))))
        granted = Counter(connection.scalars(select(grants.c.session)))
        told = Counter(_sessions_of(connection.scalars(_bodies(Kind.TOKEN_ISSUED))))
        journeys = Counter(connection.scalars(select(sessions.c.journey)))
    assert Counter(started) == rows
    assert codes == granted
    assert set(journeys.values()) <= {1}, "one sign-in made two sessions"
    given = Counter(decode(token)[1]["sid"] for token in tokens)
    assert not given - told, "a token without its event"
    assert list(verify_chains(engine)) == []


def _bodies(kind: Kind):
    return select(events.c.body).where(events.c.kind == kind.value)


def _sessions_of(bodies: Iterable[str]) -> list[str]:
    return [json.loads(body).get("session", "") for body in bodies]
