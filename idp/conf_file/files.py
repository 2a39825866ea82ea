"""Files the configuration names: they exist, can be read, and private ones are private."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from idp.conf import Keys, Settings
from idp.conf_file.faults import Loc, Report

_M = TypeVar("_M", bound=BaseModel)
_PRIVATE = frozenset({"key", "password", "secret", "token", "pin"})
_SEALING_KEY: Loc = ("keys", "key_encryption_key_file")
_SQLITE = "sqlite:///"


def absolute(value: Any, base: Path, name: str = "") -> Any:
    """The raw tables with relative file names made absolute: parts may look at the file at once."""
    if isinstance(value, dict):
        return {key: absolute(item, base, key) for key, item in value.items()}
    if isinstance(value, list):
        return [absolute(item, base, name) for item in value]
    if isinstance(value, str) and value and _names_file(name):
        return str(base / value)
    return value


def check(data: dict[str, Any], report: Report, base: Path, environment: str) -> None:
    """Adds what is wrong with any `*_file` or `*_files` key of the raw tables to `report`."""
    production = environment == "production"
    named = dict(_named(data))
    keys = data.get("keys", {})
    if isinstance(keys, dict):
        named.setdefault(_SEALING_KEY, str(Keys().key_encryption_key_file))
    for loc, value in named.items():
        path = base / value
        if loc == _SEALING_KEY and not path.exists():
            if production:  # a key made in silence would be a second key nobody keeps
                report.add(loc, f"no file {path}", f"a key made by: {make_sealing_key(path)}")
            continue
        fault = _fault(path, private=production and _is_private(loc))
        if fault:
            report.add(loc, *fault)
    _check_tls(data, report)


def make_sealing_key(path: Path) -> str:
    """The shell command that makes a sealing key."""
    return f"(umask 077 && head -c 32 /dev/urandom | base64 > {path})"


def _check_tls(data: dict[str, Any], report: Report) -> None:
    server = data.get("server", {})
    pair = ("tls_certificate_file", "tls_key_file")
    given = [name for name in pair if isinstance(server, dict) and server.get(name)]
    if len(given) == 1:
        other = pair[1] if given[0] == pair[0] else pair[0]
        report.add(("server", other), "nothing", f"the file that belongs to {given[0]}")


def _named(value: Any, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _named(item, (*loc, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _named(item, (*loc, position))
    elif isinstance(value, str) and value and _names_file(_name(loc)):
        yield loc, value


def _names_file(key: str) -> bool:
    return key == "file" or key.endswith(("_file", "_files"))


def _name(loc: Loc) -> str:
    return next((step for step in reversed(loc) if isinstance(step, str)), "")


def _is_private(loc: Loc) -> bool:
    return bool(_PRIVATE & set(_name(loc).split("_")))


def _fault(path: Path, *, private: bool) -> tuple[str, str] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return f"no file {path}", "a file that exists"
    if not stat.S_ISREG(status.st_mode):
        return f"{path}, which is not a file", "a plain file"
    if not os.access(path, os.R_OK):
        return f"{path}, which this login may not read", "a readable file"
    if private and status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        return f"{path} with mode {mode:04o}", f"nobody else may read it: chmod 600 {path}"
    return None


# --- relative paths -------------------------------------------------------------------------------


def rebased(settings: Settings, base: Path) -> Settings:
    """The same settings with every relative path made absolute, beside the file."""
    settings = _rebase(settings, base)
    url = settings.stores.sql_url
    where = url.removeprefix(_SQLITE)
    if url.startswith(_SQLITE) and where and not where.startswith(("/", ":memory:")):
        stores = settings.stores.model_copy(update={"sql_url": f"{_SQLITE}{base / where}"})
        settings = settings.model_copy(update={"stores": stores})
    return settings


def _rebase(model: _M, base: Path) -> _M:
    changed = {}
    for name in type(model).model_fields:
        old = getattr(model, name)
        new = _rebase_value(old, base)
        if new is not old:
            changed[name] = new
    return model.model_copy(update=changed) if changed else model


def _rebase_value(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return base / value
    if isinstance(value, BaseModel):
        return _rebase(value, base)
    if isinstance(value, tuple) and value:
        return tuple(_rebase_value(item, base) for item in value)
    if isinstance(value, dict) and value:
        return {key: _rebase_value(item, base) for key, item in value.items()}
    return value
