"""The usage marts are the sums of their events, cell by cell, and a refresh has the result of a full build."""

import hashlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from tests.dbt.conftest import PROJECT, USAGE_MARTS, Build, Dbt
from tests.dbt.raw_tables import make_warehouse
from tests.dbt.usage_tellings import KINDS, POOLS, Marts, Raw, Telling, many_tellings, marts_of, telling

from millrace.build.refresh import MartScripts
from millrace.errors import TransientError
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

SEEDS = PROJECT / "seeds"
FOLLOWERS = [mart for mart in USAGE_MARTS if mart != "usage_events"]
PRICES = ("usage_prices", "usage_prices_second", "usage_model_rules", "usage_model_aliases")
OFFERED = ("stg_usage_prices", "int_usage_prices_offered")
NODES = (*PRICES, *OFFERED, "stg_usage_events", "int_usage_events_changed", *USAGE_MARTS)
BUILD = ("build", "--resource-types", "model seed", "--select", *NODES)
FROM_ALL_EVENTS = ("--vars", "{from_all_events: true}")
BERLIN = ("--vars", "{reporting_time_zone: Europe/Berlin}")
DICE = random.Random(20261126)  # noqa: S311 - made-up rows

TELLINGS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in POOLS.items()}).map(telling)
LOADS = st.lists(st.lists(TELLINGS, min_size=1, max_size=6), min_size=2, max_size=5)


@pytest.fixture(scope="module")
def raw() -> Raw:
    """A few thousand reports of events, some of them changed by each of four loads."""
    raw = Raw()
    for _ in range(4):
        raw.load(many_tellings(DICE, 900))
    raw.load([told(message_id="m-guessed", is_estimated=True, reported_cost_usd=None)])
    return raw


