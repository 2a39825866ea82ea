"""What a call to `/api/v1` may hold: its token, its parameters, its body. Everything else is refused.

An unknown name is refused rather than passed over, so that a filter with a typing error never
answers with everything (A-235, A-242).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import request

from idp import access_tokens, bearer, jws, step_up
from idp.access_tokens import AccessToken
from idp.errors import RequestError
from idp.events import Reason
from idp.services import services

MAX_ROWS = 500
MAX_TEXT = 128
CALLS_PER_MINUTE = 6000  # of one client, all workers together


def caller(scope: str) -> AccessToken:
    """The client behind the access token; 401 without one, 403 without the scope (RFC 6750 §3.1).

    A person's token counts only after a strong and recent sign-in (RFC 9470 §3, A-233).
    """
    found = bearer.presented(f"{services().settings.issuer}/api/v1")
    if found.grant:  # a person's: as at the consoles
        _, session = access_tokens.live(found)
        step_up.must_be(found, session, step_up.OPERATOR_ACR, step_up.OPERATOR_MAX_AGE_S)
    if scope not in found.scope:
        raise refusal(403, "insufficient_scope", f"the token lacks {scope}", Reason.SCOPE)
    if services().short.count(f"rate:api:{found.client_id}", 60) > CALLS_PER_MINUTE:
        public = f"more than {CALLS_PER_MINUTE} calls in a minute"
        raise refusal(429, "invalid_request", public, Reason.RATE)
    return found


def refusal(
    status: int, code: str, public: str, reason: Reason = Reason.BAD_REQUEST
) -> RequestError:
    """An error with that status; `public` is read by people, `reason` by programs."""
    error = RequestError(code, public, reason=reason)
    error.status = status
    return error


def _wrong(public: str, reason: Reason = Reason.BAD_REQUEST) -> RequestError:
    return refusal(400, "invalid_request", public, reason)


def parameters(*allowed: str) -> dict[str, str]:
    """The query's parameters, each at most once, short and printable; no others than allowed."""
    given = {}
    for name, values in request.args.lists():
        if name not in allowed:
            raise _wrong(f"the parameters are {', '.join(allowed) or 'none'}")
        if len(values) != 1:
            raise _wrong(f"{name} is repeated", Reason.REPEATED_PARAMETER)
        given[name] = text(name, values[0])
    return given


def text(name: str, value: Any, longest: int = MAX_TEXT) -> str:
    """A short printable text."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise _wrong(f"{name} is a printable text of at most {longest} characters")
    return value


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """A word of a closed list."""
    if value not in set(known):
        raise _wrong(f"{name} is not a word that is used here")
    return value


def limit(given: Mapping[str, str]) -> int:
    """How many rows (A-243)."""
    value = given.get("limit", "100")
    # Few digits before any arithmetic: Python refuses to read very long numbers with an error.
    if not (
        value.isascii() and value.isdigit() and len(value) <= 3 and 1 <= int(value) <= MAX_ROWS
    ):
        raise _wrong(f"limit is a number from 1 to {MAX_ROWS}")
    return int(value)


def moment(given: Mapping[str, str], name: str) -> datetime | None:
    """A time with its offset, as UTC."""
    if name not in given:
        return None
    try:
        value = datetime.fromisoformat(given[name])
        if value.tzinfo is None:
            raise _wrong(f"{name} needs an offset, e.g. +09:00, with the plus sign encoded as %2B")
        return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(f"{name} is an ISO 8601 time") from error


def body(*allowed: str) -> dict[str, Any]:
    """The JSON object in the body, with these members and no others; none at all when none is allowed."""
    if not allowed and not request.content_length and not request.headers.get("Transfer-Encoding"):
        return {}
    if request.mimetype != "application/json":
        raise _wrong("a JSON object is expected (application/json)")
    try:
        found = jws.json_object(request.get_data())
    except jws.NotGenuine as error:
        raise _wrong("a JSON object is expected (application/json)") from error
    if set(found) - set(allowed):
        raise _wrong(f"the members are {', '.join(allowed) or 'none'}")
    return found
