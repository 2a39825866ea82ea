"""Processor time of a process and all it started, from the kernel's own accounting."""

import os
from contextlib import suppress
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for one in found:  # grows while it is walked
        with suppress(*_GONE):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def seconds(pid: int) -> float:
    """Processor seconds spent so far: each thread to the nanosecond, where the kernel tells."""
    return sum(_of_threads(one) for one in tree(pid))


def _of_threads(pid: int) -> float:
    spent = 0.0
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*_GONE):
                spent += int((task / "schedstat").read_text().split()[0]) / 1e9
    return spent or _of_process(pid)


def _of_process(pid: int) -> float:
    with suppress(*_GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return 0.0


def resident_mib(pid: int) -> float:
    """Memory that one process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
