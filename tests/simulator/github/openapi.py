"""Requests and answers of REST against GitHub's OpenAPI document."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator
from tests.simulator.github.refresh import PINNED


@cache
def document() -> dict[str, Any]:
    """Return the pinned document as JSON Schema: null where it allows null, no field that it does not name."""
    pinned = json.loads((PINNED / "openapi.json").read_text())
    converted = _converted(pinned)
    assert isinstance(converted, dict)
    return converted


def answer_problems(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return what is wrong with an answer: `path` is one of the document, such as `/repos/{owner}/{repo}`."""
    responses = document()["paths"][path][method.lower()]["responses"]
    if str(status) not in responses:
        return [f"{method} {path} does not answer {status}, but {', '.join(responses)}"]
    response = _resolved(responses[str(status)])
    schema = response["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message[:300]}" for each in validator.iter_errors(body)]


def request_problems(method: str, target: str) -> list[str]:
    """Return what is wrong with a request: its path, a parameter that GitHub ignores, a value that it refuses."""
    path, _, query = target.partition("?")
    known = next((each for each in document()["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path)), None)
    operation = document()["paths"].get(known, {}).get(method.lower())
    if operation is None:
        return [f"{method} {path} is not in the document"]
    parameters = [_resolved(each) for each in operation.get("parameters", ())]
    allowed = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
    problems = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in allowed:
            problems.append(f"{path} has no parameter {name}")
            continue
        typed: Any = int(value) if allowed[name].get("type") == "integer" and value.isdecimal() else value
        validator = Draft202012Validator({**allowed[name], "components": document()["components"]})
        problems += [f"{path}?{name}: {each.message}" for each in validator.iter_errors(typed)]
    return problems


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        _, _, kind, name = value["$ref"].split("/")
        value = document()["components"][kind][name]
    return value


def _converted(value: Any, is_part: bool = False) -> Any:
    """Return JSON Schema for OpenAPI 3.0; `is_part` is a schema that others complete."""
    if isinstance(value, list):
        return [_converted(each, is_part) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: _converted(each, is_part or name == "allOf") for name, each in value.items()}
    is_object = isinstance(found.get("properties"), dict) and found.get("type", "object") == "object"
    if is_object and not is_part and "allOf" not in found:
        found.setdefault("additionalProperties", False)
    if found.pop("nullable", None) is True:
        return {"anyOf": [{"type": "null"}, found]}
    return found
