"""A core for each worker of `gongmu serve`.

Python runs one thread of a process at a time. Threads that sit on several cores wake one another there for
nothing: on one core the same requests cost a third to a half less (docs/performance.md).
"""

import fcntl
import os
import platform
from pathlib import Path

_SIZE = 4  # octets of a process id


class Cores:
    """Made in the main process, shared by its workers: which of them sits on which core."""

    def __init__(self) -> None:
        linux = platform.system() == "Linux"
        self._cores = sorted(os.sched_getaffinity(0)) if linux else []
        # Several servers on one machine begin at different cores.
        self._first = os.getpid()
        self._file = os.memfd_create("gongmu-cores") if linux else -1

    def settle(self) -> None:
        """In a worker, before it has threads: stay on a core that no other has; anywhere when none is left."""
        if not self._cores:
            return
        fcntl.lockf(self._file, fcntl.LOCK_EX)  # a worker that dies here lets go of it
        try:
            core = self._take()
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        if core is not None:
            os.sched_setaffinity(0, {core})

    def _take(self) -> int | None:
        for number in range(len(self._cores)):
            at = (number + self._first) % len(self._cores)
            holder = os.pread(self._file, _SIZE, at * _SIZE)
            if not _is_sibling(int.from_bytes(holder, "little")):
                os.pwrite(self._file, os.getpid().to_bytes(_SIZE, "little"), at * _SIZE)
                return self._cores[at]
        return None


def _is_sibling(pid: int) -> bool:
    """Whether this is a living worker of the same server; the number may have been given anew."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    state, parent = stat.rpartition(b")")[2].split()[:2]
    return state != b"Z" and int(parent) == os.getppid()
