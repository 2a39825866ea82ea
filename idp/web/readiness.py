"""What `/readyz` asks: every system at once, a second for all, and never the same question twice at a time."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

from sqlalchemy import text

from idp import metrics
from idp.errors import OutsideError
from idp.services import Services
from idp.store.sql import transaction

PATIENCE_S = 1.0
_lock = threading.Lock()
_asked: dict[str, Future[str]] = {}  # the last question to each system, perhaps still unanswered


def states(parts: Services) -> dict[str, str]:
    """System -> "ok" or "unavailable"; who does not answer in time is asked no more until it did."""
    checks: Mapping[str, Callable[[], None]] = {
        "sql": lambda: _sql_answers(parts),
        "redis": parts.short.ping,
        "directory": parts.people.check,
    }
    with _lock:
        for name, check in checks.items():
            if name not in _asked or _asked[name].done():
                _asked[name] = _threads().submit(_state, check)
        asked = dict(_asked)
    wait(asked.values(), PATIENCE_S)
    return {name: one.result() if one.done() else "unavailable" for name, one in asked.items()}


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(3, thread_name_prefix="gongmu-ready")


def _sql_answers(parts: Services) -> None:
    with transaction(parts.engine) as connection:
        connection.execute(text("SELECT 1"))


def _state(check: Callable[[], None]) -> str:
    try:
        check()
    except OutsideError as error:
        metrics.OUTSIDE.labels(error.system).inc()
        return "unavailable"
    return "ok"
