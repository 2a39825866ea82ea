"""`gongmu serve`: listens, finishes what it began, dies whole, and keeps queries out of its logs."""

import http.client
import os
import signal
import socket
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp import embedded, logs, serve
from idp.conf import Keys, Server, Settings, Stores
from idp.errors import ConfError, OutsideError
from idp.store import migrations
from idp.store.sql import open_engine
from tests.servers import Child, free_port

_PROGRAM = """
    import os, sys, time
    from idp import logs, serve
    from idp.conf import Server

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            time.sleep(1.5)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{os.getpid()} {environ['REMOTE_ADDR']}".encode()]

    def load():
        return application

    logs.configure("info")
    serve.run(Server.model_validate_json(sys.argv[1]), "info", load)
"""


class Running:
    """The server with a tiny application, as a child."""

    def __init__(self, **options: object) -> None:
        self.server = Server.model_validate({"workers": 1, "port": free_port(), **options})
        program = textwrap.dedent(_PROGRAM)
        command = [sys.executable, "-c", program, self.server.model_dump_json()]
        self.child = Child("serve", command)

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            if self.server.unix_socket:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.connect(str(self.server.unix_socket))
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def wait(self) -> "Running":
        self.child.wait_until(self._answer)
        return self

    def _answer(self) -> str | None:
        try:
            return self.get()
        except OSError:
            return None


@pytest.fixture
def running() -> Iterator[Running]:
    server = Running()
    yield server.wait()
    server.child.stop()


def test_requests_in_flight_are_finished(running: Running) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(running.get("/slow")))
    thread.start()
    time.sleep(0.5)
    assert running.child.stop()
    thread.join()
    assert answers
    assert answers[0].endswith("127.0.0.1")


def test_a_worker_does_not_outlive_the_server(running: Running) -> None:
    worker = int(running.get().split()[0])
    assert worker != running.child.process.pid
    running.child.process.kill()
    running.child.process.wait()
    end = time.monotonic() + 10
    while _lives(worker):
        assert time.monotonic() < end
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_worker_that_died_is_replaced(running: Running) -> None:
    time.sleep(6)  # granian calls a worker that dies younger than that a crash loop
    worker = int(running.get().split()[0])
    os.kill(worker, signal.SIGKILL)
    running.child.wait_until(
        lambda: answer if (answer := running._answer()) and str(worker) not in answer else None
    )


def test_queries_are_not_logged(running: Running) -> None:
    running.get("/callback?code=SECRETCODE&state=SECRETSTATE")
    running.child.process.send_signal(signal.SIGTERM)
    running.child.process.wait(20)
    written = running.child.tail() + running.child.stdout.read_text()
    assert "Listening" in written
    assert "SECRET" not in written
    assert "/callback" not in written


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_ends_it_at_once(number: signal.Signals) -> None:
    """As a terminal and systemd send it; the main process then signals its workers once more."""
    servers = [Running(workers=2).wait() for _ in range(6)]
    try:
        began = time.monotonic()
        for one in servers:
            os.killpg(one.child.process.pid, number)
        for one in servers:
            one.child.process.wait(15)
        assert time.monotonic() - began < servers[0].server.stop_grace_s / 2
    finally:
        for one in servers:
            one.child.stop()


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1])
def test_a_server_whose_workers_are_just_born_can_be_stopped(after_s: float) -> None:
    server = Running(workers=2)
    try:
        server.child.wait_until(lambda: True if workers_of(server) else None)
        time.sleep(after_s)
        os.killpg(server.child.process.pid, signal.SIGTERM)
        server.child.process.wait(10)
    finally:
        server.child.stop()


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = Running(unix_socket=str(path)).wait()
    try:
        assert path.stat().st_mode & 0o777 == 0o660
    finally:
        server.child.stop()


def test_a_port_that_is_taken_is_said(running: Running) -> None:
    with pytest.raises(ConfError, match="already in use"):
        serve.check_address(running.server)


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(ConfError, match=r"server\.port"):
        serve.check_address(Server(host="192.0.2.1", port=8000))


# --- before the workers ---------------------------------------------------------------------------


def settings_in(folder: Path) -> Settings:
    return Settings(
        issuer="http://localhost:8000",
        environment="demo",
        stores=Stores(sql_url=f"sqlite:///{folder}/gongmu.db"),
        keys=Keys(key_encryption_key_file=folder / "kek"),
    )


def test_a_demo_makes_its_schema_and_keys(tmp_path: Path) -> None:
    serve.check_stores(settings_in(tmp_path))
    engine = open_engine(settings_in(tmp_path).stores)
    migrations.check(engine)
    engine.dispose()


