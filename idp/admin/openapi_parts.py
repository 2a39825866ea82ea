"""What every part of the published description is made of (OpenAPI 3.1)."""

from typing import Any

from idp.admin.asking import MAX_ROWS, MAX_TEXT

_PROBLEM = {
    "description": "A problem document (RFC 9457) with a stable `code`",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": 100},
}
TIME = {"type": "string", "format": "date-time"}
FLAG = {"type": "boolean"}


def answers(schema: str, status: str = "200", *more: str) -> dict[str, Any]:
    """The answer when it is done, and the problem documents that may come instead."""
    good = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    found: dict[str, Any] = {status: {"description": "Done", "content": {"application/json": good}}}
    return {**found, **dict.fromkeys(("400", "401", "403", "429", "503", *more), _PROBLEM)}


def query(name: str, **schema: Any) -> dict[str, Any]:
    """A parameter of the query; a short text unless more is said."""
    words = schema or {"type": "string", "maxLength": MAX_TEXT}
    return {"name": name, "in": "query", "schema": words}


def path(name: str) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def operation(name: str, summary: str, scope: str, *parameters: Any, **more: Any) -> dict[str, Any]:
    """One call, with the scope that it needs."""
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"oauth2": [scope]}],
        "parameters": list(parameters),
        **more,
    }


def texts(*names: str, **more: Any) -> dict[str, Any]:
    """An object of texts, and of what else is named."""
    properties = {**{name: {"type": "string"} for name in names}, **more}
    return {"type": "object", "required": list(properties), "properties": properties}


def object_of(**properties: Any) -> dict[str, Any]:
    """An object with these members, all of them."""
    return {"type": "object", "required": list(properties), "properties": properties}


def list_of(schema: str) -> dict[str, Any]:
    """An array of a schema."""
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}
