"""Real Redis and PostgreSQL for the bench, with their process ids, so that their share is told too."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import redis

from tests.servers import postgres_server, redis_server


@dataclass(frozen=True, slots=True)
class Stores:
    """Where they are, and the processes to look at."""

    redis_url: str
    sql_url: str
    pids: list[int]


@contextmanager
def opened() -> Iterator[Stores]:
    """Both, for as long as the bench runs."""
    with redis_server() as redis_url, postgres_server() as sql_url:
        with redis.Redis.from_url(redis_url) as client:
            redis_pid = int(client.info("server")["process_id"])
        with psycopg.connect(sql_url.replace("+psycopg", "")) as connection:
            # The server's main process: its children are the ones that serve us.
            row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
        assert row is not None
        yield Stores(redis_url, sql_url, [redis_pid, int(str(row[0]).splitlines()[0])])
