"""Reading the parameters of a request: each at most once, and nothing that two readers read differently.

No "first wins" and no "last wins": a repeated name is refused, in the query, in the body, or once in
each (RFC 6749 §3.1, A-040). `resource` alone may stand several times (RFC 8707 §2): its values, which have
no spaces, come as one text with spaces between them. Bytes that are not UTF-8, and control characters, are
refused (A-041). A parameter without a value is one that was not sent (RFC 6749 §3.1).
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import request

from idp.errors import RequestError
from idp.events import Reason

MAX_PARAMETERS = 64
MAX_QUERY = 8 * 1024
MAX_BODY = 64 * 1024
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # Unicode categories Cc and Cs
FORM = "application/x-www-form-urlencoded"

Parameters = Mapping[str, str]


def of_request() -> Parameters:
    """Query and body of this request together. RequestError when they are not plain and unique."""
    return read(request.query_string, _body())


def of_body() -> Parameters:
    """The body alone: for endpoints that take nothing from the query (RFC 6749 §3.2)."""
    if request.query_string:
        raise _bad("parameters belong in the body")
    return read(b"", _body())


def read(query: bytes, body: bytes) -> Parameters:
    """The parameters in these octets; see the module's docstring for what is refused."""
    if len(query) > MAX_QUERY or len(body) > MAX_BODY:
        raise _bad("the request is too large", Reason.TOO_LARGE)
    pairs = [*_pairs(query), *_pairs(body)]
    if len(pairs) > MAX_PARAMETERS:
        raise _bad("too many parameters", Reason.TOO_LARGE)
    found = dict(pairs)
    if len(found) != len(pairs):
        found = _joined(pairs)
    if any(is_unclean(name) or is_unclean(value) for name, value in pairs):
        raise _bad("a parameter has a control character")
    return {name: value for name, value in found.items() if value}


def is_unclean(text: str) -> bool:
    """Whether a text has control characters or lone surrogates."""
    return _CONTROL.search(text) is not None


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Where a name is repeated: `resource` joined, any other refused."""
    resources = [value for name, value in pairs if name == "resource"]
    found = dict(pairs)
    if len(found) != len(pairs) - len(resources) + 1:
        raise _bad("a parameter is repeated", Reason.REPEATED_PARAMETER)
    return {**found, "resource": " ".join(resources)}


def _pairs(octets: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            octets.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:  # not UTF-8, or more fields than allowed
        raise _bad("the parameters are not valid UTF-8, or too many") from error


def _body() -> bytes:
    """The form of a POST. Any other kind of body is refused (A-042)."""
    if request.method != "POST":
        return b""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != FORM or charset != "utf-8":
        raise _bad(f"the body must be {FORM}")
    return request.get_data(cache=True)


def _bad(public: str, reason: Reason = Reason.BAD_REQUEST) -> RequestError:
    return RequestError("invalid_request", public, reason=reason)
