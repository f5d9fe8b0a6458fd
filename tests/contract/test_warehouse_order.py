"""Every warehouse ends in the same rows, whatever the order in which objects arrive, also all at once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from tests.contract.rig import (
    HOUR,
    PULLS,
    T0,
    Emptied,
    Rig,
    Rows,
    counts,
    is_on_duckdb,
    on_both_engines,
    repo,
    repos,
)

from millrace.arrow import to_batch
from millrace.tables import TABLES
from millrace.warehouse import LedgerEntry
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

VERSION = st.fixed_dictionaries(
    {"full_name": st.sampled_from(["a", "b"])},
    optional={
        "default_branch": st.sampled_from(["", "x", "y,", None]),
        "open_pull_requests_count": st.integers(0, 2),
        "ratio": st.sampled_from([0.0, -0.0, 1e-7]),
        "Extra_Name": st.sampled_from(["p", "q"]),
    },
)
OBJECT = st.tuples(st.lists(VERSION, min_size=1, max_size=3), st.integers(0, 1), st.sampled_from(["r1", "r2", None]))


def drifting(rows: Rows, hour: int, run: str | None) -> pa.Table:
    """Return a table with exactly the columns of its rows: one more, one fewer, in any order."""
    names = sorted({name for row in rows for name in row}, reverse=hour == 1)
    columns: dict[str, object] = {name: [row.get(name) for row in rows] for name in names}
    stamps = {"_extracted_at": [T0 + hour * HOUR] * len(rows), "_run_id": pa.array([run] * len(rows), pa.string())}
    return pa.table(columns | stamps)


def without_order(rows: Rows) -> list[list[tuple[str, str]]]:
    """Leave out what may depend on the order of arrival: `_load_seq`, the columns' order, columns without a value."""
    told = [{k.lower(): v for k, v in row.items() if k != "_load_seq" and v is not None} for row in rows]
    return sorted(sorted((name, repr(value)) for name, value in row.items()) for row in told)


