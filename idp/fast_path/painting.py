"""The frames of many logins' QRs: `qr.QrBasis` once more taken apart, by what it gives alone.

A matrix is affine in its characters, so the part that a login's handle adds is worked out once for the
login, and each character of a frame adds what one table says.
"""

from functools import lru_cache

from idp import qr

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LOGINS = 16384  # whose part is remembered, at about 300 octets each


class Painter:
    """Frames of one basis whose holes are a handle of `handle_length`, then a frame of `frame_length`."""

    def __init__(self, basis: qr.QrBasis, handle_length: int, frame_length: int) -> None:
        self.size = basis.size
        zero = "A" * frame_length
        self._of_handle = lru_cache(maxsize=LOGINS)(lambda handle: basis.frame(handle, zero))
        any_handle = "A" * handle_length
        ground = basis.frame(any_handle, zero)
        self._tables = [
            {
                sign: basis.frame(any_handle, f"{zero[:place]}{sign}{zero[place + 1 :]}") ^ ground
                for sign in ALPHABET
            }
            for place in range(frame_length)
        ]

    def bits(self, handle: str, frame: str) -> str:
        """The matrix, packed for the page."""
        matrix = self._of_handle(handle)
        for table, sign in zip(self._tables, frame, strict=True):
            matrix ^= table[sign]
        return qr.encode(matrix, self.size)
