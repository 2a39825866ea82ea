"""The text of a QR code in a picture (PNG, JPEG, WebP); needs Pillow and zxing-cpp (`wallet` extra)."""

import io
import struct
import zlib

from idp_wallet.faults import LinkUnreadable, NoCode

MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 16_000_000
# What Pillow's decoders raise for files that are cut off or were never pictures.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
)
_FORMATS = ("PNG", "JPEG", "WEBP")


def is_available() -> bool:
    """Whether pictures can be read here."""
    from importlib.util import find_spec

    return find_spec("PIL") is not None and find_spec("zxingcpp") is not None


def read_qr(raw: bytes) -> str:
    """The text of the one QR code in a picture. LinkUnreadable."""
    if not is_available():
        raise LinkUnreadable(
            "Reading pictures needs two more packages: pip install 'gongmu-idp[wallet]'. "
            "The link itself can be given instead."
        )
    if len(raw) > MAX_BYTES:
        raise LinkUnreadable("This picture is too large.")
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(raw), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:  # before a small file unpacks to much
                raise LinkUnreadable("This picture is too large.")
            gray = picture.convert("L")
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,  # where warnings are errors
        *_BROKEN,
    ) as error:
        raise LinkUnreadable("This is not a picture that can be read (PNG, JPEG, WebP).") from error
    return _only_text(gray)


def _only_text(gray: object) -> str:
    import zxingcpp

    only_qr = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    found = zxingcpp.read_barcodes(gray, formats=only_qr, text_mode=zxingcpp.TextMode.Plain)
    texts = {str(code.text) for code in found}
    if not texts:
        raise NoCode("There is no QR code in this picture, or it is not sharp enough.")
    if len(texts) > 1:  # which one was meant is the person's to say
        raise LinkUnreadable("There is more than one QR code in this picture.")
    return texts.pop()
