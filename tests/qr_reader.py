"""Reading a QR as a camera would: from pixels, with a reader that shares no code with the drawer."""

from base64 import b64decode
from io import BytesIO

import zxingcpp
from PIL import Image


def read_picture(png: bytes) -> str:
    """The text of the one QR in a picture. ValueError when there is none, or more than one."""
    with Image.open(BytesIO(png)) as picture:
        found = zxingcpp.read_barcodes(picture.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    if len(found) != 1:
        raise ValueError(f"{len(found)} codes in the picture")
    return str(found[0].text)


def read_frame(bits: str, size: int, scale: int = 6) -> str:
    """The text of a frame as polls give it: modules row by row, eight a byte, dark is 1."""
    modules = b64decode(bits)
    picture = Image.new("L", (size + 8, size + 8), 255)
    for at in range(size * size):
        if modules[at // 8] >> (7 - at % 8) & 1:
            picture.putpixel((at % size + 4, at // size + 4), 0)
    large = picture.resize(((size + 8) * scale, (size + 8) * scale), Image.Resampling.NEAREST)
    with BytesIO() as png:
        large.save(png, "PNG")
        return read_picture(png.getvalue())
