"""Draws the portraits of the invented officials and writes them into conf/demo/*.ldif.

    .venv/bin/python tools/portraits.py

Each is a simple drawn face of at most 8 KB, made from the personnel number alone. Nobody real is shown.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

DEMO = Path(__file__).resolve().parent.parent / "conf" / "demo"
WIDTH, HEIGHT = 240, 320  # 3:4, as on the card
FINE = 3  # drawn so much larger, then made small, for smooth edges
LONG_HAIR = {"E1000002", "E1000006", "E1000008", "I2000003", "I2000004"}
MAX_OCTETS = 8 * 1024
BACKGROUNDS = ("#dbe7f3", "#e6efe1", "#f1e6dc", "#e8e3f1", "#dceeee", "#f3ead2")
SKINS = ("#f2d3b3", "#ebc39c", "#e3b48a", "#f6dcc2")
HAIRS = ("#23201f", "#3a2f2a", "#4c4341", "#6b6663")
SUITS = ("#24365c", "#2f4f46", "#4a2f3c", "#3d3d46", "#5b4a2f")
LINE = "#3b302b"


class Pen:
    """Draws in the units of the finished picture."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)

    def __getattr__(self, shape: str) -> Callable[..., None]:
        def draw(points: tuple[Any, ...], *numbers: int, **style: Any) -> None:
            if shape == "rounded_rectangle":
                numbers = tuple(number * FINE for number in numbers)  # the radius
            if "width" in style:
                style["width"] *= FINE
            getattr(self._draw, shape)(_scaled(points), *numbers, **style)

        return draw


def _scaled(points: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_scaled(point) if isinstance(point, tuple) else point * FINE for point in points)


def portrait(number: str) -> bytes:
    """A JPEG drawn from the digits of a hash of the number."""
    dice = hashlib.sha256(number.encode()).digest()
    size = (WIDTH * FINE, HEIGHT * FINE)
    image = Image.new("RGB", size, BACKGROUNDS[dice[0] % len(BACKGROUNDS)])
    draw = Pen(image)
    skin, hair = SKINS[dice[1] % len(SKINS)], HAIRS[dice[2] % len(HAIRS)]
    _draw_shoulders(draw, skin, SUITS[dice[3] % len(SUITS)])
    _draw_head(draw, skin, hair, long_hair=number in LONG_HAIR)
    _draw_face(draw, hair, glasses=dice[5] % 3 == 0)
    image = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    for quality in (80, 65, 50, 35):
        out = BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MAX_OCTETS:
            return out.getvalue()
    raise AssertionError(number)


def _draw_shoulders(draw: Pen, skin: str, suit: str) -> None:
    draw.rounded_rectangle((26, 248, 214, 380), 56, fill=suit)
    draw.polygon(((92, 246), (148, 246), (120, 300)), fill="#f7f7f4")
    draw.rectangle((102, 205, 138, 256), fill=skin)
    draw.polygon(((114, 262), (126, 262), (130, 316), (110, 316)), fill="#8b2f2f")


def _draw_head(draw: Pen, skin: str, hair: str, *, long_hair: bool) -> None:
    if long_hair:
        draw.rounded_rectangle((56, 70, 184, 250), 56, fill=hair)
    draw.ellipse((62, 58, 178, 170), fill=hair)
    draw.ellipse((68, 84, 172, 226), fill=skin)
    draw.pieslice((66, 60, 174, 172), 190, 350, fill=hair)


def _draw_face(draw: Pen, hair: str, *, glasses: bool) -> None:
    for centre in (98, 142):
        draw.ellipse((centre - 5, 148, centre + 5, 158), fill=LINE)
        draw.line((centre - 12, 136, centre + 12, 134), fill=hair, width=4)
        if glasses:
            draw.ellipse((centre - 17, 138, centre + 17, 168), outline=LINE, width=3)
    if glasses:
        draw.line((115, 152, 125, 152), fill=LINE, width=3)
    draw.line((120, 160, 116, 178, 122, 180), fill=LINE, width=2)
    draw.arc((102, 178, 138, 204), 20, 160, fill="#a4473f", width=4)


def write_into(path: Path) -> None:
    """Replace the photo of every record that has a personnel number."""
    records = [_with_portrait(record) for record in path.read_text().strip().split("\n\n")]
    path.write_text("\n\n".join(records) + "\n")


def _with_portrait(record: str) -> str:
    record = re.sub(r"\njpegPhoto:: .*(\n .*)*", "", record)
    number = re.search(r"^employeeNumber: (\S+)$", record, re.MULTILINE)
    if number is None:
        return record
    line = f"jpegPhoto:: {b64encode(portrait(number[1])).decode()}"
    folded = [line[:76], *(f" {line[at : at + 75]}" for at in range(76, len(line), 75))]
    return "\n".join([record, *folded])


if __name__ == "__main__":
    for ldif in sorted(DEMO.glob("*.ldif")):
        write_into(ldif)
        print(ldif.name, ldif.stat().st_size)
