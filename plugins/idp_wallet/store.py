"""Cards on disk, for the wallet of the command line: a private folder, one file a card.

The private keys lie in these files unsealed, readable for their owner only. A phone keeps them in
hardware; this wallet is for tests, demonstrations and automation.
"""

import json
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from idp_wallet.card import Card
from idp_wallet.encoding import parse_object
from idp_wallet.faults import StoreUnusable

VERSION = 1


class Store:
    """The folder of one wallet. Every method raises StoreUnusable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, card: Card) -> None:
        """Keep a card; a reissued one takes the place of the former one, at once or not at all."""
        document = {
            "version": VERSION,
            "issuer": card.issuer,
            "received_at": card.received_at.isoformat(),
            "credential": card.credential,
            "key": card.key.as_pem(private=True).decode(),
        }
        try:
            self._make_private()
            _write(self._folder / f"{card.id}.json", json.dumps(document).encode())
        except OSError as error:
            raise StoreUnusable(f"{self._folder}: {error.strerror}.") from error

    def cards(self) -> list[Card]:
        """All cards, the newest first; none when there is no folder yet."""
        try:
            if not self._folder.exists():
                return []
            self._check_private()
            found = [_read(file) for file in sorted(self._folder.glob("*.json"))]
        except OSError as error:
            raise StoreUnusable(f"{self._folder}: {error.strerror}.") from error
        return sorted(found, key=lambda card: card.received_at, reverse=True)

    def _make_private(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._is_open() and not any(self._folder.iterdir()):
            self._folder.chmod(0o700)  # made for us, still empty
        self._check_private()

    def _check_private(self) -> None:
        """A folder that others can read or write is refused: keys lie in it."""
        if not self._folder.is_dir():
            raise StoreUnusable(f"{self._folder} is not a folder.")
        if self._is_open():
            raise StoreUnusable(
                f"{self._folder} is open to other people of this machine. "
                f"Choose another folder, or close it: chmod 700 {self._folder}"
            )

    def _is_open(self) -> bool:
        return bool(self._folder.stat().st_mode & 0o077)


def _write(file: Path, content: bytes) -> None:
    beside = file.with_name(f".{file.stem}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


def _read(file: Path) -> Card:
    try:
        document: dict[str, Any] = parse_object(file.read_bytes())
        card = Card(
            credential=str(document["credential"]),
            key=ECKey.import_key(str(document["key"])),
            issuer=str(document["issuer"]),
            received_at=datetime.fromisoformat(str(document["received_at"])),
        )
        _ = card.sd_jwt  # parsed here, so that a damaged card is named here
    except (KeyError, ValueError, JoseError) as error:
        raise StoreUnusable(
            f"{file} is damaged. Move it away and receive the card anew."
        ) from error
    return card
