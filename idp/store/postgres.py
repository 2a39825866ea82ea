"""Connections to PostgreSQL with an end to every wait, kept by us and not by the server.

`statement_timeout` binds a server that lives, `tcp_user_timeout` a network that acknowledges nothing.
A machine that hangs, a paused virtual one or a firewall that swallows answers is bound by neither.
"""

import threading
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from idp.conf import Stores

T = TypeVar("T")
GRACE_S = 0.5  # the server's own time-out says more, so it comes first
_reaching = threading.local()


class reaching:  # noqa: N801 - reads as a word: `with reaching(seconds):`
    """While a connection is sought in this thread, no single wait lasts longer than this."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        _reaching.seconds = self._seconds

    def __exit__(self, *_exception: object) -> None:
        _reaching.seconds = None


class Bounded(psycopg.Connection[Any]):
    """A connection that is closed when an answer does not come in time."""

    patience_s: float | None = None  # None: as long as it takes (migrations)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """See psycopg. OperationalError, and a closed connection, when out of time."""
        bounds = (timeout, self.patience_s, getattr(_reaching, "seconds", None))
        known = [bound for bound in bounds if bound is not None]
        try:
            return super().wait(gen, interval, min(known) if known else None)
        except errors._WaitTimeout as error:  # noqa: SLF001 - the name psycopg documents for `wait`
            self.close()  # an answer may still be on its way: nobody else may read it
            raise psycopg.OperationalError("no answer in time") from error


def open_postgres(url: URL, stores: Stores) -> Engine:
    """An engine; connects lazily."""
    milliseconds = int(stores.timeout_s * 1000)
    writable = {} if "target_session_attrs" in url.query else {"target_session_attrs": "read-write"}
    engine = create_engine(
        url,
        hide_parameters=True,  # no value of a query in an error or a log
        pool_size=8,
        max_overflow=8,
        pool_timeout=stores.timeout_s,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(2, int(stores.timeout_s)),
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
            f" -c idle_in_transaction_session_timeout={20 * milliseconds} -c timezone=UTC",
            "tcp_user_timeout": milliseconds,
            **writable,  # never a standby, which may be behind
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, keywords: Any) -> Bounded:
        connection = Bounded.connect(*arguments, **keywords)
        connection.patience_s = stores.timeout_s + GRACE_S
        return connection

    return engine
