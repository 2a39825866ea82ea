"""Relying parties in the published description of `/api/v1`."""

from dataclasses import fields
from typing import Any

from idp.admin.openapi_parts import LIMIT, answers, list_of, object_of, operation, path, texts
from idp.relying_parties import RelyingParty

SCOPE = "gongmu:rp"
_ID = path("client_id")
_CHANGES = {
    "disable": "Shut a relying party out: no sign-in, no token",
    "enable": "Let a disabled relying party in again",
}


def paths() -> dict[str, Any]:
    """Every call."""
    listed = operation(
        "listRelyingParties", "Relying parties, by id", SCOPE, LIMIT, responses=answers("Parties")
    )
    one = operation(
        "showRelyingParty",
        "Every setting of one",
        SCOPE,
        _ID,
        responses=answers("Party", "200", "404"),
    )
    return {
        "/relying-parties": {"get": listed, "post": _add()},
        "/relying-parties/{client_id}": {"get": one, "patch": _update()},
        **{f"/relying-parties/{{client_id}}/{name}": {"post": _change(name)} for name in _CHANGES},
        "/relying-parties/{client_id}/secrets": {"post": _secret()},
        "/relying-parties/{client_id}/findings": {"get": _findings()},
    }


def schemas() -> dict[str, Any]:
    """What goes in and comes out. The settings are those of `gongmu rp add --file`."""
    settings = {one.name: _schema(one.default, one.name) for one in fields(RelyingParty)}
    given = {name: schema for name, schema in settings.items() if name not in _FIXED}
    some = {"type": "object", "properties": given, "additionalProperties": False}
    return {
        "Party": object_of(**settings),
        "Parties": object_of(relying_parties=list_of("Party")),
        "PartySettings": some,
        "PartyRequest": {
            **texts("client_id", settings={"$ref": "#/components/schemas/PartySettings"}),
            "additionalProperties": False,
        },
        "PartyChange": {
            **object_of(settings={"$ref": "#/components/schemas/PartySettings"}),
            "additionalProperties": False,
        },
        "AddedParty": texts("client_secret", relying_party={"$ref": "#/components/schemas/Party"}),
        "PartySecret": texts("id", "client_secret"),
        "Finding": texts("check", "detail", ok={"type": "boolean"}),
        "Findings": object_of(findings=list_of("Finding")),
    }


_FIXED = ("client_id", "disabled")
_OBJECTS = ("jwks", "claims")


def _schema(default: Any, name: str) -> dict[str, Any]:
    """The type of a setting, by its default."""
    if name in _OBJECTS:
        return {"type": ["object", "null"] if name == "jwks" else "object"}
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, tuple):
        return {"type": "array", "items": {"type": "string"}}
    return {"type": "string"} if name != "default_max_age" else {"type": ["integer", "null"]}


def _body(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": True, "content": content}


def _add() -> dict[str, Any]:
    return operation(
        "addRelyingParty",
        "Register one; its secret is shown this once",
        SCOPE,
        requestBody=_body("PartyRequest"),
        responses=answers("AddedParty", "201", "409"),
    )


def _update() -> dict[str, Any]:
    return operation(
        "updateRelyingParty",
        "Change some settings of one; all others stay",
        SCOPE,
        _ID,
        requestBody=_body("PartyChange"),
        responses=answers("Party", "200", "404"),
    )


def _change(name: str) -> dict[str, Any]:
    return operation(
        f"{name}RelyingParty",
        _CHANGES[name],
        SCOPE,
        _ID,
        responses=answers("Party", "200", "404"),
    )


def _secret() -> dict[str, Any]:
    return operation(
        "addRelyingPartySecret",
        "One more client secret, shown this once; two may live at a time",
        SCOPE,
        _ID,
        responses=answers("PartySecret", "201", "404", "409"),
    )


def _findings() -> dict[str, Any]:
    return operation(
        "testRelyingParty",
        "What is wrong with one: settings, secrets, keys, back channel",
        SCOPE,
        _ID,
        responses=answers("Findings", "200", "404"),
    )
