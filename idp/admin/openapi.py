"""The published description of `/api/v1` (OpenAPI 3.1). A test compares it with the routes and their answers."""

from typing import Any

from idp.admin import openapi_relying_parties
from idp.admin.openapi_parts import (
    FLAG,
    LIMIT,
    TIME,
    answers,
    list_of,
    object_of,
    operation,
    path,
    query,
    texts,
)
from idp.contracts import MobileIdState, PasskeyState, State


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
            **openapi_relying_parties.paths(),
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
    return operation(
        "listPeople",
        "People of the directory whose name, number or address contains `q`",
        "gongmu:people",
        query("q"),
        LIMIT,
        responses=answers("People"),
    )


def _person() -> dict[str, Any]:
    return operation(
        "showPerson",
        "One person: directory entry, account gate, mobile IDs, live sessions",
        "gongmu:people",
        path("personnel_number"),
        responses=answers("Record", "200", "404"),
    )


def _events() -> dict[str, Any]:
    words = ("kind", "journey", "subject", "reason", "session")
    return operation(
        "listEvents",
        "Security events, the newest first",
        "gongmu:events",
        *(query(name) for name in words),
        *(query(name, **TIME) for name in ("before", "after")),
        LIMIT,
        responses=answers("Events"),
    )


def _mobile_ids() -> dict[str, Any]:
    return operation(
        "listMobileIds",
        "Mobile IDs, the newest first; of one person when a number is given",
        "gongmu:issue",
        query("personnel_number"),
        LIMIT,
        responses=answers("MobileIds"),
    )


def _offer() -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/OfferRequest"}}}
    return operation(
        "offerMobileId",
        "Offer a mobile ID to a person; link and code are shown this once",
        "gongmu:issue",
        requestBody={"required": True, "content": body},
        responses=answers("Offer", "201", "404"),
    )


def _change(name: str) -> dict[str, Any]:
    return operation(
        f"{name}MobileId",
        _CHANGES[name],
        "gongmu:issue",
        path("mobile_id"),
        responses=answers("MobileId", "200", "404", "409"),
    )


def _passkeys() -> dict[str, Any]:
    return operation(
        "listPasskeys",
        "Passkeys, the newest first; of one person when a number is given",
        "gongmu:people",
        query("personnel_number"),
        LIMIT,
        responses=answers("Passkeys"),
    )


def _change_passkey(name: str) -> dict[str, Any]:
    return operation(
        f"{name}Passkey",
        _PASSKEY_CHANGES[name],
        "gongmu:people",
        path("passkey_id"),
        responses=answers("Passkey", "200", "404", "409"),
    )


def _schemas() -> dict[str, Any]:
    entry = ("personnel_number", "name", "agency", "department", "rank")
    states = {"type": "string", "enum": [state.value for state in MobileIdState]}
    event = {"type": "object", "required": ["id", "at", "kind", "writer_id", "seq"]}
    return {
        "Person": texts(*entry, "state", "source"),
        "People": object_of(people=list_of("Person")),
        "Record": _record(*entry),
        "Event": event,
        "Events": object_of(events=list_of("Event")),
        "MobileId": texts(
            "id", "personnel_number", "source", state=states, created_at=TIME, expires_at=TIME
        ),
        "MobileIds": object_of(mobile_ids=list_of("MobileId")),
        "Passkey": texts(
            *("id", "personnel_number", "name", "model", "mobile_id"),
            synced=FLAG,
            state={"type": "string", "enum": [state.value for state in PasskeyState]},
            created_at=TIME,
            used_at={"type": ["string", "null"], "format": "date-time"},
        ),
        "Passkeys": object_of(passkeys=list_of("Passkey")),
        "OfferRequest": {**texts("personnel_number"), "additionalProperties": False},
        "Offer": texts("id", "credential_offer_uri", "tx_code", expires_at=TIME),
        "Session": texts(
            *("id", "method", "acr", "device", "address", "mobile_id"),
            **dict.fromkeys(("authenticated_at", "seen_at", "expires_at"), TIME),
        ),
        **openapi_relying_parties.schemas(),
        "Problem": texts("type", "title", "code", "detail", "instance", status={"type": "integer"}),
    }


def _record(*entry: str) -> dict[str, Any]:
    """`state` is "" and `entry` empty when the directory no longer has the person."""
    many = {"type": "array", "items": {"type": "string"}}
    return texts(
        *(*entry, "mail", "source", "reason"),
        state={"type": "string", "enum": ["", *(state.value for state in State)]},
        groups=many,
        photo=FLAG,
        entry={"type": "object", "additionalProperties": many},
        may_act=FLAG,
        cut_off_before={"type": ["string", "null"], "format": "date-time"},
        subjects={"type": "object", "additionalProperties": {"type": "string"}},
        mobile_ids=list_of("MobileId"),
        sessions=list_of("Session"),
    )


def _security(issuer: str) -> dict[str, Any]:
    scopes = {
        "gongmu:people": "read the directory; list, suspend, reinstate and remove passkeys",
        "gongmu:events": "read security events",
        "gongmu:rp": "list, add, change and disable relying parties",
        "gongmu:issue": "offer, suspend, reinstate and revoke mobile IDs",
    }
    flow = {"tokenUrl": f"{issuer}/oauth/token", "scopes": scopes}
    return {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}}