@pytest.fixture(scope="module")
def usage(raw: Raw, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The usage marts of all these reports, fully built by dbt."""
    rows = {"usage_events": list(raw.rows.values())}
    build = dbt(make_warehouse(tmp_path_factory.mktemp("usage") / "millrace.duckdb", rows), *BUILD)
    assert build.exit_code == 0, build.output
    return build


@pytest.fixture(scope="module")
def scripts(usage: Build) -> MartScripts:
    return MartScripts.of_last_build(usage.target)


@pytest.fixture
def connection(usage: Build, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the built warehouse, for one test to change."""
    with duckdb.connect(shutil.copy(usage.database, tmp_path / "millrace.duckdb")) as connection:
        yield connection


def refresh(connection: duckdb.DuckDBPyConnection, scripts: MartScripts) -> None:
    connection.begin()
    for script in scripts.marts.values():
        connection.execute(script)
    connection.commit()


def empty(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave the marts as they are before their first refresh."""
    tables = ["meta.usage_old_keys", *(f"mart.{mart}" for mart in USAGE_MARTS)]
    connection.execute(";".join(f"truncate {table}" for table in tables))
    connection.execute("update meta.mart_watermarks set load_seq = -1")


def made_from_nothing(connection: duckdb.DuckDBPyConnection, scripts: MartScripts) -> Marts:
    """Return the marts of a rebuild, which is then rolled back."""
    connection.begin()
    empty(connection)
    for script in scripts.marts.values():
        connection.execute(script)
    made = marts_of(connection)
    connection.rollback()
    return made


def watermarks(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return connection.execute("select mart_name, load_seq from meta.mart_watermarks order by all").fetchall()


@pytest.mark.parametrize("mart", USAGE_MARTS)
def test_each_cell_is_what_the_events_come_to_and_costs_are_exact(usage: Build, raw: Raw, mart: str) -> None:
    with duckdb.connect(usage.database, read_only=True) as connection:
        held, expected = marts_of(connection)[mart], raw.marts(SEEDS)[mart]
    assert len(held) > 50 or mart == "usage_project"
    assert held == expected


def test_events_of_each_source_of_cost_are_among_them(usage: Build) -> None:
    sources = usage.query("select distinct cost_source from mart.usage_events order by all")
    assert sources == [("estimated",), ("provider",), ("rate_card",), ("second_source",), ("unknown",), (None,)]


OPUS: Telling = {name: values[-1] for name, values in POOLS.items()} | {
    **{"agent": "claude", "message_id": "m1", "collector_id": "c1", "session_id": "s1", "project": "work-web"},
    **{
        "provider": "anthropic",
        "model": "claude-opus-4-5",
        "speed": None,
        "region": None,
        "output_tokens": 7,
        "is_estimated": False,
    },
}
LATER, EARLIER, NEVER = POOLS["occurred_at"][2], POOLS["occurred_at"][1], None

NOTHING = dict.fromkeys(("user_id", "project", "provider", "model", "speed"))


def told(**changed: object) -> Telling:
    return telling(OPUS | {"occurred_at": LATER} | changed)


@example([[told()], [told(session_id="s2", model="nobody-knows", project=None)]])  # every key changes
@example([[told()], [told(occurred_at=EARLIER)]])  # its day changes
@example([[told()], [told(occurred_at=NEVER)]])  # can no longer be counted
@example([[told(**NOTHING)], [told(occurred_at=NEVER, **NOTHING)]])  # the same event, with little known of it
@example([[told()], [told(occurred_at=NEVER)], [told()]])  # and can again
@example([[told()], [told(collector_id="c2", session_id="s2", occurred_at=EARLIER)]])  # another machine has it exactly
@example(
    [  # the machine with the earliest report can no longer count it: the other's session has counted all the time
        [told(), told(collector_id="c2", session_id="s2", occurred_at=EARLIER)],
        [told(collector_id="c2", session_id="s2", occurred_at=NEVER)],
    ]
)
@example([[told(is_estimated=True, output_tokens=1000)], [told(collector_id="c2")]])  # counted at last
@given(LOADS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_each_load_a_refresh_leaves_what_a_build_from_nothing_makes(
    connection: duckdb.DuckDBPyConnection, scripts: MartScripts, loads: list[list[Telling]]
) -> None:
    raw = Raw()
    empty(connection)
    for load in loads:
        raw.load(load)
        raw.put(connection)
        refresh(connection, scripts)
        assert marts_of(connection) == raw.marts(SEEDS)
        assert set(watermarks(connection)) == {(mart, raw.load_seq) for mart in USAGE_MARTS}
    assert marts_of(connection) == made_from_nothing(connection, scripts)


@pytest.mark.parametrize("mart", USAGE_MARTS)
def test_a_refresh_that_stops_anywhere_leaves_marts_and_watermarks_as_they_were(
    usage: Build, scripts: MartScripts, raw: Raw, tmp_path: Path, mart: str
) -> None:
    database = Path(shutil.copy(usage.database, tmp_path / "millrace.duckdb"))
    with duckdb.connect(database) as connection:
        changed = Raw()
        changed.rows, changed.load_seq = dict(raw.rows), raw.load_seq
        for number in range(2):
            changed.load(many_tellings(random.Random(f"{mart} {number}"), 450))  # noqa: S311 - made-up rows
        changed.put(connection)
        before = marts_of(connection), watermarks(connection)
    stopped = [
        f"{script}; select error('stopped')" if name == mart else script for name, script in scripts.marts.items()
    ]
    with DuckDBWarehouse(database) as warehouse, pytest.raises(TransientError, match="stopped"):
        warehouse.run_scripts(stopped)
    with duckdb.connect(database) as connection:
        assert (marts_of(connection), watermarks(connection)) == before
        refresh(connection, scripts)
        assert marts_of(connection) == changed.marts(SEEDS)
        assert set(watermarks(connection)) == {(mart, changed.load_seq) for mart in USAGE_MARTS}


@pytest.mark.parametrize("mart", USAGE_MARTS)
def test_second_of_two_overlapping_refreshes_fails_and_changes_nothing(
    connection: duckdb.DuckDBPyConnection, scripts: MartScripts, raw: Raw, mart: str
) -> None:
    changed = Raw()
    changed.rows, changed.load_seq = dict(raw.rows), raw.load_seq
    changed.load(many_tellings(random.Random(mart), 50))  # noqa: S311 - made-up rows
    changed.put(connection)
    if mart != "usage_events":
        connection.execute(scripts.marts["usage_events"])
    second = connection.cursor()
    for each in (connection, second):
        each.begin()
        each.execute("from meta.mart_watermarks").fetchall()
    connection.execute(scripts.marts[mart])
    connection.commit()
    with pytest.raises(duckdb.TransactionException, match="onflict"):
        second.execute(scripts.marts[mart])
    second.rollback()
    refresh(connection, scripts)
    assert marts_of(connection) == changed.marts(SEEDS)


def test_event_that_moves_or_vanishes_is_recorded_with_its_id(
    connection: duckdb.DuckDBPyConnection, scripts: MartScripts
) -> None:
    """Who copies the fact by its changes has to delete what vanished."""
    raw, nothing = Raw(), NOTHING | dict.fromkeys(KINDS, 0) | {"reported_cost_usd": None}
    empty(connection)
    for at in (LATER, EARLIER, NEVER):
        raw.load([telling(OPUS | nothing | {"occurred_at": at})])
        raw.put(connection)
        refresh(connection, scripts)
    event_id = hashlib.md5(b"claude\x1fm1\x1fr1").hexdigest()  # noqa: S324 - no secret
    recorded = connection.execute("select event_id, day, load_seq from meta.usage_old_keys order by load_seq")
    assert recorded.fetchall() == [(event_id, LATER.date(), 2), (event_id, EARLIER.date(), 3)]


def test_mart_of_earlier_release_is_not_built_again_for_the_names_of_its_keys(
    usage: Build, dbt: Dbt, tmp_path: Path
) -> None:
    database = Path(shutil.copy(usage.database, tmp_path / "millrace.duckdb"))
    with duckdb.connect(database) as connection:
        connection.execute("alter table meta.mart_watermarks drop column mart_keys")
        connection.execute("alter table meta.usage_old_keys drop column event_id")
        connection.execute("update mart.usage_daily set message_count = 77")
    with DuckDBWarehouse(database) as warehouse:
        warehouse.ensure_tables()
    build = dbt(database, *BUILD)
    assert build.exit_code == 0, build.output
    assert build.query("select distinct message_count from mart.usage_daily") == [(77,)]
    assert dict(build.query("select mart_name, mart_keys from meta.mart_watermarks")) == {
        "usage_events": "event_id",
        "usage_daily": "day,user_id,project,repository,agent,provider,model,speed",
        "usage_session": "agent,session_id",
        "usage_project": "project",
        "usage_provider_day": "day,agent,provider",
        "usage_model_day": "day,provider,model,speed",
    }


def test_raw_table_and_seed_of_earlier_release_get_their_columns_and_marts_are_built_again(
    usage: Build, dbt: Dbt, tmp_path: Path
) -> None:
    database = Path(shutil.copy(usage.database, tmp_path / "millrace.duckdb"))
    with duckdb.connect(database) as connection:
        connection.execute("drop table staging.usage_prices")
        connection.execute("create table staging.usage_prices (provider varchar, model_pattern varchar)")
        for column in ("region", "web_searches", "is_lower_bound", "is_withdrawn"):
            connection.execute(f"alter table raw.usage_events drop column {column}")
        for column in ("region", "web_searches", "is_lower_bound", "price_model", "price_gap"):
            connection.execute(f"alter table mart.usage_events drop column {column}")
        connection.execute("update meta.mart_watermarks set definition = 'of an earlier release'")
    with DuckDBWarehouse(database) as warehouse:
        warehouse.ensure_tables()
    build = dbt(database, *BUILD)
    assert build.exit_code == 0, build.output
    count = "select count(*), sum(total_tokens) from mart.usage_events"
    assert build.query(count) == usage.query(count)
    assert build.query("select count(*) from mart.usage_events where is_lower_bound or region is not null") == [(0,)]
    assert build.query("select sum(lower_bound_count) from mart.usage_daily") == [(0,)]


def test_mart_that_is_built_from_nothing_is_neither_tested_nor_copied_yet(
    usage: Build, dbt: Dbt, tmp_path: Path
) -> None:
    database = Path(shutil.copy(usage.database, tmp_path / "millrace.duckdb"))
    kept = ("tested.usage_daily", "published.usage_daily", "published.usage_dailies")
    with duckdb.connect(database) as connection:
        for name in (*kept, "tested.usage_project", "tested.usage_events"):
            connection.execute("insert into meta.mart_watermarks (mart_name, load_seq) values (?, 4)", [name])
        connection.execute("update meta.mart_watermarks set definition = 'another' where mart_name = 'usage_project'")
    build = dbt(database, *BUILD)
    assert {
        name for (name,) in build.query("select mart_name from meta.mart_watermarks where mart_name like '%.%'")
    } == {
        *kept,
        "tested.usage_events",
    }
    with duckdb.connect(database) as connection:
        connection.execute("update meta.mart_watermarks set definition = 'another' where mart_name = 'usage_events'")
    build = dbt(database, *BUILD)
    assert build.query("select mart_name from meta.mart_watermarks where mart_name like '%.%'") == [(kept[-1],)]


@pytest.fixture(scope="module")
def definitions(usage: Build, dbt: Dbt) -> Build:
    """The marts, compiled as definitions over all events."""
    compiled = dbt(usage.database, "compile", "--select", *FOLLOWERS, *FROM_ALL_EVENTS)
    assert compiled.exit_code == 0, compiled.output
    return compiled


@pytest.mark.parametrize("mart", FOLLOWERS)
def test_full_definition_reproduces_mart_from_events_alone(usage: Build, definitions: Build, mart: str) -> None:
    sql = (definitions.target / "compiled" / "millrace" / "models" / "marts" / f"{mart}.sql").read_text()
    with duckdb.connect(usage.database, read_only=True) as connection:
        made = sorted(connection.execute(sql).fetchall(), key=repr)
        assert made == sorted(connection.execute(f"from mart.{mart}").fetchall(), key=repr) != []
    assert "usage_events" in sql
    assert "meta" not in sql


def test_full_definition_has_same_dependencies_as_mart(usage: Build, definitions: Build) -> None:
    def depends_on(build: Build) -> dict[str, object]:
        nodes = {node["name"]: node for node in build.manifest["nodes"].values()}
        return {mart: (nodes[mart]["refs"], nodes[mart]["sources"]) for mart in FOLLOWERS}

    assert depends_on(definitions) == depends_on(usage)


def test_no_mart_is_built_of_its_definition_over_all_events(
    usage: Build, definitions: Build, dbt: Dbt, tmp_path: Path
) -> None:
    database = Path(shutil.copy(usage.database, tmp_path / "millrace.duckdb"))
    build = dbt(database, "run", "--select", "usage_daily", *FROM_ALL_EVENTS, **definitions.parsed)
    assert build.exit_code == 1
    assert "a mart can be compiled, and not be built" in build.output


@pytest.fixture(scope="module")
def in_berlin(usage: Build, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The same raw rows, built once more with days in Berlin time, without another load."""
    database = shutil.copy(usage.database, tmp_path_factory.mktemp("berlin") / "millrace.duckdb")
    build = dbt(Path(database), *BUILD, *BERLIN)
    assert build.exit_code == 0, build.output
    return build


def test_changed_reporting_time_zone_moves_events_to_its_days(in_berlin: Build, raw: Raw) -> None:
    with duckdb.connect(in_berlin.database, read_only=True) as connection:
        assert marts_of(connection) == raw.marts(SEEDS, "Europe/Berlin")


def test_late_utc_evening_counts_for_next_day_in_berlin(in_berlin: Build) -> None:
    late = "select distinct day - cast(occurred_at as date) from mart.usage_events where hour(occurred_at) = 23"
    assert in_berlin.query(late) == [(1,)]


def test_price_change_reprices_all_events(in_berlin: Build, raw: Raw, dbt: Dbt, tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    seeds = project / "seeds"
    with (seeds / "usage_prices.csv").open("a") as file:
        file.write("nobody-knows,standard,,0,2024-01-01,1,2,3,4,5,,made up\n")
    build = dbt(in_berlin.database, *BUILD, *BERLIN, project=project, **in_berlin.parsed)
    assert build.exit_code == 0, build.output
    with duckdb.connect(build.database, read_only=True) as connection:
        assert marts_of(connection) == raw.marts(seeds, "Europe/Berlin") != raw.marts(SEEDS, "Europe/Berlin")
