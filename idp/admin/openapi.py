"""The published description of `/api/v1` (OpenAPI 3.1). A test compares it with the routes and their answers."""

from typing import Any

from idp.admin.asking import MAX_ROWS, MAX_TEXT
from idp.contracts import MobileIdState, PasskeyState, State

_PROBLEM = {
    "description": "A problem document (RFC 9457) with a stable `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 100},
}
_TIME = {"type": "string", "format": "date-time"}
_FLAG = {"type": "boolean"}


def document(issuer: str) -> dict[str, Any]:
    """The whole description for this issuer."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gongmu", "version": "1"},
        "servers": [{"url": f"{issuer}/api/v1"}],
        "paths": {
            "/openapi.json": {"get": _description()},
            "/people": {"get": _people()},
            "/people/{personnel_number}": {"get": _person()},
            "/events": {"get": _events()},
            "/mobile-ids": {"get": _mobile_ids(), "post": _offer()},
            **{f"/mobile-ids/{{mobile_id}}/{name}": {"post": _change(name)} for name in _CHANGES},
            "/passkeys": {"get": _passkeys()},
            **{
                f"/passkeys/{{passkey_id}}/{name}": {"post": _change_passkey(name)}
                for name in _PASSKEY_CHANGES
            },
        },
        "components": {"schemas": _schemas(), "securitySchemes": _security(issuer)},
    }


_CHANGES = {
    "suspend": "Stop a mobile ID for now: its sessions end, it can come back",
    "reinstate": "A suspended mobile ID counts again",
    "revoke": "End a mobile ID for good",
}
_PASSKEY_CHANGES = {
    "suspend": "Stop a passkey for now: its sessions end, it can come back",
    "reinstate": "A suspended passkey counts again",
    "remove": "End a passkey for good",
}


def _answers(schema: str, status: str = "200", *more: str) -> dict[str, Any]:
    good = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    answers: dict[str, Any] = {
        status: {"description": "Done", "content": {"application/json": good}}
    }
    return {**answers, **dict.fromkeys(("400", "401", "403", "429", "503", *more), _PROBLEM)}


def _query(name: str, **schema: Any) -> dict[str, Any]:
    words = schema or {"type": "string", "maxLength": MAX_TEXT}
    return {"name": name, "in": "query", "schema": words}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _operation(
    name: str, summary: str, scope: str, *parameters: Any, **more: Any
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"oauth2": [scope]}],
        "parameters": list(parameters),
        **more,
    }


def _description() -> dict[str, Any]:
    good = {"description": "This", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": "describe",
        "summary": "This description",
        "security": [],
        "parameters": [],
        "responses": {"200": good},
    }


def _people() -> dict[str, Any]:
    return _operation(
        "listPeople",
        "People of the directory whose name, number or address contains `q`",
        "gongmu:people",
        _query("q"),
        _LIMIT,
        responses=_answers("People"),
    )


def _person() -> dict[str, Any]:
    return _operation(
        "showPerson",
        "One person: directory entry, account gate, mobile IDs, live sessions",
        "gongmu:people",
        _path("personnel_number"),
        responses=_answers("Record", "200", "404"),
    )


def _events() -> dict[str, Any]:
    words = ("kind", "journey", "subject", "reason", "session")
    return _operation(
        "listEvents",
        "Security events, the newest first",
        "gongmu:events",
        *(_query(name) for name in words),
        *(_query(name, **_TIME) for name in ("before", "after")),
        _LIMIT,
        responses=_answers("Events"),
    )


def _mobile_ids() -> dict[str, Any]:
    return _operation(
        "listMobileIds",
        "Mobile IDs, the newest first; of one person when a number is given",
        "gongmu:issue",
        _query("personnel_number"),
        _LIMIT,
        responses=_answers("MobileIds"),
    )


def _offer() -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/OfferRequest"}}}
    return _operation(
        "offerMobileId",
        "Offer a mobile ID to a person; link and code are shown this once",
        "gongmu:issue",
        requestBody={"required": True, "content": body},
        responses=_answers("Offer", "201", "404"),
    )


def _change(name: str) -> dict[str, Any]:
    return _operation(
        f"{name}MobileId",
        _CHANGES[name],
        "gongmu:issue",
        _path("mobile_id"),
        responses=_answers("MobileId", "200", "404", "409"),
    )


def _passkeys() -> dict[str, Any]:
    return _operation(
        "listPasskeys",
        "Passkeys, the newest first; of one person when a number is given",
        "gongmu:people",
        _query("personnel_number"),
        _LIMIT,
        responses=_answers("Passkeys"),
    )


def _change_passkey(name: str) -> dict[str, Any]:
    return _operation(
        f"{name}Passkey",
        _PASSKEY_CHANGES[name],
        "gongmu:people",
        _path("passkey_id"),
        responses=_answers("Passkey", "200", "404", "409"),
    )


def _texts(*names: str, **more: Any) -> dict[str, Any]:
    properties = {**{name: {"type": "string"} for name in names}, **more}
    return {"type": "object", "required": list(properties), "properties": properties}


def _schemas() -> dict[str, Any]:
    entry = ("personnel_number", "name", "agency", "department", "rank")
    states = {"type": "string", "enum": [state.value for state in MobileIdState]}
    event = {"type": "object", "required": ["id", "at", "kind", "writer_id", "seq"]}
    return {
        "Person": _texts(*entry, "state", "source"),
        "People": _object(people=_list("Person")),
        "Record": _record(*entry),
        "Event": event,
        "Events": _object(events=_list("Event")),
        "MobileId": _texts(
            "id", "personnel_number", "source", state=states, created_at=_TIME, expires_at=_TIME
        ),
        "MobileIds": _object(mobile_ids=_list("MobileId")),
        "Passkey": _texts(
            *("id", "personnel_number", "name", "model", "mobile_id"),
            synced=_FLAG,
            state={"type": "string", "enum": [state.value for state in PasskeyState]},
            created_at=_TIME,
            used_at={"type": ["string", "null"], "format": "date-time"},
        ),
        "Passkeys": _object(passkeys=_list("Passkey")),
        "OfferRequest": {**_texts("personnel_number"), "additionalProperties": False},
        "Offer": _texts("id", "credential_offer_uri", "tx_code", expires_at=_TIME),
        "Session": _texts(
            *("id", "method", "acr", "device", "address", "mobile_id"),
            **dict.fromkeys(("authenticated_at", "seen_at", "expires_at"), _TIME),
        ),
        "Problem": _texts(
            "type", "title", "code", "detail", "instance", status={"type": "integer"}
        ),
    }


def _record(*entry: str) -> dict[str, Any]:
    """`state` is "" and `entry` empty when the directory no longer has the person."""
    texts = {"type": "array", "items": {"type": "string"}}
    return _texts(
        *(*entry, "mail", "source", "reason"),
        state={"type": "string", "enum": ["", *(state.value for state in State)]},
        groups=texts,
        photo=_FLAG,
        entry={"type": "object", "additionalProperties": texts},
        may_act=_FLAG,
        cut_off_before={"type": ["string", "null"], "format": "date-time"},
        subjects={"type": "object", "additionalProperties": {"type": "string"}},
        mobile_ids=_list("MobileId"),
        sessions=_list("Session"),
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(schema: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}


def _security(issuer: str) -> dict[str, Any]:
    scopes = {
        "gongmu:people": "read the directory; list, suspend, reinstate and remove passkeys",
        "gongmu:events": "read security events",
        "gongmu:issue": "offer, suspend, reinstate and revoke mobile IDs",
    }
    flow = {"tokenUrl": f"{issuer}/oauth/token", "scopes": scopes}
    return {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}}
