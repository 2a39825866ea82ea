"""docs/conformance.md and the attacks, held to the tree: what is named exists, what is missing has a reason."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (R-\d{3}) \|(.*)\|$", PAGE, re.MULTILINE)
REASONS = PAGE.partition("## What is not wholly met")[2]
REQUIREMENTS = [*range(1, 17), *range(20, 25), *range(55, 58), *range(60, 64), *range(80, 85)]
ATTACKS = [*range(1, 46), *range(50, 91), *range(100, 115), *range(120, 136)]


def names_of_tests(folders: Iterable[Path]) -> set[str]:
    """The name of every test function in them."""
    files = chain.from_iterable(folder.rglob("test_*.py") for folder in folders)
    return set(
        chain.from_iterable(
            re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
            for file in files
        )
    )


UNIT = ROOT / "tests" / "unit"
TESTS = names_of_tests([ROOT / "tests"])
AT_A_SERVER = names_of_tests(path for path in (ROOT / "tests").iterdir() if path != UNIT)


def reason(number: str) -> str:
    """What the page says of something that is not wholly met."""
    found = re.search(rf"^- [^:]*\b{number}\b[^:]*: (.+)", REASONS, re.MULTILINE)
    return found[1] if found else ""


def test_every_requirement_has_its_line() -> None:
    assert [number for number, _ in ROWS] == [f"R-{number:03d}" for number in REQUIREMENTS]


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_what_a_line_names_exists(number: str, row: str) -> None:
    _asks, verdict, code, tests = (cell.strip() for cell in row.split(" | "))
    assert verdict in ("met", "partly", "not met", "`fapi2`")
    assert verdict == "met" or reason(number), "no reason"
    files = re.findall(r"`([^`]+)`", code)
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert [name for name in named if name not in TESTS] == []


def test_every_test_that_the_page_names_exists() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - TESTS == set()


def test_no_reason_is_left_over() -> None:
    open_ones = {number for number, row in ROWS if row.split(" | ")[1].strip() != "met"}
    given = set(
        re.findall(r"\bR-\d{3}\b", " ".join(re.findall(r"^- ([^:]+):", REASONS, re.MULTILINE)))
    )
    assert given == open_ones


@pytest.mark.parametrize("number", ATTACKS)
def test_every_attack_is_tried_at_a_running_server_or_has_a_reason(number: int) -> None:
    tried = any(re.search(rf"_a{number:03d}(_|$)", name) for name in AT_A_SERVER)
    assert tried or reason(f"A-{number:03d}")
