"""Space where something of ours is written."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from idp.conf import Settings
from idp.doctor.finding import Finding, fix, ok, warn

_GIB = 1024**3
WARN_FREE = 2 * _GIB
FIX_FREE = _GIB // 4


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:  # noqa: ARG001 - one signature for all
    """Each file system once."""
    devices = set()
    for folder in _folders(settings):
        device = folder.stat().st_dev
        if device not in devices:
            devices.add(device)
            yield judge(folder, shutil.disk_usage(folder).free)


def judge(folder: Path, free: int) -> Finding:
    """How much is left there."""
    found = f"{free / _GIB:.1f} GiB free at {folder}"
    remedy = "make room; old logs and the SQL store's archives are the usual cause"
    if free < FIX_FREE:
        return fix("disk", found, remedy)
    return warn("disk", found, remedy) if free < WARN_FREE else ok("disk", found)


def _folders(settings: Settings) -> Iterator[Path]:
    """Those that exist; what is missing is another examination's to say."""
    url = make_url(settings.stores.sql_url)
    database = url.database if url.get_backend_name() == "sqlite" else None
    named = [
        settings.keys.key_encryption_key_file,
        Path(database or ""),
        Path(tempfile.gettempdir()),
    ]
    for path in named:
        folder = path if path.is_dir() else path.parent
        if folder.is_dir():
            yield folder
