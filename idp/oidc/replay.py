"""Single use of what others made: ids of client assertions (RFC 7523 §3, A-063).

A store that lost its memory would take a spent one again. So the store carries the time since when it
remembers, written when that is missing; what was issued before is refused (design section 3).
"""

from contextlib import suppress
from datetime import datetime

from flask import current_app

from idp.errors import OutsideError
from idp.login import digest
from idp.services import services

_SINCE = "jti:remembers-since"
_SINCE_KEPT_S = 30 * 86400


def begin_to_remember() -> None:
    """Before the first request of a process: let the store's memory begin now, if it is new.

    Else the first assertion after a start would be older than the memory, and be refused.
    """
    if "gongmu-remembers" in current_app.extensions:
        return
    with suppress(OutsideError):  # whoever needs the store will say that it is away
        _remembers_since()
        current_app.extensions["gongmu-remembers"] = True


def is_first(owner: str, identifier: str, issued_at: int, ttl_s: int) -> bool:
    """True for exactly one caller of (owner, identifier), and only when we would remember another."""
    short = services().short
    if issued_at < _remembers_since():
        return False
    return short.put_new(f"jti:{digest(f'{owner} {identifier}')}", "1", max(1, ttl_s))


def _remembers_since() -> int:
    """Seconds since 1970; now, when the store has just begun."""
    short = services().short
    text = short.get(_SINCE)
    if text is None:
        text = str(_seconds(services().now()))
        short.put(_SINCE, text, _SINCE_KEPT_S)
    return int(text)


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
