"""The OpenAPI document of the API, made from the table of its addresses."""

from __future__ import annotations

import re
from typing import Any

from logagg import __version__
from logagg.serve.api import ENDPOINTS, Endpoint
from logagg.serve.formats import MEDIA_TYPES
from logagg.serve.parameters import FORMAT, JSON_ONLY, Parameter

_ERROR = {
    "type": "object",
    "required": ["error", "hint"],
    "properties": {"error": {"type": "string"}, "hint": {"type": "string"}},
}
_FAILURES = {
    "400": "A parameter is not valid.",
    "401": "A token is needed.",
    "403": "The request comes from a page of another site.",
    "404": "No such address or name.",
    "421": "The host in the request is not a name of this server.",
    "503": "A limit was reached, or the lake cannot be read now; Retry-After says when to ask again.",
}


def document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "logagg",
            "version": __version__,
            "description": "Read-only answers about a lake. Times are UTC; windows are half-open, in whole minutes.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            **{f"/api/{one.path}": {"get": _operation(one)} for one in ENDPOINTS},
            "/api/status": {"get": _plain("status", "How the lake and its tails are doing.", "application/json")},
            "/api/events": {"get": _plain("events", "Server-sent events: commit, status.", "text/event-stream")},
            "/api/openapi.json": {"get": _plain("openapi", "This document.", "application/json")},
            "/metrics": {"get": _plain("metrics", "Numbers for Prometheus.", "text/plain")},
        },
        "components": {"schemas": {"Error": _ERROR}},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    named = re.findall(r"{(\w+)}", endpoint.path)
    parameters = [_path_parameter(name) for name in named]
    parameters += [_parameter(one) for one in (*endpoint.parameters, FORMAT if endpoint.is_table else JSON_ONLY)]
    media = [kind.partition(";")[0] for kind in MEDIA_TYPES.values()] if endpoint.is_table else ["application/json"]
    name = re.sub(r"\W+", "_", endpoint.path).strip("_")
    return {
        "operationId": name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": _responses(media, cached=endpoint.follows_commits),
    }


def _responses(media: list[str], *, cached: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": {"description": "The answer.", "content": {one: {"schema": _schema(one)} for one in media}}
    }
    if cached:
        found["304"] = {"description": "Nothing has changed since the answer with this ETag."}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return found | {code: {"description": text, "content": content} for code, text in _FAILURES.items()}


def _schema(media: str) -> dict[str, Any]:
    return {"type": "object"} if media == "application/json" else {"type": "string"}


def _plain(name: str, summary: str, media: str) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "responses": _responses([media], cached=False)}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its name."}


def _parameter(one: Parameter) -> dict[str, Any]:
    found = {"name": one.name, "in": "query", "description": one.help, "schema": dict(one.schema)}
    return found | ({"required": True} if one.required else {})
