"""Apache with mod_auth_openidc, set up as the kit says, as a child on loopback."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers import Child

PROGRAM = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "auth_openidc")
PAGE = "only for officials"
PAGES = ("index.html", "fresh.html")
installed = pytest.mark.skipif(
    not (Path(PROGRAM).exists() and (MODULES / "mod_auth_openidc.so").exists()),
    reason="no Apache with mod_auth_openidc here: as root on Debian, tools/setup.sh test installs it",
)


@contextmanager
def apache(url: str, virtual_host: str) -> Iterator[None]:
    """Apache at that address of loopback, with the text of the kit in its only host."""
    with tempfile.TemporaryDirectory(prefix="gongmu-apache-data-") as data:
        folder = Path(data)
        folder.chmod(0o755)  # as root, what answers requests runs as Debian's own user
        (folder / "pages").mkdir()
        for name in PAGES:
            (folder / "pages" / name).write_text(PAGE, encoding="utf-8")
        file = folder / "apache.conf"
        file.write_text(_conf(folder, url, virtual_host), encoding="utf-8")
        child = Child("apache", [PROGRAM, "-X", "-f", str(file)])
        try:
            child.wait_until(lambda: _answers(url))
            yield
        finally:
            child.stop()


def _conf(folder: Path, url: str, virtual_host: str) -> str:
    own = ("User www-data", "Group www-data") if os.geteuid() == 0 else ()
    return "\n".join(
        (
            *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED),
            *own,
            f"ServerRoot {folder}",
            f"PidFile {folder}/pid",
            f"DefaultRuntimeDir {folder}",
            "Mutex pthread",
            "ErrorLog /dev/stderr",
            f"Listen {url.removeprefix('http://')}",
            f"ServerName {url}",
            f"DocumentRoot {folder}/pages",
            "DirectoryIndex index.html",
            virtual_host,
            "",
        )
    )


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/").status_code == httpx.codes.FOUND or None
    except httpx.TransportError:
        return None
