"""The published description of `/api/v1` (OpenAPI 3.1)."""

from typing import Any

_PROBLEM = {
    "description": "A problem document (RFC 9457) with a stable `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
}


def document(issuer: str) -> dict[str, Any]:
    """The whole description for this issuer."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gongmu", "version": "1"},
        "servers": [{"url": f"{issuer}/api/v1"}],
        "paths": {
            "/people": {"get": _people()},
            "/events": {"get": _events()},
            "/mobile-ids": {"post": _mobile_ids()},
        },
        "components": {"schemas": _schemas(), "securitySchemes": _security(issuer)},
    }


def _answers(schema: str, status: str = "200") -> dict[str, Any]:
    good = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    answers: dict[str, Any] = {
        status: {"description": "Done", "content": {"application/json": good}}
    }
    return {**answers, **dict.fromkeys(("400", "401", "403", "404", "503"), _PROBLEM)}


def _people() -> dict[str, Any]:
    return {
        "operationId": "listPeople",
        "summary": "People of the directory",
        "security": [{"oauth2": ["gongmu:people"]}],
        "parameters": [
            {"name": "q", "in": "query", "schema": {"type": "string", "maxLength": 100}},
            _LIMIT,
        ],
        "responses": _answers("People"),
    }


def _events() -> dict[str, Any]:
    words = ("kind", "journey", "subject", "reason", "session")
    named = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in words]
    before = {"name": "before", "in": "query", "schema": {"type": "string", "format": "date-time"}}
    return {
        "operationId": "listEvents",
        "summary": "Security events, the newest first",
        "security": [{"oauth2": ["gongmu:events"]}],
        "parameters": [*named, before, _LIMIT],
        "responses": _answers("Events"),
    }


def _mobile_ids() -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/OfferRequest"}}}
    return {
        "operationId": "offerMobileId",
        "summary": "Offer a mobile ID to a person",
        "security": [{"oauth2": ["gongmu:issue"]}],
        "requestBody": {"required": True, "content": body},
        "responses": _answers("Offer", "201"),
    }


def _texts(*names: str, **more: Any) -> dict[str, Any]:
    properties = {**{name: {"type": "string"} for name in names}, **more}
    return {"type": "object", "required": list(properties), "properties": properties}


def _schemas() -> dict[str, Any]:
    person = _texts("personnel_number", "name", "agency", "department", "rank", "state", "source")
    event = {"type": "object", "required": ["id", "at", "kind", "writer_id", "seq"]}
    return {
        "Person": person,
        "People": _list_of("people", "Person"),
        "Event": event,
        "Events": _list_of("events", "Event"),
        "OfferRequest": _texts("personnel_number"),
        "Offer": _texts(
            "id",
            "credential_offer_uri",
            "tx_code",
            expires_at={"type": "string", "format": "date-time"},
        ),
        "Problem": _texts("type", "title", "code", "detail", status={"type": "integer"}),
    }


def _list_of(name: str, schema: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}
    return {"type": "object", "required": [name], "properties": {name: items}}


def _security(issuer: str) -> dict[str, Any]:
    scopes = {
        "gongmu:people": "read the directory",
        "gongmu:events": "read security events",
        "gongmu:issue": "offer mobile IDs",
    }
    flow = {"tokenUrl": f"{issuer}/oauth/token", "scopes": scopes}
    return {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}}
