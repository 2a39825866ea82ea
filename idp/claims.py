"""What a relying party is told of an official: the core scopes, its adapter, and its own mapping.

A mapping is a table per claim, `{"<claim>": {"rule": "...", ...}}`, checked whole when it is registered
(`parse_mapping`). A rule takes values of the official and gives a claim; there is nothing in it that runs:

    rename    {"rule": "rename", "from": "personnel_number"}              one value as it is
    lower     {"rule": "lower", "from": "mail"}                            in lower case
    list      {"rule": "list", "from": "entry.telephoneNumber"}            all values
    join      {"rule": "join", "from": ["agency", "department"], "separator": " "}
    constant  {"rule": "constant", "value": "gov"}
    groups    {"rule": "groups", "prefixes": ["mail-"], "strip_prefix": true, "cap": 20}
    omit      {"rule": "omit"}                                             not told at all

`from` is a field of the official, or `entry.<LDAP name>` for an attribute that the source reads. Each
rule may name the `scope` it needs (default "profile"). Values that are missing, or several where one is
meant, leave the claim out; `explain` says why.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from idp.conf import Table
from idp.contracts import JsonObject, Official
from idp.errors import ConfError, Problem

# fmt: off
PROTOCOL_CLAIMS = frozenset({
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "acr", "amr", "auth_time", "azp", "sid",
    "at_hash", "c_hash", "s_hash", "cnf", "client_id", "scope", "act", "may_act", "events", "toe", "txn",
    "typ", "sub_id", "sub_jwk", "token_type", "active", "username", "_claim_names", "_claim_sources",
    "_sd", "_sd_alg", "vct", "status",
})
# fmt: on
MAX_VALUES = 500
FIELDS = ("name", "agency", "department", "rank", "mail", "personnel_number", "source", "groups")


def _claim_name(value: str) -> str:
    # In any case: a relying party that folds case must not be fooled either.
    if value.lower() in PROTOCOL_CLAIMS or value.lower() == "email_verified":
        raise ValueError("not a claim of the protocol")
    return value


Source = Annotated[
    str, Field(pattern=rf"^({'|'.join(FIELDS)}|entry\.[A-Za-z][A-Za-z0-9-]{{0,63}})$")
]
ClaimName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_:./#-]{0,127}$"), AfterValidator(_claim_name)
]
Text = Annotated[str, Field(max_length=256)]


class _Rule(Table):
    scope: str = Field(
        "profile", pattern=r"^[!#-\[\]-~]{1,64}$", description="needed for the claim"
    )


class Rename(_Rule):
    rule: Literal["rename"]
    source: Source = Field(alias="from")


class Lower(_Rule):
    rule: Literal["lower"]
    source: Source = Field(alias="from")


class ListAll(_Rule):
    rule: Literal["list"]
    source: Source = Field(alias="from")


class Join(_Rule):
    rule: Literal["join"]
    sources: tuple[Source, ...] = Field(alias="from", min_length=1, max_length=8)
    separator: str = Field(" ", max_length=8)


class Constant(_Rule):
    rule: Literal["constant"]
    value: bool | int | Text | tuple[Text, ...]


class Groups(_Rule):
    rule: Literal["groups"]
    scope: str = Field("groups", pattern=r"^[!#-\[\]-~]{1,64}$")
    only: tuple[Text, ...] = Field((), description="these groups")
    prefixes: tuple[Text, ...] = Field((), description="and those that begin so; none of both: all")
    strip_prefix: bool = False
    cap: int = Field(200, ge=1, le=MAX_VALUES)


class Omit(_Rule):
    rule: Literal["omit"]


Rule = Annotated[
    Rename | Lower | ListAll | Join | Constant | Groups | Omit, Field(discriminator="rule")
]
ClaimsMapping = Mapping[str, Rule]
_ADAPTER: TypeAdapter[dict[ClaimName, Rule]] = TypeAdapter(dict[ClaimName, Rule])
_NOTHING: ClaimsMapping = MappingProxyType({})
_ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_CORE: ClaimsMapping = TypeAdapter(dict[str, Rule]).validate_python(
    {
        "name": {"rule": "rename", "from": "name"},
        "agency": {"rule": "rename", "from": "agency"},
        "department": {"rule": "rename", "from": "department"},
        "rank": {"rule": "rename", "from": "rank"},
        "email": {"rule": "rename", "from": "mail", "scope": "email"},
        "email_verified": {"rule": "constant", "value": True, "scope": "email"},
        "groups": {"rule": "groups"},
    }
)


@dataclass(frozen=True, slots=True)
class Explained:
    """One claim: where it came from, or why it is missing. For the console and the CLI."""

    claim: str
    path: tuple[str, ...]  # from the official to the token: ("mail", "lower", "scope email")
    value: Any = None
    missing: str = ""  # why there is no value; "" when there is one
    left_out: Mapping[str, str] = field(default_factory=dict)  # group -> why


class _Missing(Exception):
    """The claim is left out; the text says why."""


def parse_mapping(raw: JsonObject) -> ClaimsMapping:
    """The checked mapping. ConfError names every fault; protocol claims are one."""
    if not raw:
        return _NOTHING
    try:
        mapping = _ADAPTER.validate_python(dict(raw))
    except ValidationError as error:
        raise ConfError([_problem(dict(fault)) for fault in error.errors()]) from error
    faults = [
        Problem("claims", f"claims.{name}", None, rule.rule, "rename, lower or omit")
        for name, rule in mapping.items()
        if name == "email" and not isinstance(rule, Rename | Lower | Omit)
    ]
    if faults:  # `email_verified` speaks for it: it must be an address of the directory
        raise ConfError(faults)
    return MappingProxyType(mapping)


def _problem(fault: dict[str, Any]) -> Problem:
    key = ".".join(str(part) for part in ("claims", *fault["loc"]) if part != "[key]")
    return Problem("claims", key, None, repr(fault.get("input"))[:60], str(fault["msg"]))


@lru_cache(maxsize=512)
def _parse_text(text: str) -> ClaimsMapping:
    return parse_mapping(json.loads(text))


def claims_for(
    official: Official, scope: frozenset[str], mapping: JsonObject, extra: JsonObject
) -> dict[str, Any]:
    """The claims for these scopes. `mapping` is what `parse_mapping` accepts; `extra` the adapter's.

    Later ones win: core, adapter, mapping. Protocol claims in `extra` are ignored.
    """
    explained = explain(official, scope, mapping, extra)
    return {one.claim: one.value for one in explained if not one.missing}


def explain(
    official: Official, scope: frozenset[str], mapping: JsonObject, extra: JsonObject
) -> list[Explained]:
    """Each claim with its path, or why it is missing, sorted by name."""
    found = {name: _by_rule(name, rule, official, scope) for name, rule in _CORE.items()}
    for name, value in extra.items():
        if name.lower() not in PROTOCOL_CLAIMS:
            found[name] = Explained(name, ("kind of relying party",), value)
    rules = _parse_text(json.dumps(dict(mapping), sort_keys=True)) if mapping else _NOTHING
    for name, rule in rules.items():
        found[name] = _by_rule(name, rule, official, scope)
    if found["email"].missing:
        verified = found["email_verified"]
        found["email_verified"] = Explained(verified.claim, verified.path, missing="no email")
    return [found[name] for name in sorted(found)]


def _by_rule(name: str, rule: Rule, official: Official, scope: frozenset[str]) -> Explained:
    """One claim by its rule."""
    path = (*_sources(rule), rule.rule, f"scope {rule.scope}")
    left_out: dict[str, str] = {}
    try:
        _must_be_granted(rule, scope)
        value = _value(rule, official, left_out)
        if name == "email":
            _must_be_address(value)
    except _Missing as missing:
        return Explained(name, path, missing=str(missing), left_out=left_out)
    return Explained(name, path, value, left_out=left_out)


def _must_be_granted(rule: Rule, scope: frozenset[str]) -> None:
    if rule.scope not in scope:
        raise _Missing(f"scope {rule.scope} was not granted")


def _must_be_address(value: str) -> None:
    if not _ADDRESS.fullmatch(value):
        raise _Missing("not a mail address")


def _sources(rule: Rule) -> tuple[str, ...]:
    match rule:
        case Rename() | Lower() | ListAll():
            return (rule.source,)
        case Join():
            return rule.sources
        case Groups():
            return ("groups",)
        case _:
            return ()


def _value(rule: Rule, official: Official, left_out: dict[str, str]) -> Any:
    """What the rule makes of the official. _Missing."""
    match rule:
        case Rename():
            return _single(official, rule.source)
        case Lower():
            return _single(official, rule.source).lower()
        case ListAll():
            return list(_values(official, rule.source)[:MAX_VALUES])
        case Join():
            return rule.separator.join(_single(official, source) for source in rule.sources)
        case Constant():
            return list(rule.value) if isinstance(rule.value, tuple) else rule.value
        case Groups():
            return _groups(rule, official, left_out)
        case Omit():
            raise _Missing("left out by the mapping")


def _values(official: Official, source: str) -> tuple[str, ...]:
    """The values of a field or attribute. _Missing when there is none."""
    if source.startswith("entry."):
        wanted = source.removeprefix("entry.").lower()
        named = (values for name, values in official.attributes.items() if name.lower() == wanted)
        found = next(named, ())
    else:
        value = getattr(official, source)
        found = value if isinstance(value, tuple) else (value,)
    found = tuple(value for value in found if value)
    if not found:
        raise _Missing(f"{source} has no value in the directory")
    return found


def _single(official: Official, source: str) -> str:
    """The one value. _Missing when there are several: which is meant cannot be told (A-224)."""
    values = _values(official, source)
    if len(values) > 1:
        raise _Missing(f"{source} has several values")
    return values[0]


def _groups(rule: Groups, official: Official, left_out: dict[str, str]) -> list[str]:
    """A flat, sorted list; what is left out is told with the reason. May be empty."""
    found: dict[str, str] = {}
    for group in sorted(official.groups):
        shown = _shown_as(rule, group)
        if shown is None:
            left_out[group] = "not in the filter"
        elif len(found) >= rule.cap:
            left_out[group] = f"more than {rule.cap} groups"
        else:
            found.setdefault(shown, group)
    return sorted(found)


def _shown_as(rule: Groups, group: str) -> str | None:
    """The name a group is told by, or None when the filter leaves it out."""
    if group in rule.only or not (rule.only or rule.prefixes):
        return group
    for prefix in rule.prefixes:
        if group.startswith(prefix):
            return (group.removeprefix(prefix) or None) if rule.strip_prefix else group
    return None
