"""Strict reading of what a browser sends: base64url, JSON, CBOR. Pure.

Everything read here is hostile. Parsers that disagree are an attack, so there is one spelling of every
text (A-107), no member twice (A-104, A-191), bounded depth (A-105, A-106), nothing indefinite and nothing
left over. Every function raises ProofRejected(PASSKEY_MALFORMED); its text is ours alone.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NoReturn

from idp.errors import ProofRejected
from idp.events import Reason

MAX_DEPTH = 16  # of CBOR (E7); CTAP2 itself nests 4 deep
_FALSE, _TRUE = 0xF4, 0xF5


def reject(reason: Reason, detail: str, cause: Exception | None = None) -> NoReturn:
    """Raise ProofRejected."""
    raise ProofRejected(detail, reason=reason) from cause


def malformed(detail: str, cause: Exception | None = None) -> NoReturn:
    """Raise ProofRejected(PASSKEY_MALFORMED)."""
    reject(Reason.PASSKEY_MALFORMED, detail, cause)


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: Any) -> bytes:
    """The bytes of a base64url text in its one canonical spelling (RFC 7515 §2)."""
    if not isinstance(text, str):
        malformed("not a text in base64url")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        malformed("not base64url", error)
    if encode(data) != text:  # padding, whitespace, other alphabets, stray last bits
        malformed("not canonical base64url")
    return data


def load_object(data: bytes) -> dict[str, Any]:
    """A JSON object: UTF-8 without a byte-order mark, no member twice."""
    try:
        value = _STRICT.decode(data.decode("utf-8"))  # a BOM is no JSON
    except (ValueError, RecursionError) as error:
        malformed("not strict JSON", error)
    if not isinstance(value, dict):
        malformed("not a JSON object")
    return value


def member(value: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that must be an object."""
    found = value.get(name)
    if not isinstance(found, dict):
        malformed(f"{name} is not an object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def load_cbor(data: bytes) -> tuple[Any, bytes]:
    """The first item and what follows it (RFC 8949): no tag, no float, no null, keys int or text.

    CTAP2's canonical form has none of what is refused here; the order of keys is not insisted on.
    """
    value, end = _item(data, 0, 0)
    return value, data[end:]


def load_cbor_map(data: bytes) -> tuple[dict[Any, Any], bytes]:
    """The same, when it must be a map."""
    value, rest = load_cbor(data)
    if not isinstance(value, dict):
        malformed("not a CBOR map")
    return value, rest


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind, argument, start = _head(data, at)
    if kind in (4, 5):
        if depth == MAX_DEPTH:
            malformed("CBOR too deep")
        read = _array if kind == 4 else _map
        return read(data, start, argument, depth + 1)
    if kind in (2, 3):
        content = _content(data, start, argument)
        return (content if kind == 2 else _text(content)), start + argument
    if kind in (0, 1):
        return (argument if kind == 0 else -1 - argument), start
    if data[at] not in (_FALSE, _TRUE):
        malformed("a kind of CBOR that has no place here")
    return data[at] == _TRUE, start


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Kind, argument, and where the content begins (§3)."""
    if at >= len(data):
        malformed("CBOR cut short")
    kind, info = data[at] >> 5, data[at] & 0x1F
    if info < 24:
        return kind, info, at + 1
    if info > 27:
        malformed("CBOR of indefinite length")
    end = at + 1 + (1 << (info - 24))
    if end > len(data):
        malformed("CBOR cut short")
    return kind, int.from_bytes(data[at + 1 : end], "big"), end


def _content(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        malformed("CBOR cut short")
    return data[at : at + length]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        malformed("CBOR text is not UTF-8", error)


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    values = []
    for _ in range(count):  # ends at the latest where the data does
        value, at = _item(data, at, depth)
        values.append(value)
    return values, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    values: dict[Any, Any] = {}
    for _ in range(count):
        key, at = _item(data, at, depth)
        if isinstance(key, bool) or not isinstance(key, int | str) or key in values:
            malformed("a CBOR key twice, or none that may be one")
        values[key], at = _item(data, at, depth)
    return values, at
