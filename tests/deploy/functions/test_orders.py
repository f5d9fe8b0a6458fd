"""One extracted run, its events delivered in any order and number: one final object, and always the same rows."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.deploy.functions.deployed import RUN, Deployed, Message, deployed, name_of

from millrace.tables import CURSOR_SIM

Rows = dict[str, list[Any]]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory, source_url: str) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as monkeypatch, deployed(folder, monkeypatch, source_url) as made:
        yield made


@pytest.fixture(scope="module")
def objects(extracted: Deployed) -> list[Message]:
    """The events of all objects that the run's tasks wrote."""
    return extracted.extract_run()


@pytest.fixture(scope="module")
def clean(extracted: Deployed, objects: list[Message]) -> Rows:
    """The raw tables after each event was delivered once, in the order of the objects."""
    for each in objects:
        extracted.load(each)
    return rows(extracted)


def rows(functions: Deployed) -> Rows:
    return {table: functions.rows(table) for table in CURSOR_SIM}


def parts(objects: list[Message]) -> list[Message]:
    return [each for each in objects if name_of(each).startswith("raw/")]


@pytest.mark.parametrize("seed", range(8))
def test_any_delivery_order_and_count_produces_one_final_and_same_rows(
    extracted: Deployed, clean: Rows, objects: list[Message], seed: int
) -> None:
    extracted.forget_loads(f"seed-{seed}")
    order = random.Random(seed)  # noqa: S311 a seeded order
    deliveries = [each for each in objects for _ in range(order.randint(1, 3))]
    order.shuffle(deliveries)
    assert {extracted.load(each).status_code for each in deliveries} == {200}
    assert [name_of(each) for each in extracted.finals()] == [f"runs/{RUN}/final.json"]
    assert rows(extracted) == clean
    assert len(extracted.warehouse.loads_of(RUN)) == len(parts(objects))


def test_the_clean_run_has_rows_in_every_table(clean: Rows) -> None:
    assert all(clean.values())


def test_before_the_last_part_there_is_no_final_object(extracted: Deployed, objects: list[Message]) -> None:
    extracted.forget_loads("last")
    *others, last = parts(objects)
    for each in others:
        extracted.load(each)
    assert extracted.finals() == []
    extracted.load(last)
    assert len(extracted.finals()) == 1


def test_each_final_delivery_requests_build_after_cursors_are_written(
    extracted: Deployed, objects: list[Message]
) -> None:
    extracted.forget_loads("builds")
    for each in parts(objects):
        extracted.load(each)
    assert extracted.builds == []
    (final,) = extracted.finals()
    assert extracted.load(final).status_code == extracted.load(final).status_code == 200
    assert extracted.builds == [RUN, RUN]
    cursors = [stored.version.name for stored in extracted.lake.list("state/")]
    assert cursors == [f"state/{table}.json" for table in sorted(CURSOR_SIM)]


def test_a_poisoned_part_does_not_keep_its_run_from_being_final(extracted: Deployed, objects: list[Message]) -> None:
    extracted.forget_loads("poisoned")
    first, *others = parts(objects)
    bad = first | {"data": "eyJjcmMzMmMiOiAiQUFBQUFBPT0ifQ=="}  # {"crc32c": "AAAAAA=="}
    assert {extracted.load(each).status_code for each in [bad, *others]} == {200}
    assert len(extracted.finals()) == 1
    reasons = [entry.quarantine_reason for entry in extracted.warehouse.loads_of(RUN)]
    assert sorted(reasons, key=str) == [None] * len(others) + ["checksum"]
