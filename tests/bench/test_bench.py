"""The bench runs: one tiny round of everything, without looking at any time."""

import subprocess
import sys

import pytest

from tests.provider import ROOT

pytestmark = [pytest.mark.services, pytest.mark.interop]


def bench(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_operation_is_measured_on_both() -> None:
    table = bench("--rounds", "1", "--repetitions", "2", "--connections", "2", "--warm", "1")
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    assert len(rows) == 10
    compared = [row for row in rows if row[3].strip()]
    assert len(compared) == 7
    assert all(float(row[1]) > 0 for row in rows)


def test_waiting_browsers_are_all_answered() -> None:
    told = bench("--waiting", "40", "--seconds", "3")
    assert " 0 errors" in told
    assert "40 browsers" in told
