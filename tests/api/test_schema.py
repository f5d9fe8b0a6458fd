"""The OpenAPI document is valid and describes every item; the replies to calls generated from it conform to it."""

import copy
import json
import re
from collections.abc import Callable, Collection
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from tests.api.generated import call_all, known_names

from millrace.api.document import parameters_of
from millrace.api.routes import ROUTES
from millrace.laptop.data_dir import DataDir
from millrace.status import remedies
from millrace.wiring import api_of

MAX_EXAMPLES = 1  # `make prove WHAT=api-calls` makes many more
CHECKS = {
    "allow_header_conformance",
    "content_type_conformance",
    "negative_data_rejection",
    "not_a_server_error",
    "positive_data_acceptance",
    "response_headers_conformance",
    "response_schema_conformance",
    "status_code_conformance",
    "unsupported_method",
}


@pytest.fixture
def served(store: DataDir) -> FastAPI:
    """The application as `millrace serve` builds it, with its status."""
    return api_of(store.api_config(), remedies.DEPLOYMENT)


@pytest.fixture(scope="module")
def document(store: DataDir) -> dict[str, Any]:
    return api_of(store.api_config(), remedies.DEPLOYMENT).openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: methods["get"] for path, methods in document["paths"].items()}


@pytest.mark.parametrize(
    "routes",
    [
        # The parameters of a route are those of its filters, but for `sort`.
        pytest.param({route.filters.__base__: route.path for route in ROUTES}.values(), id="one for each filters"),
        pytest.param([route.path for route in ROUTES], id="all", marks=pytest.mark.proof),
    ],
)
def test_generated_calls_match_the_document(
    served: FastAPI, store: DataDir, capsys: pytest.CaptureFixture[str], routes: Collection[str]
) -> None:
    document, paths = served.openapi(), [f"/api/{path}" for path in (*routes, "etl/status")]
    document["paths"] = {path: document["paths"][path] for path in paths}
    calls = call_all(served, MAX_EXAMPLES, known_names(store.published))
    with capsys.disabled():
        print(f"\n{calls}")  # noqa: T201 a run is judged by its number of calls
    assert not calls.failures
    assert calls.checks >= CHECKS
    assert set(calls.of_routes) == {f"GET {path}" for path in paths}


def allow_more(document: dict[str, Any]) -> None:
    limit_of_velocity(document)["maximum"] = 2_000


def allow_less(document: dict[str, Any]) -> None:
    limit_of_velocity(document)["maximum"] = 500


def expect_another_column(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["VelocityRow"]["properties"]["week"] = {"type": "integer"}


def forget_the_problems(document: dict[str, Any]) -> None:
    del document["paths"]["/api/velocity"]["get"]["responses"]["422"]


def limit_of_velocity(document: dict[str, Any]) -> dict[str, Any]:
    operation = document["paths"]["/api/velocity"]["get"]
    parameters = operation["parameters"] = copy.deepcopy(parameters_of(document, operation))
    schema: dict[str, Any] = next(each["schema"] for each in parameters if each["name"] == "limit")
    return schema


@pytest.mark.proof
@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (allow_more, "positive_data_acceptance"),
        (allow_less, "negative_data_rejection"),
        (expect_another_column, "response_schema_conformance"),
        (forget_the_problems, "status_code_conformance"),
    ],
)
def test_a_wrong_document_is_noticed(
    served: FastAPI, store: DataDir, spoil: Callable[[dict[str, Any]], None], check: str
) -> None:
    """Shows that the generated calls can fail."""
    document = served.openapi()
    document["paths"] = {"/api/velocity": document["paths"]["/api/velocity"]}
    spoil(document)
    assert check in {check for _, check, _ in call_all(served, 1, known_names(store.published)).failures}


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()


def test_every_route_and_parameter_is_described(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    described = [operation[name] for operation in operations.values() for name in ("summary", "description")]
    described += [
        each["description"] for operation in operations.values() for each in parameters_of(document, operation)
    ]
    assert all(described)


def test_every_route_documents_its_error_responses(operations: dict[str, dict[str, Any]]) -> None:
    kinds = {
        (status, *answer.get("content", {"none": None}))
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status != "200"
    }
    problems = {(status, "application/problem+json") for status in ("400", "403", "422", "500", "503")}
    assert kinds == {*problems, ("304", "none")}


@pytest.mark.parametrize("route", [route.path for route in ROUTES])
def test_a_list_is_json_or_csv(operations: dict[str, dict[str, Any]], route: str) -> None:
    assert list(operations[f"/api/{route}"]["responses"]["200"]["content"]) == ["application/json", "text/csv"]


def test_names_of_schemas_are_of_the_domain_and_problems_are_one_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if "__" in name or "millrace" in name.lower()] == []
    assert json.dumps(document).count('"next_step":') == 1
    assert set(schemas["Problem"]["properties"]) == {"type", "title", "status", "detail", "next_step"}


def test_a_zone_is_text_and_money_a_number(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    (zone,) = (each for each in parameters_of(document, operations["/api/velocity"]) if each["name"] == "tz")
    assert (zone["schema"]["type"], "enum" in zone["schema"]) == ("string", False)
    cost = document["components"]["schemas"]["Whole"]["properties"]["cost_usd"]
    assert cost["anyOf"] == [{"type": "number"}, {"type": "null"}]


def test_routes_are_grouped_secured_and_summarised_in_plain_words(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    assert {tag for operation in operations.values() for tag in operation["tags"]} == tags
    assert document["servers"]
    assert {} in document["security"]  # `millrace serve` needs no token
    assert [each["summary"] for each in operations.values() if each["summary"].startswith(("Give", "Return"))] == []


def test_the_document_has_shared_parameters_once(document: dict[str, Any]) -> None:
    without_rows = {"paths": document["paths"], "parameters": document["components"]["parameters"]}
    assert len(json.dumps(without_rows, separators=(",", ":"))) < 100_000  # 80,000 for eighteen routes


def test_document_refuses_a_zone_of_control_characters_as_the_api_does(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    (zone,) = (each for each in parameters_of(document, operations["/api/velocity"]) if each["name"] == "tz")
    assert not re.search(zone["schema"].get("pattern", ""), "\x16")
