"""The `claims` parameter: single claims, asked for one by one (OIDC Core §5.5).

It comes from outside and may be anything: its size and depth are bounded, and what is kept is built anew
from the few members that have a meaning. What we do not understand is ignored, as §5.5 says; what has
the wrong form is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp import jws
from idp.conf import ACR_ORDER
from idp.errors import RequestError
from idp.events import Reason
from idp.oidc.parameters import Parameters, is_unclean
from idp.oidc.way_back import refused

MAX_CHARACTERS = 4 * 1024
MAX_CLAIMS = 50  # in each section
MAX_VALUES = 20
MAX_VALUE = 256
SECTIONS = ("id_token", "userinfo")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/#-]{0,99}", re.ASCII)

Wish = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskedClaims:
    """What a claims parameter asks for.

    `text` is canonical JSON, "" when nothing is asked: {"id_token": {name: wish}, "userinfo": {...}}, a
    wish being {} or some of {"essential": true, "value": scalar, "values": [scalar, ...]}.
    """

    text: str = ""
    acr: tuple[str, ...] = ()  # of the ID token, those we know
    sub: str = ""  # the ID token must be about this person


NOTHING = AskedClaims()


def read(parameters: Parameters) -> AskedClaims:
    """What is asked. RequestError when the parameter is not of the form of §5.5, or asks the impossible."""
    text = parameters.get("claims")
    if text is None:
        return NOTHING
    if len(text) > MAX_CHARACTERS:
        raise refused("invalid_request", "claims is too long", Reason.TOO_LARGE)
    whole = _parse(text)
    sections = {name: _section(whole[name]) for name in SECTIONS if whole.get(name)}
    kept = {name: wishes for name, wishes in sections.items() if wishes}
    if not kept:
        return NOTHING
    in_id_token = kept.get("id_token", {})
    return AskedClaims(
        json.dumps(kept, separators=(",", ":"), sort_keys=True),
        _acr(in_id_token.get("acr", {})),
        _sub(kept),
    )


def _parse(text: str) -> Mapping[str, Any]:
    try:
        return jws.json_object(text.encode())
    except jws.NotGenuine as error:
        raise _bad("claims is not a JSON object") from error


def _section(section: Any) -> dict[str, Wish]:
    if not isinstance(section, dict) or len(section) > MAX_CLAIMS:
        raise _bad("a section of claims is not an object, or asks for too many")
    return {name: _wish(wish) for name, wish in section.items() if _NAME.fullmatch(name)}


def _wish(wish: Any) -> Wish:
    """One claim's wish: null, or an object (§5.5.1)."""
    if wish is None:
        return {}
    if not isinstance(wish, dict):
        raise _bad("a claim is asked for by null or an object")
    kept: Wish = {}
    essential, values = wish.get("essential", False), wish.get("values", [])
    if not isinstance(essential, bool):
        raise _bad("essential is true or false")
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        raise _bad("values is not a list, or too long")
    if essential:
        kept["essential"] = True
    if "value" in wish:
        kept["value"] = _scalar(wish["value"])
    if values:
        kept["values"] = [_scalar(value) for value in values]
    return kept


def _scalar(value: Any) -> str | int | bool:
    if isinstance(value, str) and len(value) <= MAX_VALUE and not is_unclean(value):
        return value
    if isinstance(value, int) and abs(value) < 1 << 53:
        return value
    raise _bad("a value that is asked for is no short text, number or boolean")


def _acr(wish: Wish) -> tuple[str, ...]:
    """The strengths asked for. Essential ones that nothing here can reach are refused (§5.5.1.1)."""
    wished = wish.get("values", []) + ([wish["value"]] if "value" in wish else [])
    known = tuple(value for value in ACR_ORDER if value in wished)
    if wished and not known and "essential" in wish:
        raise refused(
            "unmet_authentication_requirements", "no such acr can be reached", Reason.ACR_UNMET
        )
    return known


def _sub(kept: Mapping[str, dict[str, Wish]]) -> str:
    """The one person it must be, like an id_token_hint (§5.5.1)."""
    wished = {
        str(wishes["sub"]["value"]) for wishes in kept.values() if "value" in wishes.get("sub", {})
    }
    if len(wished) > 1:
        raise _bad("claims names two persons")
    return wished.pop() if wished else ""


def _bad(public: str) -> RequestError:
    return refused("invalid_request", public)
