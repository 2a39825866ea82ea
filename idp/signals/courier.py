"""The courier: one daemon thread per process that sees to it that letters are delivered."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog
from sqlalchemy import Engine

from idp.errors import GongmuError, OutsideError
from idp.events import Event
from idp.journal import Journal
from idp.signals import outbox
from idp.signals.outbox import Letter
from idp.store.sql import transaction

_log = structlog.get_logger("gongmu.signals")
_COMMIT_S = 0.02  # letters are heard before their commit
_LOST = 10  # tries that came to nothing because we died each time, before a letter is given up


class Outcome(StrEnum):
    """Of one try."""

    DELIVERED = "delivered"
    DELAYED = "delayed"
    FAILED = "failed"


class Handler(Protocol):
    """Knows one kind of letter."""

    def deliver(self, letter: Letter) -> None:
        """One try, of at most three seconds. OutsideError when the receiver has not taken it."""

    def event(self, letter: Letter, outcome: Outcome, cause: str) -> Event:
        """How that is told in the journal."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, how often, how many at once."""

    poll_s: float = 1.0
    lease_s: float = 6.0  # a try of 3 s, and room; then another worker takes over
    retries_s: tuple[float, ...] = (2, 8, 50, 180, 360)  # five, over ten minutes
    threads: int = 16
    for_one: int = 4  # threads for one target
    kept_days: int = 7  # settled letters

    @property
    def given_up_after(self) -> timedelta:
        """A letter older than all retries together is not tried again when that try fails too."""
        return timedelta(seconds=sum(self.retries_s) + self.lease_s * len(self.retries_s))


@dataclass(frozen=True, slots=True)
class Chore:
    """Something else to do from time to time. It may raise OutsideError."""

    every_s: float
    do: Callable[[], object]


class Courier:
    """Claims letters and has each delivered in a thread of its own, of which there are few.

    A target whose last try failed is in doubt: it gets one thread, and all targets in doubt
    together get half of them, so that the slow and the dead keep nobody waiting.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        handlers: Mapping[str, Handler],
        now: Callable[[], datetime],
        *,
        chores: tuple[Chore, ...] = (),
        pace: Pace | None = None,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._handlers = handlers
        self._now = now
        self._pace = pace or Pace()
        self._chores = dict.fromkeys((*chores, Chore(3600.0, self._forget)), 0.0)
        self._bell = outbox.bell_of(engine)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()  # target -> threads
        self._in_doubt: set[str] = set()
        self._sql_away = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; to be called in the process that serves, after any fork."""
        self._thread = threading.Thread(target=self._run, name="gongmu-courier", daemon=True)
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Take no more letters, and wait a while for those on their way."""
        self._stopped.set()
        self._bell.set()
        end = time.monotonic() + wait_s
        if self._thread is not None:
            self._thread.join(wait_s)
        while self._busy.total() and time.monotonic() < end:
            time.sleep(0.01)

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if self._bell.wait(self._pace.poll_s):
                    self._bell.clear()
                    self._stopped.wait(_COMMIT_S)
                self._round()
        finally:
            # A fault of ours, shown by the interpreter, must not silence the outbox for good.
            if not self._stopped.wait(self._pace.poll_s):
                self.start()

    def _round(self) -> None:
        """All that is due and that there are threads for, then the chores whose time has come."""
        try:
            while (letter := self._claim()) is not None:
                self._send(letter)
            for chore, due in self._chores.items():
                if time.monotonic() >= due:
                    self._chores[chore] = time.monotonic() + chore.every_s
                    chore.do()
            self._sql_away = False
        except OutsideError as error:  # letters are safe where they are
            if not self._sql_away:
                _log.warning("outbox_waits", system=error.system, detail=error.detail)
            self._sql_away = True

    def _claim(self) -> Letter | None:
        with self._lock:
            full = self._busy.total() >= self._pace.threads
        if full or self._stopped.is_set():
            return None
        pace = self._pace
        kinds = tuple(self._handlers)
        return outbox.claim(self._engine, kinds, self._now(), pace.lease_s, self._enough())

    def _enough(self) -> set[str]:
        """Targets that get no further thread now."""
        with self._lock:
            enough = {
                target
                for target, count in self._busy.items()
                if count >= (1 if target in self._in_doubt else self._pace.for_one)
            }
            doubtful = sum(self._busy[target] for target in self._in_doubt)
            return enough | self._in_doubt if doubtful >= self._pace.threads // 2 else enough

    def _send(self, letter: Letter) -> None:
        with self._lock:
            self._busy[letter.target] += 1
        name = f"gongmu-{letter.kind}"
        threading.Thread(target=self._carry, args=(letter,), name=name, daemon=True).start()

    def _forget(self) -> None:
        outbox.forget(self._engine, self._now() - timedelta(days=self._pace.kept_days))

    # --- one letter -----------------------------------------------------------------------------

    def _carry(self, letter: Letter) -> None:
        try:
            self._settle(letter, self._try(letter))
        except OutsideError as error:  # SQL: nothing is known to have happened, the lease will end
            _log.warning("outbox_unsettled", letter=letter.id, detail=error.detail)
        finally:
            with self._lock:
                self._busy[letter.target] -= 1
                self._busy += Counter()  # drops the zeros
            self._bell.set()

    def _try(self, letter: Letter) -> str:
        """Why it was not delivered; "" when it was."""
        if letter.tries > len(self._pace.retries_s) + _LOST:
            return "lost too often"
        try:
            self._handlers[letter.kind].deliver(letter)
        except OutsideError as error:
            if error.system == "sql":
                raise
            cause = error.detail.removeprefix(f"{error.system}: ")
        except GongmuError as error:  # a key that is not there: in order again some day
            cause = error.reason.value
        else:
            return ""
        _log.warning("letter_not_taken", letter=letter.id, to=letter.target, cause=cause)
        return cause

    def _settle(self, letter: Letter, cause: str) -> None:
        """Done, later, or given up: with its event, in one transaction."""
        now = self._now()
        outcome, again_at = self._verdict(letter, cause, now)
        with self._lock:
            (self._in_doubt.add if cause else self._in_doubt.discard)(letter.target)
        with transaction(self._engine) as connection:
            failed = outcome is Outcome.FAILED
            if outbox.settle(connection, letter, now, again_at=again_at, failed=failed):
                event = self._handlers[letter.kind].event(letter, outcome, cause)
                self._journal.record(connection, event)

    def _verdict(
        self, letter: Letter, cause: str, now: datetime
    ) -> tuple[Outcome, datetime | None]:
        if not cause:
            return Outcome.DELIVERED, None
        retries = self._pace.retries_s
        if letter.tries > len(retries) or now - letter.created_at > self._pace.given_up_after:
            return Outcome.FAILED, None
        return Outcome.DELAYED, now + timedelta(seconds=retries[letter.tries - 1])
