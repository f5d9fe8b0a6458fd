"""Every statement of the read API is SQL that Snowflake documents, and answers there what it answers on DuckDB."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from tests.api.conftest import NOW, no_status
from tests.api.on_snowflake import Repeated, publish_as_in
from tests.api.test_parity import MARTS, Question, questions
from tests.contract import on_snowflake
from tests.proofs.parity.asked import to_12_digits
from tests.proofs.parity.linting import findings

from millrace.api.app import Api
from millrace.api.routes import ROUTES, Route
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.reading import Reader
from millrace.warehouse.snowflake.reader import SnowflakeReader

ALL_FILTERS = 2  # the place of the question with one value of each filter


@pytest.fixture(scope="module")
def there(store: DataDir, snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowflakeReader]:
    """A reader of the emulator, with the marts of `store`."""
    folder = tmp_path_factory.mktemp("published")
    warehouse = on_snowflake.open_warehouse(snowflake_at, folder / "lake", lambda: NOW)
    publish_as_in(store.published, warehouse, folder)
    reader = SnowflakeReader(warehouse._address)
    yield reader
    reader.close()
    on_snowflake.release(warehouse)


def answered(reader: Reader, route: Route, question: Question, without: frozenset[str]) -> dict[str, Any]:
    """Return an answer as JSON with doubles of twelve digits, without what each engine counts by itself."""
    api = Api(reader, no_status, lambda: NOW, without=without)
    answer: dict[str, Any] = to_12_digits(json.loads(api.answer(route, route.filters.model_validate(question)).body))
    return {name: value for name, value in answer.items() if name not in ("as_of", "built_through")}


def differing(here: Reader, there: Reader, route: Route, asked: Iterable[Question]) -> list[Question]:
    """Return the questions, from the marts and from the events, that the engines answer differently."""
    return [
        question
        for question in asked
        for without in (frozenset[str](), MARTS)
        if answered(there, route, question, without) != answered(here, route, question, without)
    ]


@pytest.mark.parametrize(
    "is_every_two", [False, pytest.param(True, marks=pytest.mark.proof)], ids=["all at once", "any two"]
)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_statement_of_every_filter_is_documented_on_snowflake(
    reader: DuckDBReader, route: Route, is_every_two: bool
) -> None:
    repeated = Repeated(reader)
    asked = list(questions(reader, route, is_every_two))
    for question in asked if is_every_two else [asked[0], asked[ALL_FILTERS], *asked[-3:]]:
        for without in (frozenset[str](), MARTS):
            answered(repeated, route, question, without)
    alike = {re.sub(r"\?(, \?)+", "?", sql) for sql in repeated.sent}  # lists of two values are as those of one
    assert len(alike) > 3
    assert {found for sql in alike for found in findings(sql)} == set()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_route_answers_on_snowflake_as_on_duckdb(reader: DuckDBReader, there: SnowflakeReader, route: Route) -> None:
    asked = list(questions(reader, route, is_every_two=False))
    sample = [asked[ALL_FILTERS], {"limit": 3, "offset": 2, "order": "desc", "tz": "UTC"}]
    assert differing(reader, there, route, sample) == []


@pytest.mark.proof
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_filter_answers_on_snowflake_as_on_duckdb(
    reader: DuckDBReader, there: SnowflakeReader, route: Route
) -> None:
    assert differing(reader, there, route, questions(reader, route, is_every_two=True)) == []
