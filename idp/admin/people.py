"""What the provider knows of one person, and what it would tell a relying party: for operators.

The command and the API show the same record. Nobody is made known by being looked at, and whoever
looks is recorded with whom they looked at (`read`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from idp.contracts import MobileId, Official
from idp.errors import AccessDenied
from idp.events import Event, Kind, Reason
from idp.people import must_be_active
from idp.services import Services
from idp.sessions import Session
from idp.store.sql import transaction, utc
from idp.store.tables import cut_offs

_SHOWN = ("name", "agency", "department", "rank", "mail", "source")
_SESSION = (
    "id",
    "method",
    "acr",
    "device",
    "address",
    "mobile_id",
    "authenticated_at",
    "seen_at",
    "expires_at",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One person as all parts of the provider know them now."""

    personnel_number: str
    official: Official | None  # None when the directory refuses; `refusal` says why
    refusal: Reason  # NONE when the account gate is open
    cut_off_before: datetime | None  # what was signed in until then is dead
    subjects: Mapping[str, str]  # issuer -> our id
    mobile_ids: tuple[MobileId, ...]
    sessions: tuple[Session, ...]


def record_of(parts: Services, personnel_number: str) -> Record:
    """Everything known of that number. AccessDenied when that is nothing, OutsideError."""
    official, refused = _ask(parts, personnel_number)
    if refused is not None and not personnel_number.isprintable():
        raise refused  # nobody's number, and SQL could not even be asked for it
    with transaction(parts.engine) as connection:
        subjects = parts.people.known_subjects(connection, personnel_number)
        cut_off = _cut_off(connection, list(subjects.values()))
    mobile_ids = parts.cutoff.all(personnel_number)
    if refused is not None and official is None and not subjects and not mobile_ids:
        raise refused
    sessions = [one for subject in subjects.values() for one in parts.sessions.of(subject)]
    return Record(
        personnel_number=personnel_number,
        official=official,
        refusal=refused.reason if refused is not None else Reason.NONE,
        cut_off_before=cut_off,
        subjects=subjects,
        mobile_ids=tuple(mobile_ids),
        sessions=tuple(sessions),
    )


def _ask(parts: Services, personnel_number: str) -> tuple[Official | None, AccessDenied | None]:
    """The entry and what the gate says of it."""
    try:
        official = parts.people.find(personnel_number)
    except AccessDenied as refused:
        return None, refused
    try:
        must_be_active(official)
    except AccessDenied as refused:
        return official, refused
    return official, None


def _cut_off(connection: Connection, subjects: list[str]) -> datetime | None:
    query = (
        select(cut_offs.c.at)
        .where(cut_offs.c.subject.in_(subjects), cut_offs.c.lifted_at.is_(None))
        .order_by(cut_offs.c.at.desc())
        .limit(1)
    )
    return utc(connection.scalar(query))


def shown(record: Record) -> dict[str, Any]:
    """The record as JSON: the photo as a fact only, no secret."""
    return {
        "personnel_number": record.personnel_number,
        **_entry(record.official),
        "may_act": record.refusal is Reason.NONE,
        "reason": record.refusal.value,
        "cut_off_before": _time(record.cut_off_before),
        "subjects": dict(record.subjects),
        "mobile_ids": [mobile_id(one) for one in record.mobile_ids],
        "sessions": [_session(one) for one in record.sessions],
    }


def _entry(official: Official | None) -> dict[str, Any]:
    if official is None:
        return {**dict.fromkeys(_SHOWN, ""), "state": "", "groups": [], "photo": False, "entry": {}}
    return {
        **{name: getattr(official, name) for name in _SHOWN},
        "state": official.state.value,
        "groups": list(official.groups),
        "photo": official.photo is not None,
        "entry": {name: list(values) for name, values in official.attributes.items()},
    }


def mobile_id(one: MobileId) -> dict[str, Any]:
    """A mobile ID as JSON; its place in the status list and its key are nobody's business."""
    return {
        "id": one.id,
        "personnel_number": one.personnel_number,
        "source": one.source,
        "state": one.state.value,
        "created_at": one.created_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
    }


def _session(one: Session) -> dict[str, Any]:
    return {name: _time(getattr(one, name)) for name in _SESSION}


def _time(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def read(
    parts: Services, actor: str, what: str, record: Record | None = None, rows: int = 1
) -> None:
    """The event of a reading; one for each id of the person who was looked at (R-070, A-247)."""
    subjects = list(record.subjects.values()) if record is not None else []
    for subject in subjects or [""]:
        facts = {"what": what, "rows": str(rows)}
        parts.journal.record_alone(Event(Kind.API_READ, actor=actor, subject=subject, data=facts))
