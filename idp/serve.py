"""`gongmu serve`: granian with one process per core, each of which builds its own application.

The main process reads the configuration, checks schema and keys once, and forks the workers; they
get the path of the configuration, open their own connections, and end when the main process does.
Another WSGI server can do the same: `gunicorn "idp.serve:wsgi('/etc/gongmu.toml')"`.
"""

import os
import signal
import socket
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from idp import embedded, logs
from idp.conf import Server, Settings
from idp.cores import Cores
from idp.errors import ConfError, GongmuError, OutsideError, Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MAX_HEAD = 40 * 1024  # an address of 8 KiB, headers of 16, a certificate in one of them
_STOPS = {signal.SIGINT, signal.SIGTERM}
STORE_PAUSE_S = 1.0  # between two tries of a worker that found a store away


def serve(path: Path) -> None:
    """Run until SIGTERM or SIGINT; requests in flight are finished. ConfError, OutsideError."""
    from idp import conf_file

    settings = conf_file.load(path)
    logs.configure(settings.log_level)
    with embedded.running(settings) as ready:
        check_stores(ready)
        run(settings.server, settings.log_level, partial(wsgi, str(path)))


def wsgi(path: str) -> "WSGIApplication":
    """The application for the configuration at `path`; called in each worker."""
    from idp import conf_file
    from idp.app import create_app, open_courier
    from idp.store.high_water import HighWater

    settings = conf_file.load(Path(path))
    logs.configure(settings.log_level)
    application = create_app(embedded.with_url(settings))
    parts = application.extensions["gongmu"]
    HighWater(parts.engine, parts.short).watch()
    open_courier(parts).start()
    return application


def check_stores(settings: Settings) -> None:
    """Before any worker: the schema is the one we know, the keys are there and can be opened."""
    from idp.app import utc_now
    from idp.journal import Journal
    from idp.keys import KeyRing
    from idp.store import migrations
    from idp.store.sql import open_engine

    engine = open_engine(settings.stores)
    try:
        if settings.environment == "demo":
            migrations.upgrade(engine)
        migrations.check(engine)
        KeyRing(engine, Journal(engine, utc_now), settings, utc_now).ensure()
    finally:
        engine.dispose()  # the workers open their own: a connection must not cross a fork


def run(server: Server, log_level: str, load: Callable[[], "WSGIApplication"]) -> None:
    """Listen as `[server]` says and answer with what `load` gives in each worker."""
    check_address(server)
    granian = _granian(
        address=server.host.strip("[]"),
        port=server.port,
        uds=server.unix_socket,
        workers=server.workers or os.cpu_count() or 1,
        blocking_threads=server.blocking_threads,
        workers_kill_timeout=server.stop_grace_s,
        ssl_cert=server.tls_certificate_file,
        ssl_key=server.tls_key_file,
        log_level=log_level,
    )
    _stop_by_thread(granian)
    cores = Cores() if server.pin_workers else None
    granian.serve(target_loader=partial(_in_worker, load, os.getpid(), cores), wrap_loader=False)


def _granian(*, log_level: str, **options: Any) -> Any:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    level = "error" if log_level == "warning" else log_level  # it warns of eight threads each time
    return Granian(
        "idp.serve:wsgi",
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # HTTP/2 is for the proxy in front; less to attack here
        http1_settings=HTTP1Settings(max_buffer_size=MAX_HEAD),
        websockets=False,
        uds_permissions=0o660,
        ssl_protocol_min=SSLProtocols.tls12,
        log_access=False,  # a query string holds codes and states
        log_level=LogLevels(level),
        log_dictconfig=logs.granian(level),
        respawn_failed_workers=True,
        **options,
    )


def _in_worker(
    load: Callable[[], "WSGIApplication"], parent: int, cores: Cores | None
) -> "WSGIApplication":
    if cores is not None:
        cores.settle()
    _heed_first_term()
    embedded.die_with_parent()
    if os.getppid() != parent:  # it went before we could ask to be told
        raise SystemExit(1)
    log = structlog.get_logger("gongmu.serve")
    while True:
        try:
            return load()
        except (
            OutsideError
        ) as error:  # a store that is away comes back: a worker that left would not
            log.warning("waiting", system=error.system)
            time.sleep(STORE_PAUSE_S)
        except GongmuError as error:
            log.error("not_started", detail=error.detail)  # noqa: TRY400 - words for an operator, no trace
            raise SystemExit(1) from None


def _stop_by_thread(granian: Any) -> None:
    """Granian's handler sets an Event, whose lock the main thread may hold just then: a thread can wait for it.

    While a worker is born signals wait, and in the worker until it listens: with the main process's handlers,
    which it is born with, it would hear them and do nothing.
    """
    stop = granian.signal_handler_interrupt
    granian.signal_handler_interrupt = lambda *_: start_new_thread(stop, ())
    os.register_at_fork(
        before=partial(signal.pthread_sigmask, signal.SIG_BLOCK, _STOPS),
        after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOPS),
    )


def _heed_first_term() -> None:
    """In a worker: a thread hands the first TERM on to granian's handler; INT and a second TERM do nothing.

    A terminal, or systemd, signals every process, and the main process its workers once more. Python would run
    the handler of the second within that of the first, and wait for ever for the lock which that one holds. Of
    Ctrl-C the main process tells us: a worker that ended before it does would look crashed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def heed() -> None:
        signal.sigwait({signal.SIGTERM})
        handler = signal.getsignal(signal.SIGTERM)
        if not callable(handler):  # granian does not listen yet: there is nothing to finish
            os._exit(128 + signal.SIGTERM)
        handler(signal.SIGTERM, None)

    threading.Thread(target=heed, name="signals", daemon=True).start()


def check_address(server: Server) -> None:
    """A port that is taken is a mistake in the configuration, said as one: ConfError."""
    if server.unix_socket is not None:
        return
    host = server.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, server.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, server.port))
    except OSError as error:
        found = f"{host}:{server.port} ({(error.strerror or 'not usable').lower()})"
        problem = Problem("configuration", "server.port", None, found, "a free address of ours")
        raise ConfError([problem]) from error
