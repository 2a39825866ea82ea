"""Real servers for tests: started on loopback at free ports, stopped by their own process id.

A `Child` is a process with a deadline to become ready; its stderr is shown when it does not. A child
dies with the test run even when that is killed (`setpriv --pdeathsig`).
"""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
import redis
from psycopg import sql

T = TypeVar("T")
DEADLINE_S = 60.0
_numbers = itertools.count(1)


class DidNotStart(Exception):
    """A server was not ready in time, or ended at once; the text holds the end of its stderr."""


def free_port(following: int = 0) -> int:
    """A free TCP port on loopback whose `following` next ones are free too."""
    for _ in range(200):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                for offset in range(1, following + 1):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port
    raise DidNotStart("no free port")


class Child:
    """A child process with its output in files."""

    def __init__(self, name: str, command: list[str], *, env: Mapping[str, str] | None = None):
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"gongmu-{name}-"))
        self.stdout, self.stderr = self.folder / "stdout", self.folder / "stderr"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # so that what it leaves behind can be ended with it
            )

    def wait_until(self, ready: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
        """What `ready` gives once it gives something. DidNotStart after the deadline."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            found = ready()
            if found is not None:
                return found
            if self.process.poll() is not None:
                raise DidNotStart(
                    f"{self.name} ended with {self.process.returncode}\n{self.tail()}"
                )
            time.sleep(0.02)
        raise DidNotStart(f"{self.name} was not ready in {deadline_s} s\n{self.tail()}")

    def tail(self, characters: int = 6000) -> str:
        """The end of what it wrote to stderr."""
        return self.stderr.read_text(errors="replace")[-characters:]

    def stop(self, number: signal.Signals = signal.SIGTERM, deadline_s: float = 15.0) -> bool:
        """End it, with all that it started; false when it did not end by itself in time."""
        willing = True
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                willing = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group, by its own id
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return willing


class RedisProcess:
    """A redis-server of our own at `url`, which can be ended and started again."""

    def __init__(self, data: str) -> None:
        port = free_port()
        self._data = Path(data)
        self.url = f"redis://127.0.0.1:{port}/0"
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", data, "--save", ""]
        self._command = ["redis-server", *options]
        self._start()

    def _start(self) -> None:
        self.child = Child("redis", self._command)
        self.child.wait_until(lambda: _redis_answers(self.url))

    def restart(self, *, keep: bool) -> None:
        """Another process on the same port, with all the old one held or with nothing."""
        with redis.Redis.from_url(self.url) as client:
            client.shutdown(save=keep, nosave=not keep)
        self.child.stop()
        if not keep:
            (self._data / "dump.rdb").unlink(missing_ok=True)  # of an earlier restart
        self._start()


@contextlib.contextmanager
def redis_process() -> Iterator[RedisProcess]:
    """A redis-server of our own that a test may restart."""
    with tempfile.TemporaryDirectory(prefix="gongmu-redis-data-") as data:
        process = RedisProcess(data)
        try:
            yield process
        finally:
            process.child.stop()


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """A redis-server of our own; gives its URL."""
    with redis_process() as process:
        yield process.url


@dataclass
class Canary:
    """A listener that nobody should ever call."""

    url: str
    calls: int = 0


@contextlib.contextmanager
def canary() -> Iterator[Canary]:
    """Counts who connects; answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        found = Canary(f"http://127.0.0.1:{listener.getsockname()[1]}/keys")
        over = threading.Event()
        thread = threading.Thread(target=_count_calls, args=(listener, found, over))
        thread.start()
        try:
            yield found
        finally:
            over.set()
            thread.join()


def _count_calls(listener: socket.socket, found: Canary, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        found.calls += 1
        connection.close()


def _redis_answers(url: str) -> bool | None:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return None


def _postgres_program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise DidNotStart(f"PostgreSQL's {name} is not installed")
    return str(found[-1])


def _as_postgres() -> list[str]:
    """How to run a command as the user postgres (initdb refuses root)."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL cluster of our own with a database "gongmu"; gives its SQLAlchemy URL."""
    port = free_port()
    data = Path(tempfile.mkdtemp(prefix="gongmu-postgres-data-"))
    child = None
    try:
        if os.geteuid() == 0:
            shutil.chown(data, "postgres", "postgres")
        initdb = [
            _postgres_program("initdb"),
            "-D",
            str(data / "db"),
            "-U",
            "gongmu",
            "-A",
            "trust",
        ]
        subprocess.run(
            [*_as_postgres(), *initdb, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True,
            capture_output=True,
            timeout=DEADLINE_S,
            cwd=data,
        )
        options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(data), "-F"]
        program = [_postgres_program("postgres"), "-D", str(data / "db"), *options]
        child = Child("postgres", [*_as_postgres(), *program, "-c", "max_connections=200"])
        child.wait_until(lambda: _postgres_answers(port))
        yield new_database(f"postgresql+psycopg://gongmu@127.0.0.1:{port}/postgres", "gongmu")
    finally:
        if child is not None:
            child.stop(signal.SIGINT)  # "fast" shutdown: does not wait for clients
        shutil.rmtree(data, ignore_errors=True)


def _postgres_answers(port: int) -> bool | None:
    try:
        psycopg.connect(f"host=127.0.0.1 port={port} user=gongmu dbname=postgres").close()
    except psycopg.OperationalError:
        return None
    return True


def new_database(url: str, name: str) -> str:
    """An empty database beside the one at `url`; gives its URL.

    Its name gets a number: a fixture of a package is built again whenever the order of the tests comes
    back to that package.
    """
    name = f"{name}_{next(_numbers)}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{url.rsplit('/', 1)[0]}/{name}"