def test_production_refuses_an_old_schema(tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_copy(update={"environment": "production"})
    with pytest.raises(ConfError, match="gongmu db upgrade"):
        serve.check_stores(settings)


# --- the embedded store ---------------------------------------------------------------------------


def test_the_embedded_store_runs_and_goes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with embedded.running(settings) as ready:
        path = embedded.socket_path(settings)
        assert ready.stores.redis_url == f"unix://{path}"
        assert path.stat().st_mode & 0o077 == 0
        from idp.store.short import open_short

        short = open_short(ready.stores.redis_url)
        short.put("a:b", "c", 10)
        assert short.get("a:b") == "c"
        with pytest.raises(ConfError, match="already at work"):
            embedded.start(settings)
    assert not path.exists()
    assert not list(tmp_path.glob("*.rdb"))


def test_the_embedded_store_dies_with_us(tmp_path: Path) -> None:
    program = f"""
        import sys, time
        from pathlib import Path
        from idp import embedded
        from idp.conf import Keys, Settings, Stores
        settings = Settings(issuer="http://localhost:1", environment="demo",
                            keys=Keys(key_encryption_key_file=Path({str(tmp_path / "kek")!r})))
        child = embedded.start(settings)
        embedded.wait_ready(settings, child)
        print(child.pid, flush=True)
        time.sleep(60)
    """
    child = Child("embedded", [sys.executable, "-c", textwrap.dedent(program)])
    pid = int(child.wait_until(lambda: child.stdout.read_text().strip() or None))
    assert _lives(pid)
    child.process.kill()
    child.process.wait()
    end = time.monotonic() + 10
    while _lives(pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    child.stop()


def test_a_long_folder_name_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    settings = settings_in(folder)
    path = embedded.socket_path(settings)
    assert len(str(path)) < 100
    with embedded.running(settings):
        assert path.exists()
        assert path.parent.stat().st_mode & 0o077 == 0


def test_a_server_that_ended_is_said(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    child = embedded.start(settings)
    embedded.stop(child)
    with pytest.raises(OutsideError, match="ended"):
        embedded.wait_ready(settings, child)


def test_other_stores_are_left_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    stores = settings.stores.model_copy(update={"redis_url": "redis://localhost:1/0"})
    settings = settings.model_copy(update={"stores": stores})
    assert embedded.with_url(settings) is settings
    with embedded.running(settings) as same:
        assert same is settings


# --- logs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["client_secret", "Authorization", "id_token", "set_cookie"])
def test_a_field_named_like_a_secret_is_hidden(name: str) -> None:
    assert logs.hide_secrets(None, "info", {name: "abc", "event": "x"})[name] == "[hidden]"


def test_log_lines_are_one_line_of_json() -> None:
    program = """
        import logging
        import structlog
        from idp import logs
        logs.configure("info")
        structlog.get_logger("x").info("a\\nb\\x1b[31m", detail="c\\r\\nd", token="SECRET")
        logging.getLogger("y").error("e\\nf")
        structlog.get_logger("x").debug("not shown")
    """
    child = Child("logs", [sys.executable, "-c", textwrap.dedent(program)])
    child.process.wait(30)
    lines = child.tail().splitlines()
    child.stop()
    assert len(lines) == 2
    assert "\x1b" not in lines[0]
    assert "SECRET" not in lines[0]
    assert '"event": "e\\nf"' in lines[1]


def test_a_worker_that_cannot_start_says_why_and_the_server_ends() -> None:
    program = f"""
        from idp import logs, serve
        from idp.conf import Server
        from idp.errors import ConfError, Problem

        def load():
            raise ConfError([Problem("f", "issuer", 1, "x", "y")])

        logs.configure("info")
        serve.run(Server(port={free_port()}, workers=1), "info", load)
    """
    child = Child("serve", [sys.executable, "-c", textwrap.dedent(program)])
    assert child.process.wait(30) == 1
    written = child.tail()
    child.stop()
    assert "f:1: issuer: found x" in written
    assert "Traceback" not in written


# --- a core for each worker ----------------------------------------------------------------------------


def workers_of(server: Running) -> list[int]:
    main = server.child.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return [int(one) for one in children]


CORES = os.sched_getaffinity(0)


@pytest.mark.skipif(len(CORES) < 2, reason="one core is everybody's")
def test_each_worker_has_a_core_of_its_own_as_long_as_there_is_one() -> None:
    server = Running(workers=len(CORES) + 1).wait()
    try:
        server.child.wait_until(lambda: True if len(taken(server)) > len(CORES) else None)
        time.sleep(6)  # granian calls a worker that dies younger than that a crash loop
        settled = [one for one in taken(server) if len(one) == 1]
        assert set.union(*settled) == CORES
        assert taken(server).count(CORES) == 1  # none was left for it
        first = next(pid for pid in workers_of(server) if len(os.sched_getaffinity(pid)) == 1)
        core = os.sched_getaffinity(first)
        os.kill(first, signal.SIGKILL)
        server.child.wait_until(lambda: True if core in taken_without(server, first) else None)
    finally:
        server.child.stop()


def taken(server: Running) -> list[set[int]]:
    """Where the workers may run, those that are ready."""
    return taken_without(server, 0)


def taken_without(server: Running, gone: int) -> list[set[int]]:
    return [os.sched_getaffinity(pid) for pid in workers_of(server) if pid != gone]


def test_workers_are_left_alone_where_an_operator_says_so() -> None:
    server = Running(workers=1, pin_workers=False).wait()
    try:
        assert taken(server) == [CORES]
    finally:
        server.child.stop()
