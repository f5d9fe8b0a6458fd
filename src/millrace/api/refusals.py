"""What a refused request gets: what was expected, in our words, and the next step."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from millrace.api.filters import Filters, NoFilters
from millrace.api.names import Refused, did_you_mean, quoted
from millrace.api.replies import problem
from millrace.errors import MillraceError
from millrace.status import remedies

METHODS = "GET, HEAD, OPTIONS"
_SEE_DOCS = "see /docs for the parameters of the route"
# Other words for a parameter, which are not near to it by their letters.
_SYNONYMS = {
    "repository": "repo",
    "repos": "repo",
    "user": "person",
    "user_id": "person",
    "author": "developer",
    "since": "from",
    "start": "from",
    "until": "to",
    "end": "to",
    "timezone": "tz",
    "zone": "tz",
    "page": "offset",
    "range": "period",
}
_EXPECTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "bool_parsing": lambda _: "true or false",
    "date_from_datetime_parsing": lambda _: "a day that exists, like 2026-01-31",
    "date_parsing": lambda _: "a day that exists, like 2026-01-31",
    "greater_than_equal": lambda limits: f"at least {limits['ge']}",
    "int_parsing": lambda _: "a whole number",
    "int_parsing_size": lambda _: "a whole number that is not as long",
    "less_than_equal": lambda limits: f"at most {limits['le']}",
    "literal_error": lambda limits: _words(str(limits["expected"])),
    "string_pattern_mismatch": lambda _: "text without control characters",
    "string_too_long": lambda limits: f"at most {limits['max_length']} characters",
    "too_long": lambda limits: f"at most {limits['max_length']} values",
    "value_error": lambda limits: str(limits["error"]).removeprefix("expected "),
}


def _words(expected: str) -> str:
    """Return pydantic's list of literals without its quotes."""
    return expected.replace("'", "")


def of_parameters(names: Mapping[str, type[Filters] | type[NoFilters]]) -> Callable[[Request, Exception], Response]:
    """Return the handler for parameters that cannot be; `names` has the filters of each path."""

    def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 it is registered for those
        filters = names.get(request.url.path, NoFilters)
        known = [field.alias or name for name, field in filters.model_fields.items()]
        said = "; ".join(_sentence(each, known) for each in error.errors()[:5])
        return problem(422, "Invalid parameter", said[:1000], _SEE_DOCS)

    return refuse


def _sentence(error: Mapping[str, Any], known: list[str]) -> str:
    where, kind = ".".join(str(part) for part in error["loc"][1:] if isinstance(part, str)), error["type"]
    if kind == "extra_forbidden":
        other = _SYNONYMS.get(where.lower())
        hint = f"; did you mean {other}?" if other in known else did_you_mean(where, known)
        return f"no parameter {quoted(where)}{hint}"
    limits = error.get("ctx") or {}
    expected = _EXPECTED[kind](limits) if kind in _EXPECTED else "another value"
    if not where:  # about several parameters: a sentence of its own
        return str(limits.get("error", expected))
    value = error.get("input")
    got = "" if kind in ("string_too_long", "too_long", "string_pattern_mismatch") else f", got {quoted(value)}"
    hint = did_you_mean(str(value), expected.replace(" or ", ", ").split(", ")) if kind == "literal_error" else ""
    return f"{where}: expected {expected}{got}{hint}"


def of_request(_: Request, error: Exception) -> Response:
    """Answer a request that the data or the deployment refuses."""
    assert isinstance(error, Refused)  # noqa: S101 it is registered for those
    return problem(error.status, error.title, error.detail, error.next_step)


def of_path(request: Request, error: Exception) -> Response:
    """Answer an unknown path or method; OPTIONS on a known path gets its methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 it is registered for those
    if error.status_code != 405:
        detail = f"{request.method} is not answered there"
        return problem(error.status_code, error.detail, detail, "/api lists the routes", error.headers)
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": METHODS})
    detail = f"{request.method} is not answered there"
    return problem(405, error.detail, detail, "read the routes by GET; /api lists them", {"Allow": METHODS})


def of_data(place: remedies.Location) -> Callable[[Request, Exception], Response]:
    """Return the handler for marts or a status that cannot be read, with the remedy for the place."""

    def wait(_: Request, error: Exception) -> Response:
        step = error.step if isinstance(error, MillraceError) else None
        advice = "try again; else see /api/etl/status" if step is None else remedies.remedy(step, place)
        return problem(503, "The marts cannot be read now", str(error), advice)

    return wait
