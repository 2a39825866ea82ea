"""Employment state: the raw value through the map, then locks and dates. Unknown means deny (A-217)."""

import re
from datetime import UTC, datetime, timedelta

from idp.contracts import State
from idp_ldap.entry import Entry
from idp_ldap.settings import SourceSettings

_DAY = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?([.,]\d+)?Z", re.ASCII)


class TimeUnreadable(ValueError):
    """Neither YYYYMMDD nor a GeneralizedTime in UTC (RFC 4517 §3.3.13)."""


def state_of(entry: Entry, settings: SourceSettings, now: datetime) -> State:
    """The state of an entry. Dates and locks can only take ACTIVE away, never give it."""
    values = entry.texts(settings.state_attribute)
    state = settings.state_map.get(values[0], State.UNKNOWN) if len(values) == 1 else State.UNKNOWN
    if state is not State.ACTIVE:
        return state
    if settings.locked_attribute and entry.raw(settings.locked_attribute):
        return State.SUSPENDED
    try:
        starts = _time(entry, settings.starts_attribute, settings.zone)
        ends = _time(entry, settings.ends_attribute, settings.zone, whole_day=True)
    except TimeUnreadable:
        return State.UNKNOWN
    if starts is not None and now < starts:
        return State.NOT_STARTED
    if ends is not None and now >= ends:
        return State.RETIRED
    return State.ACTIVE


def _time(
    entry: Entry, attribute: str, zone: timedelta, *, whole_day: bool = False
) -> datetime | None:
    """The moment an attribute names; the end of the day for a day when `whole_day`."""
    values = entry.texts(attribute) if attribute else ()
    if not values:
        return None
    if len(values) > 1:
        raise TimeUnreadable(attribute)
    try:
        return _moment(values[0], zone, whole_day=whole_day)
    except (ValueError, OverflowError) as error:
        raise TimeUnreadable(attribute) from error


def _moment(value: str, zone: timedelta, *, whole_day: bool) -> datetime:
    if _DAY.fullmatch(value):
        day = datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC) - zone
        return day + timedelta(days=1) if whole_day else day
    found = _TIME.fullmatch(value)
    if not found:
        raise TimeUnreadable(value)
    year, month, day_of_month, hour, minute, second = (
        int(part or 0) for part in found.groups()[:6]
    )
    return datetime(year, month, day_of_month, hour, minute, second, tzinfo=UTC)