def test_any_permutation_of_objects_ends_in_the_same_table(
    emptied: Emptied, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(max_examples=4 if is_on_duckdb(request) else 1, deadline=None)
    @given(st.lists(OBJECT, min_size=2, max_size=3))
    def permute(objects: list[tuple[Rows, int, str | None]]) -> None:
        ends = []
        for order in permutations(objects):
            with emptied(tmp_path_factory.mktemp("order")) as rig:
                for rows, hour, run in order:
                    entry = rig.warehouse.load(rig.batch(drifting(rows, hour, run), run=None))
                    assert entry.rows_read == sum(counts(entry)[1:])
                ends.append(without_order(rig.rows("repos")))
        assert all(end == ends[0] for end in ends)

    permute()


def version(run: str | None = "r1", **columns: object) -> pa.Table:
    """Return one version of one pull request, extracted at T0; a tuple is (value, type)."""
    given = {"repo_name": "r", "number": 1, "_extracted_at": T0, "_run_id": (run, pa.string())} | columns
    typed = {name: value if isinstance(value, tuple) else (value, None) for name, value in given.items()}
    return pa.table({name: pa.array([value], kind) for name, (value, kind) in typed.items()})


INSTANT = pa.timestamp("us", tz="UTC")


VERSIONS = [
    pytest.param(version(title="a"), version(title="b"), id="the content"),
    pytest.param(version(title=("", pa.string())), version(title="", body=""), id="one more value"),
    pytest.param(version("r1"), version("r2"), id="the run"),
    pytest.param(version(None), version("r1"), id="no run"),
    pytest.param(version(updated_at=T0, title="z"), version(updated_at=T0 + HOUR, title="a"), id="newest"),
    pytest.param(version(updated_at=(None, INSTANT), title="z"), version(updated_at=T0, title="a"), id="no newest"),
    pytest.param(version(p1=1, q1=2), version(q1=1, p1=2), id="columns added in another order"),
    pytest.param(version(body="1", title="2"), version(body='1",title:"2'), id="a text like two texts"),
    pytest.param(version(body="1", title="2"), version(body="1,title:2"), id="a text like two columns"),
    pytest.param(version(labels=["a", "b"]), version(labels=["a, c"]), id="a list"),
    pytest.param(version("r1", ai_ratio=-0.0), version("r2", ai_ratio=0.0), id="both zeros are one"),
    pytest.param(version(owner={"a": 1}), version(owner={"a": 2}), id="a nested value"),
]
ON_SNOWFLAKE = ("the content", "no run", "no newest", "columns added in another order", "both zeros are one")


ON_BOTH_ENGINES = on_both_engines(VERSIONS, ON_SNOWFLAKE)


@pytest.mark.parametrize(("emptied", "less", "greater"), ON_BOTH_ENGINES, indirect=["emptied"])
def test_of_two_versions_one_stays_forwards_backwards_and_in_one_file(
    emptied: Emptied, request: pytest.FixtureRequest, tmp_path: Path, less: pa.Table, greater: pa.Table
) -> None:
    both = pa.concat_tables([less, greater], promote_options="default")
    orders = [[less, greater], [greater, less], [both], [both.slice(1), both.slice(0, 1)], [less, both, greater]]
    ends = []
    for number, order in enumerate(orders if is_on_duckdb(request) else orders[:3]):
        folder = tmp_path / str(number)
        folder.mkdir()
        with emptied(folder) as rig:
            for file in order:
                rig.load(file, "pull_requests")
            ends.append(without_order(rig.rows("pull_requests")))
    assert len(ends[0]) == 1
    assert all(end == ends[0] for end in ends)


def test_the_case_of_an_added_column_decides_nothing(emptied: Emptied, tmp_path: Path) -> None:
    one, other = version(Px=1), version(pX=(None, pa.int64()), o=1)
    ends = []
    for number, order in enumerate(([one, other], [other, one])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with emptied(folder) as rig:
            for file in order:
                rig.load(file, "pull_requests")
            ends.append(without_order(rig.rows("pull_requests")))
    assert ends[0] == ends[1]


def test_between_equal_stamps_the_newest_column_decides(rig: Rig) -> None:
    late, early = T0, T0 - HOUR
    for number, (updated, title) in enumerate([(late, "a"), (early, "z"), (None, "zz")]):
        when = pa.array([updated], PULLS.schema.field("updated_at").type)
        columns = {"repo_name": ["r"], "number": [1], "title": [title], "updated_at": when}
        entry = rig.load(pa.table(columns), "pull_requests")
        assert counts(entry) == (1, int(number == 0), 0, 0, int(number > 0))
    assert rig.rows("pull_requests")[0]["title"] == "a"


def test_lists_and_json_texts_are_content(rig: Rig) -> None:
    rows: Rows = [{"repo_name": "r", "number": 1, "labels": ["a", "b"]}]
    rig.load(pa.Table.from_batches([to_batch(rows, PULLS, T0, "r1")]), "pull_requests")
    rows = [{"repo_name": "r", "number": 1, "labels": ["a, b"]}]
    again = pa.Table.from_batches([to_batch(rows, PULLS, T0 + HOUR, "r1")])
    assert counts(rig.load(again, "pull_requests")) == (1, 0, 1, 0, 0)


def test_many_threads_load_each_object_once(rig: Rig) -> None:
    count = 8 if isinstance(rig.warehouse, DuckDBWarehouse) else 4
    batches = [rig.batch(repos(*[repo(f"o/{n}", k) for n in range(20)], at=T0 + k * HOUR)) for k in range(count)]
    start = threading.Barrier(count)

    def load_all(seed: int) -> list[LedgerEntry]:
        start.wait()
        entries = [rig.warehouse.load(batch) for batch in random.Random(seed).sample(batches, count)]  # noqa: S311
        return sorted(entries, key=lambda entry: entry.load_seq)

    with ThreadPoolExecutor(count) as threads:
        seen = list(threads.map(load_all, range(count)))
    assert all(entries == seen[0] for entries in seen)
    assert len({entry.load_seq for entry in seen[0]}) == count
    assert [row["open_pull_requests_count"] for row in rig.rows("repos")] == [count - 1] * 20


def test_the_newest_sight_of_an_identity_stays_whatever_is_read_later(rig: Rig) -> None:
    key: dict[str, object] = {"system": "github", "account": "acme", "account_id": "kim", "email": "kim@acme.test"}
    table = TABLES["identities"]
    older, newer = ({**key, "seen_in": f"in {hours}", "seen_at": (T0 + hours * HOUR).isoformat()} for hours in (1, 2))
    reads = [(newer, 0), (older, 1), (newer, 2), (older, 3)]
    for row, hour in reads:
        batch = to_batch([row], table, T0 + hour * HOUR, "r1")
        rig.load(pa.Table.from_batches([batch]), "identities")
        (held,) = rig.rows("identities")
        assert held["seen_in"] == "in 2"
    both = [to_batch([row], table, T0 + hour * HOUR, "r1") for row, hour in ((newer, 4), (older, 5))]
    rig.load(pa.Table.from_batches(both), "identities")
    assert [row["seen_in"] for row in rig.rows("identities")] == ["in 2"]
