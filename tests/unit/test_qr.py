"""QR frames by tables are the very codes that segno draws, and a reader reads them."""

import base64
import random
import re
import time

import pytest
import segno
import zxingcpp
from PIL import Image

from idp import qr

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEMPLATE = (
    "openid4vp://?client_id=x509_hash%3A" + "k" * 43 + "&request_uri="
    "https%3A%2F%2Flogin.example.go.kr%2Fvp%2F"
    + "~" * 22
    + "%2Frequest%3Fframe%3D"
    + "~" * 19
    + "&request_uri_method=post"
)


def filling(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(ALPHABET, k=count))


def text_of(template: str, values: str) -> str:
    characters = iter(values)
    return "".join(next(characters) if c == "~" else c for c in template)


def drawn_by_segno(text: str, size: int) -> set[int]:
    """The matrices of that text at the size, one for each mask."""
    matrices = set()
    for mask in range(8):
        code = segno.make(text, error="m", mode="byte", mask=mask, micro=False, boost_error=False)
        assert code.symbol_size(border=0)[0] == size
        matrices.add(int("".join(str(m) for row in code.matrix for m in row), 2))
    return matrices


def test_a_thousand_frames_are_segnos_own() -> None:
    rng = random.Random(1)
    basis = qr.QrBasis(TEMPLATE)
    sample = segno.make(
        TEMPLATE.replace("~", "A"), error="m", mode="byte", micro=False, boost_error=False
    )
    for _ in range(1000):
        handle, frame = filling(rng, 22), filling(rng, 19)
        code = segno.make(
            text_of(TEMPLATE, handle + frame),
            error="m",
            mode="byte",
            mask=sample.mask,
            micro=False,
            boost_error=False,
        )
        expected = int("".join(str(m) for row in code.matrix for m in row), 2)
        assert basis.frame(handle, frame) == expected


@pytest.mark.parametrize("length", [1, 14, 15, 60, 150, 180, 214, 400, 900, 2300])
def test_every_kind_of_version_is_right(length: int) -> None:
    rng = random.Random(length)
    template = "".join("~" if rng.random() < 0.2 else "x" for _ in range(length - 1)) + "~"
    basis = qr.QrBasis(template)
    values = filling(rng, template.count("~"))
    assert basis.frame(values) in drawn_by_segno(text_of(template, values), basis.size)


def test_a_reader_reads_frames() -> None:
    rng = random.Random(2)
    basis = qr.QrBasis(TEMPLATE)
    for _ in range(5):
        values = filling(rng, 41)
        side = basis.size + 8
        image = Image.new("L", (side, side), 255)
        for at, module in enumerate(f"{basis.frame(values):0{basis.size**2}b}"):
            row, column = divmod(at, basis.size)
            image.putpixel((column + 4, row + 4), 0 if module == "1" else 255)
        found = zxingcpp.read_barcodes(image.resize((side * 4, side * 4), Image.Resampling.NEAREST))
        assert [code.text for code in found] == [text_of(TEMPLATE, values)]


def test_the_page_gets_the_same_modules_packed_and_drawn() -> None:
    basis = qr.QrBasis(TEMPLATE)
    bits = basis.frame("a" * 41)
    rows = f"{bits:0{basis.size**2}b}"
    packed = base64.b64decode(qr.encode(bits, basis.size))
    assert "".join(f"{byte:08b}" for byte in packed)[: basis.size**2] == rows
    drawing = qr.svg(bits, basis.size)
    (path,) = re.findall(r'd="([^"]*)"', drawing)
    dark, row, column = set(), 0, 0
    for start, x, y, moved, width in re.findall(r"(M)(\d+) (\d+)|m(\d+) 0(?:h(\d+)v1h-\5z)?", path):
        row, column = (int(y) - 4, int(x) - 4) if start else (row, column + int(moved))
        dark |= {
            (row, column + step) for step in range(int(width or 0))
        }  # `z` goes back to its start
    assert dark == {divmod(at, basis.size) for at, module in enumerate(rows) if module == "1"}
    assert "style" not in drawing
    assert f'viewBox="0 0 {basis.size + 8} {basis.size + 8}"' in drawing


@pytest.mark.parametrize("values", [("a" * 40,), ("a" * 42,), ("a" * 22, "b" * 18), ()])
def test_a_frame_of_another_length_is_an_error(values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        qr.QrBasis(TEMPLATE).frame(*values)


@pytest.mark.parametrize("template", ["한글~", "x" * 3000])
def test_a_template_that_does_not_fit_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match=r"ascii|too large"):
        qr.QrBasis(template)


def test_a_frame_costs_less_than_100_microseconds_and_a_basis_less_than_300_ms() -> None:
    started = time.process_time()
    basis = qr.QrBasis(TEMPLATE)
    built = time.process_time()
    for second in range(2000):
        qr.encode(basis.frame("a" * 22, f"{second:019d}"), basis.size)
    done = time.process_time()
    assert built - started < 0.3
    assert (done - built) / 2000 < 100e-6
