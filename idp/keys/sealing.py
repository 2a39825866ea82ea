"""The key-encryption key: read from its file, seals private keys before they go to SQL (R-062).

The file holds 32 bytes in base64. One made by the demo begins with `demo:` and production refuses it.
"""

import binascii
import contextlib
import os
from base64 import b64decode, b64encode, urlsafe_b64decode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp import randomness
from idp.conf import Settings
from idp.errors import ConfError, Problem

_DEMO = "demo:"
_NONCE_BYTES = 12
_FORM = "32 random bytes in base64"


class Sealer:
    """Seals and unseals under one key-encryption key."""

    def __init__(self, key: bytes, file: Path) -> None:
        self._cipher = AESGCM(key)
        self._file = file

    def seal(self, content: bytes, use: str, kid: str) -> bytes:
        """The content, readable only with the key and only under this use and kid."""
        nonce = random_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, _about(use, kid))

    def unseal(self, sealed: bytes, use: str, kid: str) -> bytes:
        """The content again. ConfError when it was sealed with another key or for another row."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _about(use, kid)
            )
        except (InvalidTag, ValueError):
            found = f"a key that does not open signing key {kid}"
            raise ConfError([_problem(self._file, found, "the key it was sealed with")]) from None


def open_sealer(settings: Settings) -> Sealer:
    """The sealer of these settings. In the demo a missing key is made; in production ConfError."""
    file = settings.keys.key_encryption_key_file
    demo = settings.environment == "demo"
    if demo and not file.exists():
        make_key_encryption_key(file, demo=True)
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError as error:
        command = f"(umask 077 && head -c 32 /dev/urandom | base64 > {file})"
        found = f"no readable file {file}"
        raise ConfError([_problem(file, found, f"a key made by: {command}")]) from error
    except UnicodeDecodeError:
        raise ConfError([_problem(file, "something else", _FORM)]) from None
    if text.startswith(_DEMO) and not demo:
        raise ConfError([_problem(file, "a key made by the demo", "a key of its own")])
    return Sealer(_decode(text.removeprefix(_DEMO), file), file)


def make_key_encryption_key(file: Path, *, demo: bool = False) -> None:
    """Write a new key that the owner alone can read; a file that is there already stays.

    Written beside and then linked into place, so that of two processes both read the same key.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    mark = _DEMO if demo else ""
    beside = file.with_name(f".{file.name}.{randomness.token(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{mark}{b64encode(random_bytes(32)).decode()}\n")
        with contextlib.suppress(FileExistsError):
            os.link(beside, file)
    finally:
        beside.unlink()


def random_bytes(count: int) -> bytes:
    """`count` random bytes."""
    return urlsafe_b64decode(randomness.token(count) + "=" * (-count % 3))


def _decode(text: str, file: Path) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfError([_problem(file, "something else", _FORM)])
    return key


def _about(use: str, kid: str) -> bytes:
    """Binds a sealed key to its row, so that nobody who writes to SQL can make a leaf key a root."""
    return f"gongmu:{use}:{kid}".encode()


def _problem(file: Path, found: str, allowed: str) -> Problem:
    return Problem(str(file), "keys.key_encryption_key_file", None, found, allowed)
