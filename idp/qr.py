"""QR codes that change every second, for the price of a few XORs.

At a fixed version, level, mode and mask a QR matrix is an affine function over GF(2) of its payload
bits: placing is a permutation, Reed-Solomon is linear, mask and patterns are constant. `QrBasis`
draws one sample with segno, works out what each bit of the changing characters flips, and makes every
further frame from tables. It compares itself with segno once more when it is built.

A matrix is one integer: modules row by row, module (0, 0) the most significant bit, dark is 1.
(ISO/IEC 18004:2015 §7.4.5 byte mode, §7.5 error correction, §7.6 message, §7.7.3 placement)
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import segno
from segno import consts

HOLE = "~"  # stands for one changing character; percent-encoding leaves it alone (RFC 3986 §2.3)
QUIET_ZONE = 4  # modules; ISO/IEC 18004 §6.3.8
_RUNS_OF_DARK = re.compile("1+")
_SAMPLES = "A0"  # the two texts that build and check a basis


class QrBasis:
    """All QR codes of one template, e.g. "openid4vp://?...%2Fvp%2F~~~~%2Frequest%3Fframe%3D~~~".

    Every character `hole` in the template is a place for one ASCII character of a frame. Raises
    ValueError when the template is not ASCII or does not fit into a QR code.
    """

    def __init__(self, template: str, hole: str = HOLE) -> None:
        self._holes = [at for at, character in enumerate(template) if character == hole]
        sample = _draw(template.replace(hole, _SAMPLES[0]), mask=None)
        self.size: int = sample.symbol_size(border=0)[0]
        self._tables = _tables(sample, self._holes)
        self._base = 0
        self._base = _matrix(sample) ^ self.frame(_SAMPLES[0] * len(self._holes))
        check = _draw(template.replace(hole, _SAMPLES[1]), mask=sample.mask)
        if self.frame(_SAMPLES[1] * len(self._holes)) != _matrix(check):
            raise ValueError("the tables and segno disagree")

    def frame(self, *values: str) -> int:
        """The matrix with the holes filled, in their order, with the characters of `values`.

        Raises ValueError when there are not as many ASCII characters as holes.
        """
        filling = "".join(values).encode("ascii")
        bits = self._base
        for (high, low), byte in zip(self._tables, filling, strict=True):
            bits ^= high[byte >> 4] ^ low[byte & 15]
        return bits


def encode(bits: int, size: int) -> str:
    """A matrix packed for the page: base64, eight modules a byte, zeros at the end."""
    modules = size * size
    length = (modules + 7) // 8
    return b64encode((bits << (length * 8 - modules)).to_bytes(length, "big")).decode()


def _eight_modules(octet: int) -> str:
    """What draws eight modules of a row from the place where they begin, and goes on to their end."""
    path, at = "", 0
    for run in _RUNS_OF_DARK.finditer(f"{octet:08b}"):
        width = run.end() - run.start()
        path += f"m{run.start() - at} 0h{width}v1h-{width}z"
        at = run.start()
    return f"{path}m{8 - at} 0"


_EIGHT_MODULES = [_eight_modules(octet) for octet in range(256)]


def svg(bits: int, size: int) -> str:
    """A matrix as an inline SVG of one path; the caller adds the label beside it."""
    spare = -size % 8  # white modules that fill up the last octet of a row
    mask, octets = (1 << size) - 1, (size + spare) // 8
    path = "".join(
        f"M{QUIET_ZONE} {row + QUIET_ZONE}"
        + "".join(
            _EIGHT_MODULES[octet]
            for octet in (((bits >> (size - 1 - row) * size) & mask) << spare).to_bytes(octets)
        )
        for row in range(size)
    )
    whole = size + 2 * QUIET_ZONE
    return (
        f'<svg class="qr" role="img" viewBox="0 0 {whole} {whole}" shape-rendering="crispEdges">'
        f'<rect class="qr-ground" width="{whole}" height="{whole}" fill="#fff"/>'
        f'<path class="qr-modules" fill="#000" d="{path}"/></svg>'
    )


# --- what segno draws ---------------------------------------------------------------------------


def _draw(text: str, mask: int | None) -> Any:
    """A QR code by segno itself at level M in byte mode; `mask=None` lets it choose."""
    text.encode("ascii")  # else segno may choose another encoding, hence another bit stream
    return segno.make(
        text, error="m", mode="byte", mask=mask, micro=False, boost_error=False, eci=False
    )


def _matrix(code: Any) -> int:
    return int("".join("1" if module else "0" for row in code.matrix for module in row), 2)


# --- what one bit flips ---------------------------------------------------------------------------

Table = list[int]  # sixteen matrices, one for each value of a nibble


def _tables(code: Any, holes: list[int]) -> list[tuple[Table, Table]]:
    """For each hole what the high and the low nibble of its character add to the matrix."""
    header = 4 + (8 if code.version < 10 else 16)  # mode indicator, character count (§7.4.1)
    starts = [header + hole * 8 for hole in holes]
    wanted = {at >> 3 for start in starts for at in (start, start + 7)}
    flips = _codeword_flips(code, wanted)
    tables = []
    for start in starts:
        bits = [flips[at >> 3][at & 7] for at in range(start, start + 8)]
        tables.append((_nibbles(bits[:4]), _nibbles(bits[4:])))
    return tables


def _nibbles(bits: list[int]) -> Table:
    """XOR of the flips of each subset of four bits, most significant first."""
    table = [0]
    for flip in reversed(bits):
        table += [flip ^ known for known in table]
    return table


def _codeword_flips(code: Any, wanted: set[int]) -> dict[int, list[int]]:
    """For each wanted data codeword: the modules that each of its bits flips, the highest first."""
    levels: Any = consts.ECC[code.version]
    blocks = [
        (info.num_data, info.num_total - info.num_data)
        for info in levels[consts.ERROR_LEVEL_M]
        for _ in range(info.num_blocks)
    ]
    places = _places(code)
    data_place = _interleaved([data for data, _ in blocks], 0)
    parity_place = _interleaved([parity for _, parity in blocks], sum(d for d, _ in blocks))
    flips, codeword = {}, 0
    for block, (data, parity) in enumerate(blocks):
        remainders = _remainders(data, parity)
        for index in range(data):
            if codeword in wanted:
                changed = [(data_place[block][index], 1)]
                changed += zip(parity_place[block], remainders[index], strict=True)
                flips[codeword] = [_modules(changed, 128 >> bit, places) for bit in range(8)]
            codeword += 1
    return flips


def _modules(changed: list[tuple[int, int]], value: int, places: list[int]) -> int:
    """The modules of codewords that change by `factor * value`, as one matrix."""
    bits = 0
    for codeword, factor in changed:
        product = _multiply(factor, value)
        for bit in range(8):
            if product >> (7 - bit) & 1:
                bits |= places[codeword * 8 + bit]
    return bits


def _interleaved(lengths: list[int], first: int) -> list[list[int]]:
    """Where the codewords of each block lie in the message: column by column (§7.6)."""
    places: list[list[int]] = [[] for _ in lengths]
    columns = zip_longest(*(range(length) for length in lengths))
    for column in columns:
        for block, index in enumerate(column):
            if index is not None:
                places[block].append(first)
                first += 1
    return places


def _remainders(data: int, parity: int) -> list[list[int]]:
    """For each data codeword of a block the parity that the value 1 there gives (§7.5.2)."""
    generator = [1]
    for power in range(parity):
        root = _power_of_two(power)
        shifted = [*generator, 0]
        scaled = [0, *(_multiply(root, term) for term in generator)]
        generator = [a ^ b for a, b in zip(shifted, scaled, strict=True)]
    remainder = generator[1:]
    remainders = [remainder]
    for _ in range(data - 1):
        carry = remainder[0]
        remainder = [
            a ^ _multiply(carry, b) for a, b in zip([*remainder[1:], 0], generator[1:], strict=True)
        ]
        remainders.append(remainder)
    return remainders[::-1]


def _power_of_two(exponent: int) -> int:
    value = 1
    for _ in range(exponent):
        value = _multiply(value, 2)
    return value


def _multiply(a: int, b: int) -> int:
    """Product in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return product


def _places(code: Any) -> list[int]:
    """The module of each bit of the message: columns of two, right to left, up and down (§7.7.3)."""
    size = code.symbol_size(border=0)[0]
    kinds = [list(row) for row in code.matrix_iter(border=0, verbose=True)]
    data = (consts.TYPE_DATA_DARK, consts.TYPE_DATA_LIGHT)
    taken_for_format = (8, size - 9)  # segno's description, not its matrix, errs by this module
    return [
        1 << (size * size - 1 - (row * size + column))
        for row, column in _zigzag(size)
        if kinds[row][column] in data or (row, column) == taken_for_format
    ]


def _zigzag(size: int) -> Iterator[tuple[int, int]]:
    upwards = True
    columns = [right if right > 6 else right - 1 for right in range(size - 1, 0, -2)]
    for right in columns:  # column 6 is the timing pattern and is stepped over
        for step in range(size):
            row = size - 1 - step if upwards else step
            yield row, right
            yield row, right - 1
        upwards = not upwards
