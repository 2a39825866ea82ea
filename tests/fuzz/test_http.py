"""Hostile HTTP on every route: no 5xx, no trace of the inside, no secret in a log, no growth.

A failure prints its seed and the request. GONGMU_SOAK=1 sends 100,000 requests, GONGMU_SOAK=<n> that many.
"""

import os
import re
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutate import MARK, Mutator
from tests.fuzz.seeds import Seeds, gather
from tests.fuzz.wire import PATIENCE_S, Got, Sent, exchange
from tests.provider import Provider

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(7200 if os.environ.get("GONGMU_SOAK") else 120),
]
SOAK = int(os.environ.get("GONGMU_SOAK") or 0)
REQUESTS = 100_000 if SOAK == 1 else SOAK or 600
SOAK_S = float(os.environ.get("GONGMU_SOAK_S") or 7000)  # no new round after that
BATCH = 5_000  # tokens live for five minutes
SEED = int(os.environ.get("GONGMU_FUZZ_SEED") or 20260701)
SENDERS = 4
WARM = 200
GROWTH_MIB = 60
INSIDE = re.compile(
    r"Traceback \(most recent|File \"/|site-packages|\.py\b.{0,20}line \d|sqlalchemy|psycopg|"
    r"\b(?:[A-Z][a-z]+)+(?:Error|Exception)\b|/home/|/usr/lib"
)


@dataclass
class Tally:
    """What was seen."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    worst: float = 0.0
    secrets: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        classes = Counter(f"{status // 100}xx" for status in self.statuses.elements())
        return (
            f"{classes.total()} requests, {dict(classes)}, {dict(sorted(self.statuses.items()))}, "
            f"worst {self.worst:.2f} s, {len(self.faults)} faults"
        )

    def take(self, seed: int, sent: Sent, got: Got) -> None:
        self.statuses[got.status] += 1
        self.worst = max(self.worst, got.seconds)
        fault = fault_of(got)
        if fault:
            self.faults.append(
                f"{fault}\nseed {seed}\n{sent}\n{got.head}\n{got.body[:2000]}"[:6000]
            )


def fault_of(got: Got) -> str:
    """What is wrong with an answer, "" when nothing is."""
    if got.status >= 500:
        return f"status {got.status}"
    if got.seconds > PATIENCE_S:
        return f"{got.seconds:.1f} s"
    if found := INSIDE.search(got.body):
        return f"shows the inside: {found.group()}"
    if "\nX-Zq7" in got.head:
        return "a header of ours"
    if "text/html" in got.head.lower() and MARK in got.body:
        return "reflected"
    return ""


def test_every_route_withstands_hostile_requests(fuzzed: Provider) -> None:
    tally, pid = Tally(), fuzzed.child.process.pid
    missing: list[str] = []
    before, growth, report, end = dict[int, int](), 0.0, "", time.monotonic() + SOAK_S
    for first in range(0, REQUESTS, BATCH):
        if time.monotonic() > end:
            break
        seeds = gather(fuzzed, first // BATCH, missing.append)
        tally.secrets |= seeds.secrets
        numbers = range(SEED + first, SEED + min(first + BATCH, REQUESTS))
        send = partial(sent_once, fuzzed.issuer, seeds, tally)
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(send, numbers[:WARM]))
            before = before or memory_kib(pid)
            list(senders.map(send, numbers[WARM:]))
        growth = max(now - before.get(one, now) for one, now in memory_kib(pid).items()) / 1024
        report = f"from seed {SEED}: {tally}, grown {growth:.1f} MiB, {len(missing)} seeds missing"
        print(report, file=sys.stderr, flush=True)  # noqa: T201 - the figures of a soak
    assert growth < GROWTH_MIB, report
    assert not tally.faults, "\n\n".join(tally.faults[:10])
    assert fuzzed.child.process.poll() is None
    assert not told_in_logs(fuzzed, tally.secrets)
    assert SOAK or not missing, "\n".join(missing)


def sent_once(issuer: str, seeds: Seeds, tally: Tally, seed: int) -> None:
    """The request of that seed, and what came of it."""
    sent = Mutator(Random(seed), seeds).next()
    try:
        tally.take(seed, sent, exchange(issuer, sent))
    except TimeoutError:
        tally.faults.append(f"no answer\nseed {seed}\n{sent}"[:6000])


def told_in_logs(provider: Provider, secrets: set[str]) -> list[str]:
    """Lines with a secret or a traceback."""
    text = provider.child.stdout.read_text(errors="replace") + provider.child.tail(1 << 30)
    never = {"Traceback", *secrets}
    return [line for line in text.split("\n") if any(one in line for one in never)][:20]


def memory_kib(pid: int) -> dict[int, int]:
    """Resident, of a process and each of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    own = {pid: int(found.group(1)) if found else 0}
    return own | {key: kib for child in children for key, kib in memory_kib(int(child)).items()}
