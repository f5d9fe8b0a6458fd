"""Google's own description of its APIs, as google-api-python-client ships it: which requests and answers exist."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

DOCUMENTS = {
    "cloudbilling": ("v1",),
    "cloudbuild": ("v2",),
    "cloudkms": ("v1",),
    "cloudresourcemanager": ("v3",),
    "cloudscheduler": ("v1",),
    "oauth2": ("v2",),
    "orgpolicy": ("v2",),
    "run": ("v1",),
    "serviceusage": ("v1", "v1beta1"),
    "storage": ("v1",),
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an API, in its document."""

    api: str
    version: str
    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Return its name, such as `cloudbilling.projects.getBillingInfo`."""
        return str(self.fields["id"])

    def match(self, verb: str, path: str) -> dict[str, str] | None:
        """Return the parameters of a path; None for a request of another method."""
        if verb != self.fields["httpMethod"]:
            return None
        found = re.fullmatch(self._pattern(), path)
        return found.groupdict() if found else None

    def _pattern(self) -> str:
        whole = document(self.api, self.version)["servicePath"] + self.fields["path"]
        pattern = ""
        for literal, name in re.findall(r"([^{]*)(?:\{\+?(\w+)\})?", whole):
            own = self.fields["parameters"][name].get("pattern", "[^/]+").strip("^$") if name else ""
            own = own.replace("[^/]", "[^/:]")  # a colon begins the verb of a method
            pattern += re.escape(literal) + (f"(?P<{name}>{own})" if name else "")
        return pattern

    def problems_of_query(self, query: Mapping[str, list[str]]) -> Iterator[str]:
        """Yield the query's parameters that the method does not have."""
        known = self.fields.get("parameters", {}) | document(self.api, self.version)["parameters"]
        for name, values in query.items():
            rule = known.get(name, {})
            if rule.get("location") != "query":
                yield f"{self.id}: no parameter {name}"
            elif len(values) > 1 and not rule.get("repeated"):
                yield f"{self.id}: {name} is given {len(values)} times"
            elif "enum" in rule and not set(values) <= set(rule["enum"]):
                yield f"{self.id}: {name} is {values}"

    def problems_of_request(self, body: object) -> Iterator[str]:
        """Yield the differences between a body and its schema."""
        schema = self.fields.get("request", {}).get("$ref")
        if schema:
            yield from problems(self.api, self.version, {"$ref": schema}, body, self.id)
        elif body is not None:
            yield f"{self.id}: expected no body"

    def problems_of_answer(self, body: object) -> Iterator[str]:
        """Yield the differences between an answer and its schema."""
        yield from problems(self.api, self.version, {"$ref": self.fields["response"]["$ref"]}, body, self.id)


@cache
def document(api: str, version: str) -> dict[str, Any]:
    """Return the document of an API."""
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    found: dict[str, Any] = json.loads((folder / f"{api}.{version}.json").read_text())
    return found


@cache
def methods(api: str) -> tuple[Method, ...]:
    """Return all methods of an API."""
    return tuple(Method(api, version, fields) for version in DOCUMENTS[api] for fields in _walk(document(api, version)))


def _walk(resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _walk(inner)


def find(api: str, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
    """Return the method of a request with its parameters; None where the API has none."""
    for method in methods(api) if api in DOCUMENTS else ():
        parameters = method.match(verb, path)
        if parameters is not None:
            return method, parameters
    return None


_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


def problems(api: str, version: str, schema: Mapping[str, Any], value: object, where: str) -> Iterator[str]:
    """Yield the differences between a value and a schema; a field that the schema lacks is one."""
    if "$ref" in schema:
        schema = document(api, version)["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    if kind == "any":
        return
    if not isinstance(value, _KINDS[kind]) or (kind in ("integer", "number") and isinstance(value, bool)):
        yield f"{where}: expected {kind}, got {value!r}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    elif schema.get("format") in ("int64", "uint64") and not re.fullmatch(r"-?\d+", str(value)):
        yield f"{where}: expected digits, got {value!r}"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from problems(api, version, schema["items"], item, f"{where}[{number}]")
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        for name, item in value.items():
            rule = known.get(name, schema.get("additionalProperties"))
            if rule is None:
                yield f"{where}: no field {name}"
            else:
                yield from problems(api, version, rule, item, f"{where}.{name}")
