"""After a backup was restored: what was revoked since is revoked again, and all sessions end (A-274, F-21).

The journal kept elsewhere (`gongmu events tail --json`, a SIEM) tells what happened since the backup.
Events themselves are not put back: the chains go on from the backup, and the journal is the proof.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from idp.contracts import MobileIdState, PasskeyState
from idp.errors import AccessDenied
from idp.events import Event, Kind, Reason
from idp.services import Services
from idp.session_ends import end_session
from idp.store.high_water import HighWater
from idp.store.sql import transaction
from idp.store.tables import events, sessions

_AT_ONCE = 100
_BY_THEMSELVES = (Kind.SESSION_ENDED, Kind.PASSKEY_RENAMED)
_BY_HAND = (":changed", ":withdrawn", ":ended", ":reported")  # endings of kinds to look at


@dataclass(slots=True)
class Lost:
    """What the journal tells that the database does not know."""

    mobile_ids: dict[str, MobileIdState] = field(default_factory=dict)  # as they must be
    passkeys: dict[str, PasskeyState] = field(default_factory=dict)
    by_hand: list[dict[str, Any]] = field(default_factory=list)


def read(file: Path) -> Iterator[dict[str, Any]]:
    """The events in a file of JSON lines. click.ClickException."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = json.loads(line)
                yield {"id": str(event["id"]), "kind": str(event["kind"]), **event}
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise click.ClickException(f"{file}, line {number}, is no event") from error


def lost(parts: Services, journal: Iterable[dict[str, Any]]) -> Lost:
    """What of the journal is not in the database, as it must be now: the last word on each counts."""
    found = Lost()
    for event in _unknown(parts, sorted(journal, key=lambda one: str(one.get("at", "")))):
        kind, to = event["kind"], str(event.get("data", {}).get("to", ""))
        if kind == Kind.MOBILE_ID_STATE:
            found.mobile_ids[str(event.get("mobile_id"))] = MobileIdState(to)
        elif kind == Kind.MOBILE_ID_ISSUED:  # the place in the status list that it got is forgotten
            found.mobile_ids[str(event.get("mobile_id"))] = MobileIdState.REVOKED
        elif kind == Kind.PASSKEY_STATE:
            found.passkeys[str(event.get("passkey"))] = PasskeyState(to)
        elif kind.endswith(_BY_HAND) and kind not in _BY_THEMSELVES:
            found.by_hand.append(event)
    return found


def revoke_again(parts: Services, found: Lost, actor: str) -> int:
    """Suspend and end what was, once more; how many that changed. What it does not know is gone anyway."""
    changed = 0
    for mobile_id, state in found.mobile_ids.items():
        known = parts.cutoff.get(mobile_id)
        if known is None or known.state in (state, MobileIdState.REVOKED):
            continue
        if state in (MobileIdState.SUSPENDED, MobileIdState.REVOKED):
            taken = known.state is not MobileIdState.OFFERED
            parts.cutoff.set_state(mobile_id, state if taken else MobileIdState.REVOKED, actor)
            changed += 1
    for passkey, wanted in found.passkeys.items():
        if wanted is not PasskeyState.LIVE:
            with suppress(AccessDenied):  # made since the backup: nobody knows it any more
                parts.passkeys.set_state(passkey, wanted, actor)
                changed += 1
    return changed


def end_all_sessions(parts: Services, actor: str) -> int:
    """Whichever of them was ended since: nobody knows, so all of them are; how many."""
    query = select(sessions.c.id).where(sessions.c.ended_at.is_(None)).limit(_AT_ONCE)
    ended = 0
    while True:
        with transaction(parts.engine) as connection:
            found = connection.scalars(query).all()
            for one in found:
                end_session(connection, parts.journal, one, Reason.BY_OPERATOR, parts.now(), actor)
        ended += len(found)
        if not found:
            return ended


def allow(parts: Services, actor: str, facts: dict[str, str]) -> None:
    """From now on this is the database."""
    parts.journal.record_alone(Event(Kind.STORE_RESTORED, actor=actor, data=facts))
    HighWater(parts.engine, parts.short).allow()


def _unknown(parts: Services, journal: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for first in range(0, len(journal), _AT_ONCE):
        some = journal[first : first + _AT_ONCE]
        ids = [one["id"] for one in some]
        with transaction(parts.engine) as connection:
            known = set(connection.scalars(select(events.c.id).where(events.c.id.in_(ids))))
        yield from (one for one in some if one["id"] not in known)
