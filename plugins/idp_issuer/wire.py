"""What comes over the wire, read strictly: forms, JSON, base64url, bearer tokens, and how we say no."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl

from idp.errors import RequestError, UnauthorizedError
from idp.events import Reason

MAX_DEPTH = 16
MAX_FIELDS = 20
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
# A whole string (or one that never ends) or one bracket; possessive, so the time is linear.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/-]{1,256}=*)", re.ASCII)


class NotStrict(ValueError):
    """A text is not what a strict reader takes: the message says why, without the text."""


def refusal(code: str, public: str, reason: Reason, journey: str = "") -> RequestError:
    """An error for the wire; its event belongs to the journey of the mobile ID where that is known."""
    error = RequestError(code, public, reason=reason)
    error.journey = journey
    return error


def json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object, read strictly. NotStrict."""
    value = json_value(raw)
    if not isinstance(value, dict):
        raise NotStrict("not an object")
    return value


def json_value(raw: bytes) -> Any:
    """JSON without repeated members, NaN, deep nesting or half characters. NotStrict."""
    try:
        text = raw.decode()
        _check_depth(text)
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # finds lone surrogates
    except (ValueError, RecursionError) as error:
        raise NotStrict(type(error).__name__) from error
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKENS.finditer(text):
        first = token[0][0]
        depth += (first in "[{") - (first in "]}")
        if depth > MAX_DEPTH:
            raise NotStrict("too deep")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):  # most readers keep the last one, some the first
        raise NotStrict("a member stands twice")
    return members


def _no_constant(_name: str) -> Any:
    raise NotStrict("NaN or infinity")


def base64url(text: str) -> bytes:
    """Bytes of canonical base64url: no padding, no white space, no spare bits (A-107). NotStrict."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise NotStrict("not base64url")
    value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_base64url(value) != text:
        raise NotStrict("not canonical base64url")
    return value


def to_base64url(value: bytes) -> str:
    """Without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def form(raw: bytes, mimetype: str) -> dict[str, str]:
    """The parameters of a form; empty ones count as left out (RFC 6749 §3.2). RequestError."""
    if mimetype != "application/x-www-form-urlencoded":
        raise refusal(
            "invalid_request", "application/x-www-form-urlencoded is needed", Reason.BAD_REQUEST
        )
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise refusal("invalid_request", "not a form", Reason.BAD_REQUEST) from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise refusal("invalid_request", "a parameter is repeated", Reason.REPEATED_PARAMETER)
    return {name: value for name, value in fields.items() if value}


def bearer_token(header: str, query: str) -> str:
    """The access token of an Authorization header (two of them arrive as one). UnauthorizedError.

    A token in the address would be in every log on the way, so such a request is refused even when
    a header carries one too (RFC 6750 §5.3, A-174); nothing of ours has a query.
    """
    found = _BEARER.fullmatch(header)
    if found is None or query:
        raise no_token("an access token in the Authorization header is needed")
    return found[1]


def no_token(public: str) -> UnauthorizedError:
    """401 with WWW-Authenticate (RFC 6750 §3)."""
    return UnauthorizedError("invalid_token", public, scheme="Bearer", reason=Reason.TOKEN_INVALID)
