"""The arithmetic of a Token Status List (draft-ietf-oauth-status-list §4): states to a packed text."""

import zlib
from collections.abc import Mapping

from idp_issuer.wire import to_base64url

VALID, INVALID, SUSPENDED = 0, 1, 2


def pack(values: Mapping[int, int], size: int, bits: int) -> str:
    """`lst`: `size` places of `bits` bits each, from the least significant bit of the first byte on.

    Places that are not in `values` are VALID, so that the list does not tell how many were given out.
    """
    places_per_byte = 8 // bits
    packed = bytearray((size + places_per_byte - 1) // places_per_byte)
    for index, value in values.items():
        if not 0 <= index < size or not 0 <= value < 1 << bits:
            raise ValueError("a place or a value outside of the list")
        packed[index // places_per_byte] |= value << (index % places_per_byte * bits)
    return to_base64url(zlib.compress(bytes(packed), 9))
