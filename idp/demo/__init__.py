"""`gongmu demo`: the whole thing on one machine with nothing installed beside it (design section 9).

    prepare folder, configuration, TLS -> start Valkey | start the relying parties (they import)
      -> make schema and keys, register, read the people -> tell the relying parties what to serve
      -> fork the provider's worker -> poll /readyz -> say so

What takes long runs beside what takes long. Children die with us, however we go.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from idp.demo.folder import Options, Place, prepare
from idp.errors import ConfError, Problem

if TYPE_CHECKING:
    from idp.conf import Settings
    from idp.demo.seed import Seeded

__all__ = ["Options", "run"]


def run(options: Options, data: Path | None, *, as_json: bool) -> None:
    """Run the demo until SIGTERM or SIGINT. ConfError, OutsideError when it cannot start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)  # until granian listens for them itself
    with _folder(data) as folder, contextlib.ExitStack() as stack:
        place = prepare(folder, options)
        _run(place, stack, kept=data is not None, as_json=as_json)


def _run(place: Place, stack: contextlib.ExitStack, *, kept: bool, as_json: bool) -> None:
    from idp import conf_file, embedded, logs, serve

    settings = conf_file.load(place.conf_file)
    logs.configure(settings.log_level)
    parties = settings.server.model_copy(update={"port": place.port + 1})
    for server in (settings.server, parties):
        serve.check_address(server)
    valkey = embedded.start(settings)
    stack.callback(embedded.stop, valkey)
    child = _start_parties()
    stack.callback(_end, child)
    settings = embedded.with_url(settings)
    if place.tls:  # for OpenSSL: the provider posts to our relying parties and must trust them
        os.environ["SSL_CERT_FILE"] = str(place.tls.ca_file)
    seeded = _seed(settings, place, partial(embedded.wait_ready, settings, valkey))
    _tell_parties(child, place, parties.model_dump(mode="json"), seeded)
    from idp.demo import guide

    def say() -> None:
        watch.wait()
        given = guide.as_json(place, seeded) if as_json else guide.as_text(place, seeded, kept=kept)
        print(given, flush=True)  # noqa: T201 - what the command gives

    watch = guide.Watch(place)
    watcher = threading.Thread(target=say, daemon=True)
    watcher.start()
    serve.run(settings.server, settings.log_level, partial(serve.wsgi, str(place.conf_file)))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    """The folder given, which is kept, or one that goes when the demo ends."""
    if data is not None:
        yield data
        return
    folder = Path(tempfile.mkdtemp(prefix="gongmu-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _seed(settings: "Settings", place: Place, wait_for_valkey: Any) -> "Seeded":
    """Schema, keys and relying parties; every connection is closed again before the fork."""
    from idp.app import open_services
    from idp.demo.seed import seed
    from idp.store import migrations
    from idp.store.sql import open_engine

    engine = open_engine(settings.stores)
    migrations.upgrade(engine)
    engine.dispose()
    wait_for_valkey()
    parts = open_services(settings)
    try:
        return seed(parts, place)
    finally:
        parts.engine.dispose()


# --- the relying parties' process -----------------------------------------------------------------


def _start_parties() -> subprocess.Popen[bytes]:
    """Started early: it imports while we make keys, then waits for its line."""
    from idp.embedded import die_with_parent

    return subprocess.Popen(
        [sys.executable, "-m", "idp.demo.parties"],
        stdin=subprocess.PIPE,
        stdout=sys.stderr.fileno(),
        start_new_session=True,  # Ctrl-C is ours to handle
        preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing but one system call runs there
    )


def _tell_parties(
    child: subprocess.Popen[bytes], place: Place, server: dict[str, Any], seeded: "Seeded"
) -> None:
    served = {
        name: party["client_secret"]
        for name, party in seeded.relying_parties.items()
        if party["url"]
    }
    setting = {
        "issuer": place.issuer,
        "url": place.parties_url,
        "ca_file": str(place.tls.ca_file) if place.tls else None,
        "clients": served,
    }
    line = json.dumps({"setting": setting, "server": server}) + "\n"
    if child.stdin is None:
        return
    try:
        child.stdin.write(line.encode())
        child.stdin.close()
    except BrokenPipeError as error:
        problem = Problem("gongmu demo", "relying parties", None, "ended", "a running program")
        raise ConfError([problem]) from error


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
