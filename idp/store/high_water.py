"""Whether SQL went back in time: a backup was restored, or a standby took over that lacks the last writes.

What was revoked since would live again, so nothing is answered from such a database until an operator
has said what is to be revoked once more (`gongmu db restored`; A-274, F-21). Each event has a number in
its writer's chain, so the sum of the chains' ends only rises. How high it stood is remembered outside
SQL: in each process, which looks at every new connection, and in the short-lived store for those that
start. Where that store is new as well, nobody can tell: then the operator has to.
"""

import threading
import time
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from idp.errors import OutsideError
from idp.store.short import RedisShort
from idp.store.sql import halt, resume, told

EVERY_S = 2.0
_KEY = "mark:events"
_REMEMBERED_S = 90 * 86400
_TOTAL = "SELECT coalesce(sum(seq), 0) FROM writers"
_log = structlog.get_logger("gongmu.store")


class HighWater:
    """The mark of one process, and of all. `watch` keeps it; `allow` takes it down to what there is."""

    def __init__(self, engine: Engine, short: RedisShort) -> None:
        self._engine = engine
        self._short = short
        self._seen = 0

    def watch(self) -> None:
        """Look now, before the first request, and from now on. A store that is away is looked at later."""
        with suppress(OutsideError):
            self.check()
        event.listen(self._engine, "connect", self._connected)
        threading.Thread(target=self._run, name="gongmu-high-water", daemon=True).start()

    def check(self) -> None:
        """Compare, then raise the mark. OutsideError: SQL went back and is answered from no more."""
        stood, total = self.heights()
        if total < max(stood, self._seen if not stood else 0):
            raise self._went_back(total)
        if resume(self._engine):
            _log.warning("sql_allowed", events=total)
        self._seen = total
        self._short.put(_KEY, str(total), _REMEMBERED_S)

    def allow(self) -> None:
        """An operator says that this is the database to go on with."""
        self._short.put(_KEY, str(self._total()), _REMEMBERED_S)

    def heights(self) -> tuple[int, int]:
        """How high SQL stood, as all processes know, and how high it stands. OutsideError."""
        stood = int(self._short.get(_KEY) or 0)  # first: SQL can only have risen since
        return stood, self._total()

    def _total(self) -> int:
        """Asked even of a database that is not answered from."""
        try:
            with self._engine.connect() as connection:
                return int(connection.execute(text(_TOTAL)).scalar_one())
        except DBAPIError as error:
            raise OutsideError("sql", told(error)) from error

    def _connected(self, connection: Any, _record: object) -> None:
        """A database that was restored has ended the connections it had: so this one is looked at first."""
        driver: Any = self._engine.dialect.loaded_dbapi
        with suppress(driver.Error):  # then it fails at its first use as well
            cursor = connection.cursor()
            cursor.execute(_TOTAL)
            total = int(cursor.fetchone()[0])
            cursor.close()
            connection.rollback()
            if total < self._seen:
                self._went_back(total)

    def _went_back(self, total: int) -> OutsideError:
        if halt(self._engine):
            _log.error("sql_went_back", events=total, stood=self._seen, remedy="gongmu db restored")
        return OutsideError("sql", "older than it was; see: gongmu db restored")

    def _run(self) -> None:
        while True:
            time.sleep(EVERY_S)
            with suppress(OutsideError):
                self.check()
