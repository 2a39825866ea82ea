"""Both sides' settings for a product that people run: what is registered here, what is typed there.

The products are data (`conf/kits/<product>.toml`); nothing here knows one of them. In their texts
`{{issuer}}`, `{{issuer_host}}`, `{{client_id}}` and `{{url}}` stand for what the name says.
"""

import tomllib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from idp.paths import CONF

_FOLDER = CONF / "kits"


@dataclass(frozen=True, slots=True)
class Kit:
    """Of one product, filled in."""

    product: str
    name: str
    client_id: str
    settings: dict[str, Any]  # for `gongmu rp add --file`
    theirs: tuple[dict[str, str], ...]  # where, text
    notes: tuple[str, ...]


def products() -> list[str]:
    """Every product that has a kit."""
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def kit(product: str, issuer: str, client_id: str, url: str) -> Kit:
    """The kit of one of `products()` for a party at this address."""
    facts = {
        "issuer": issuer,
        "issuer_host": urlsplit(issuer).netloc,
        "client_id": client_id,
        "url": url.rstrip("/"),
    }
    found = tomllib.loads((_FOLDER / f"{product}.toml").read_text(encoding="utf-8"))
    filled = _filled(found, facts)
    return Kit(
        product=product,
        name=filled["name"],
        client_id=client_id,
        settings={"name_ko": client_id, "name_en": client_id, **filled["settings"]},
        theirs=tuple(filled["theirs"]),
        notes=tuple(filled["notes"]),
    )


def _filled(value: Any, facts: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, facts) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, facts) for item in value]
    if isinstance(value, str):
        for name, text in facts.items():
            value = value.replace("{{" + name + "}}", text)
    return value
