"""The OpenAPI document of the routes, and the pages made from it: /docs for people and /api for programs."""

import json
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from millrace.api.answers import Problem

_ABOUT = (
    "What AI-assisted development does and costs, and whether the numbers can be trusted. All routes are read by GET. "
    "Unknown is null, never zero. Money is USD. Days are dates in the zone of `time_zone`, instants UTC."
)
_TAGS = [
    {"name": "usage", "description": "What coding agents used and cost."},
    {"name": "delivery", "description": "What was merged, how fast and how well."},
    {"name": "lists", "description": "People, repositories, models, sessions and pull requests."},
    {"name": "status", "description": "Whether the numbers can be trusted."},
]
_SERVERS = [
    {"url": "/", "description": "The server that this document is from."},
    {"url": "http://127.0.0.1:8765", "description": "`millrace serve` on this machine."},
]
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "On Google Cloud: an identity token, as `gcloud auth print-identity-token` prints it. "
    "`millrace serve` needs none.",
}
_PROBLEMS = {
    "400": "Unknown host.",
    "403": "The deployment does not show this.",
    "422": "Invalid parameter, or an unknown name.",
    "500": "The program failed.",
    "503": "Nothing is published, or the warehouse does not respond.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application; the same one each time."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=_ABOUT, routes=app.routes, tags=_TAGS, servers=_SERVERS
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    for schema in schemas.values():
        _without_titles(schema)
    for methods in document["paths"].values():
        for operation in methods.values():
            _complete(operation)
    document["components"]["parameters"] = _shared_parameters(document)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {"google_identity": _TOKEN}
    document["security"] = [{}, {"google_identity": []}]
    app.openapi_schema = document
    return document


def _complete(operation: dict[str, Any]) -> None:
    """Add the problems to an operation, all of one schema, and leave out titles that only repeat names."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, what in _PROBLEMS.items():
        operation["responses"][status] = {"description": what, "content": content}
    for parameter in operation.get("parameters", ()):
        _without_titles(parameter["schema"])


def _shared_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Move each parameter that several routes have in the same words to one place, and return these parameters."""
    operations = [methods["get"] for methods in document["paths"].values()]
    written = Counter(json.dumps(each) for operation in operations for each in operation.get("parameters", ()))
    shared: dict[str, Any] = {}
    for text, count in written.most_common():
        parameter = json.loads(text)
        if count > 1 and parameter["name"] not in shared:
            shared[parameter["name"]] = parameter
    for operation in operations:
        for number, parameter in enumerate(operation.get("parameters", ())):
            if shared.get(parameter["name"]) == parameter:
                operation["parameters"][number] = {"$ref": f"#/components/parameters/{parameter['name']}"}
    return shared


def parameters_of(document: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of an operation, wherever the document has them."""
    shared = document["components"]["parameters"]
    return [
        shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in operation.get("parameters", ())
    ]


def _without_titles(schema: dict[str, Any]) -> None:
    schema.pop("title", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)


def index(document: dict[str, Any]) -> dict[str, Any]:
    """Return the routes, for a program that asks what there is."""
    routes = [{"path": path, "summary": methods["get"]["summary"]} for path, methods in document["paths"].items()]
    return {"title": document["info"]["title"], "docs": "/docs", "openapi": "/openapi.json", "page": "/"} | {
        "routes": routes
    }


def page(document: dict[str, Any]) -> str:
    """Return /docs: each route with its parameters and an example, as HTML without any script."""
    paths = {
        path: methods["get"] | {"parameters": parameters_of(document, methods["get"])}
        for path, methods in document["paths"].items()
    }
    links = "".join(
        f'<li><a href="#{operation["operationId"]}">{escape(path)}</a> {escape(operation["summary"])}</li>'
        for path, operation in paths.items()
    )
    parts = "".join(_section(path, operation) for path, operation in paths.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Millrace API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/page/docs.css"><link rel="icon" href="/page/icon.svg"></head>
<body><main><h1>Millrace API</h1><p>{escape(_ABOUT)}</p>
<p>For programs: <a href="/openapi.json">/openapi.json</a>, <a href="/api">/api</a>. <a href="/">The page</a>.</p>
<p>On Google Cloud each request needs an identity token:
<code>curl -H "Authorization: Bearer $(gcloud auth print-identity-token)" …</code></p>
<ul>{links}</ul>{parts}</main></body></html>
"""


def _section(path: str, operation: dict[str, Any]) -> str:
    rows = "".join(_row(parameter) for parameter in operation["parameters"])
    table = f"<table><tr><th>parameter</th><th>values</th><th>means</th></tr>{rows}</table>" if rows else ""
    examples = "".join(f"<pre><code>{escape(each)}</code></pre>" for each in _examples(path, operation))
    return f"""<section id="{operation["operationId"]}"><h2>GET {escape(path)}</h2>
<p>{escape(operation["description"])}</p>{examples}{table}</section>"""


def _row(parameter: dict[str, Any]) -> str:
    values = ", ".join(map(str, _values(parameter["schema"])))
    described = parameter.get("description", "")
    return f"<tr><td><code>{parameter['name']}</code></td><td>{escape(values)}</td><td>{escape(described)}</td></tr>"


def _values(schema: dict[str, Any]) -> Iterable[object]:
    """Return what a parameter may be: its words, or its type and limits."""
    of = schema.get("items", schema)
    if words := of.get("enum") or ([of["const"]] if "const" in of else None):
        return words
    limits = [f"{sign} {of[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in of]
    return [" ".join([of.get("format", of.get("type", "")), *limits])]


def _examples(path: str, operation: dict[str, Any]) -> list[str]:
    """Return commands that ask the route, in the address of `millrace serve`."""
    names = {parameter["name"] for parameter in operation["parameters"]}
    url = f"{_SERVERS[1]['url']}{path}"
    if not names:
        return [f"curl '{url}'"]
    of_repository = "&repo=acme-corp/service-01" if "repo" in names else ""
    return [
        f"curl '{url}?period=last_month{of_repository}'",
        f"curl -H 'Accept: text/csv' '{url}?period=this_year' > {operation['operationId']}.csv",
    ]
