"""A Token Status List on behalf of a browser that cannot check who signed it (draft-21 §8.3).

The whole list is handed back and the browser looks up its own place, so that nobody learns which card
asked. The list itself was fetched by the browser; this only computes.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp_wallet.chain import Anchors, leaf_of, speaks_for
from idp_wallet.encoding import decode
from idp_wallet.faults import StatusUnknown
from idp_wallet.keys import peek_header, verify

TYP = "statuslist+jwt"
CLOCK_SKEW_S = 60
MAX_ENTRIES = 1024 * 1024  # bytes, unpacked
MAX_AGE_S = 24 * 3600  # of a list that does not say when it ends


@dataclass(frozen=True, slots=True)
class StatusList:
    """A verified list, still packed: `lst` is base64url of a zlib stream, `bits` wide each place."""

    bits: int
    lst: str


def verify_status(text: str, uri: str, anchors: Anchors, now: datetime) -> StatusList:
    """The list at `uri`, or StatusUnknown; each step raises ValueError."""
    try:
        # 1. Signed by a certificate that leads to a root, for this address.
        claims = _signed(text, uri, anchors, now)
        # 2. This very list, and not an old one played again.
        _check_occasion(claims, uri, now.timestamp())
        # 3. Entries that can be unpacked without harm.
        return _entries(claims.get("status_list"))
    except ValueError as error:
        raise StatusUnknown("The list of valid cards is not in order.") from error


def _signed(text: str, uri: str, anchors: Anchors, now: datetime) -> dict[str, Any]:
    header = peek_header(text)
    if header.get("typ") != TYP or header.get("alg") != "ES256":
        raise ValueError("typ or alg")
    leaf = leaf_of(header, anchors, now)
    if not speaks_for(leaf, uri):
        raise ValueError("signed by another host")
    return verify(text, leaf)


def _check_occasion(claims: Mapping[str, Any], uri: str, now: float) -> None:
    if claims.get("sub") != uri:
        raise ValueError("sub")
    issued = _moment(claims, "iat", -1)
    if not 0 <= issued <= now + CLOCK_SKEW_S:
        raise ValueError("iat")
    if now >= _moment(claims, "exp", issued + MAX_AGE_S):
        raise ValueError("exp")


def _moment(claims: Mapping[str, Any], name: str, default: float) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(name)  # noqa: TRY004 - what came in is at fault
    return value


def _entries(value: Any) -> StatusList:
    bits, lst = (value.get("bits"), value.get("lst")) if isinstance(value, dict) else (0, "")
    if type(bits) is not int or bits not in (1, 2, 4, 8) or not isinstance(lst, str):
        raise ValueError("status_list")
    inflater = zlib.decompressobj()
    try:
        inflater.decompress(decode(lst), MAX_ENTRIES)
    except zlib.error as error:
        raise ValueError("lst") from error
    if not inflater.eof or inflater.unused_data:  # cut off, too long, or more behind it
        raise ValueError("lst")
    return StatusList(bits, lst)
