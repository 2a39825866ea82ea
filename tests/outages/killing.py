"""Kills the provider exactly when the n-th answer of a store is on its way to it (F-08).

What the store was asked is done by then, and the provider does not learn it. So between any two
requests to the stores there is one such point, and together they are every state that a step can leave.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.provider import ROOT


@dataclass
class Point:
    """Acts once, when the n-th answer comes; counts in any case."""

    number: int
    act: Callable[[], None]
    seen: int = 0
    reached: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> None:
        with self._lock:
            self.seen += 1
            if self.seen == self.number:
                self.reached = True
                self.act()


class Lives:
    """One provider after the other on the same configuration, address and stores."""

    def __init__(self, conf_file: Path, issuer: str) -> None:
        self._issuer = issuer
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.outages.forked"]
        self._forker = subprocess.Popen(
            [*command, str(conf_file)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._pid = 0

    def begin(self) -> None:
        """A new life; returns when it answers."""
        assert self._forker.stdin is not None
        assert self._forker.stdout is not None
        self._forker.stdin.write("\n")
        self._forker.stdin.flush()
        self._pid = int(self._forker.stdout.readline())
        for _ in range(600):
            try:
                httpx.get(f"{self._issuer}/healthz", timeout=5)
            except httpx.TransportError:
                threading.Event().wait(0.02)
            else:
                return
        raise AssertionError("the provider did not come back")

    def kill(self) -> None:
        """Signal 9 to all of it: what it was doing is over now."""
        os.killpg(self._pid, signal.SIGKILL)

    def end(self) -> None:
        """No more lives."""
        self.kill()
        self._forker.kill()
        self._forker.communicate()
