"""Base64url and JSON as strangers send them: one spelling each, bounded, nothing guessed."""

import binascii
import json
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 32  # E7
_B64URL = re.compile(r"[A-Za-z0-9_-]*")


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of base64url without padding. ValueError for any other spelling."""
    if not _B64URL.fullmatch(text):
        raise ValueError("not base64url")
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:  # stray bits would give one value two spellings
        raise ValueError("base64url with stray bits")
    return raw


def decode_der(text: str) -> bytes:
    """The bytes of one x5c member: standard base64 (RFC 7515 §4.1.6). ValueError."""
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def parse_json(raw: str | bytes) -> Any:
    """Parsed JSON. ValueError for repeated names, NaN and for what is nested too deeply (G-09)."""
    try:
        value = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _check_depth(value, MAX_DEPTH)
    return value


def parse_object(raw: str | bytes) -> dict[str, Any]:
    """The same, where only an object will do."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what came in is at fault
    return value


def dump(value: Mapping[str, Any]) -> bytes:
    """JSON without spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is repeated")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise ValueError("nested too deeply")
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            _check_depth(child, left - 1)
