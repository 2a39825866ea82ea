import io
import struct
import zlib

import pytest
import segno
from PIL import Image

from idp_wallet.faults import LinkUnreadable
from idp_wallet.picture import MAX_BYTES, read_qr


def png(*texts):
    """A picture with these QR codes beside one another."""
    parts = []
    for text in texts:
        raw = io.BytesIO()
        segno.make(text, error="m", micro=False).save(raw, kind="png", scale=6)
        parts.append(Image.open(raw).convert("L"))
    width, height = sum(part.width for part in parts), max(part.height for part in parts)
    whole = Image.new("L", (width, height), 255)
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


def test_reads_a_qr_code():
    link = "openid4vp://?client_id=x509_hash%3Aabc&request_uri=https%3A%2F%2Fid.go.kr%2F" + "a" * 80
    assert read_qr(png(link)) == link


def test_photographs_too():
    picture = Image.open(io.BytesIO(png("hello"))).rotate(12, expand=True, fillcolor=255)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=40)
    assert read_qr(out.getvalue()) == "hello"


def huge():
    """A few bytes that claim to be 20,000 x 20,000."""

    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))


BLANK = io.BytesIO()
Image.new("L", (64, 64), 255).save(BLANK, "PNG")
GIF = io.BytesIO()
Image.new("L", (64, 64), 255).save(GIF, "GIF")
LARGE = io.BytesIO()
Image.new("1", (5000, 5000)).save(LARGE, "PNG")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not a picture"),
        (b"<svg/>", "not a picture"),
        (GIF.getvalue(), "not a picture"),
        (BLANK.getvalue(), "no QR"),
        (png("a", "b"), "more than one"),
        (png("a")[:200], "not a picture"),
        (LARGE.getvalue(), "too large"),
        (huge(), "read|too large"),
        (b"x" * (MAX_BYTES + 1), "too large"),
    ],
)
def test_pictures_out_of_order(raw, why):
    with pytest.raises(LinkUnreadable, match=why):
        read_qr(raw)


def test_broken_pictures_never_raise_anything_else():
    whole = png("hello")
    for position in range(8, len(whole), max(1, len(whole) // 60)):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        try:
            read_qr(bytes(broken))
        except LinkUnreadable:
            continue
