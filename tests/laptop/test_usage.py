"""From the logs of a team's coding agents to the marts: every cell equals the one computed by parsers and prices."""

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests import warm
from tests.collect.machine import Machine, response
from tests.laptop.conftest import PROJECT, Outcome, as_own, run_all

from millrace.collect.cursor_rows import read_rows
from millrace.collect.discovery import Root, discover
from millrace.collect.identity import user_id
from millrace.collect.parsers import event
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import UsageEvent
from millrace.collect.parsers.reading import LogState
from simulator.agent_logs import append_response
from simulator.truth import usage as truth
from simulator.truth.prices import Prices

WORLD = ("--developers", "3", "--days", "20", "--seed", "5", "--end", "2026-10-20T00:00:00Z", "--no-limiter")
SEEDS = PROJECT / "jobs" / "dbt-runner" / "dbt" / "seeds"
NOW = datetime(2026, 10, 19, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def first(place: Path) -> Outcome:
    """A run over a place, with usage."""
    return run_all(place, *WORLD, "--usage", "--json")


def millrace(place: Path, *arguments: str) -> Outcome:
    """Run the command on the logs of the first developer."""
    home = min((place / "homes").iterdir())
    of_home = () if arguments[-1] == "doctor" else ("--home", str(home))
    done = warm.run("millrace", *arguments, "--data-dir", str(place), *of_home)
    return Outcome(done.returncode, done.stdout, done.stderr)


def read(root: Root, log: Path) -> list[UsageEvent]:
    agent = AGENTS[root.agent]
    state = LogState(root.session_id(log))
    if root.agent == "cursor":
        content = b"".join(rows.lines for rows in read_rows(log, 0, "", 1 << 20, 1 << 20))
    else:
        content = log.read_bytes()
    return list(agent.read(content, state).events)


def told(home: Path) -> list[UsageEvent]:
    """Return the events in a home's logs, read by the parsers alone."""
    events = [
        each
        for root in discover(home, {}, "linux", AGENTS)
        for log in root.logs(lambda error: None)
        for each in read(root, log)
    ]
    return list(event.merge_all(events).values())


def expected(place: Path) -> dict[str, list[truth.Row]]:
    homes = sorted((place / "homes").iterdir())
    owned = [truth.OwnedEvent(each, user_id(None, home, {})) for home in homes for each in told(home)]
    return truth.marts(owned, Prices.read(SEEDS), "UTC")


def differences(place: Path) -> list[str]:
    """Return each row of the published usage marts that is on only one side."""
    found = []
    with closing(duckdb.connect(str(place / "published.duckdb"), read_only=True)) as connection:
        for mart, rows in expected(place).items():
            cursor = connection.execute(f"select * from mart.{mart}")  # noqa: S608 our own names
            names = [column[0] for column in cursor.description or () if column[0] != "_load_seq"]
            built = [dict(zip(names, row, strict=False)) for row in cursor.fetchall()]
            wanted = [{name: row[name] for name in names} for row in rows]
            ours, theirs = {_text(row) for row in built}, {_text(row) for row in wanted}
            found += [f"{mart} has {row}" for row in sorted(ours - theirs)]
            found += [f"{mart} lacks {row}" for row in sorted(theirs - ours)]
            found += [f"{mart}: {len(built)} rows"] * (len(built) != len(wanted))
    return found


def _text(row: dict[str, Any]) -> str:
    plain = {name: format(cell, ".12f") if isinstance(cell, Decimal) else cell for name, cell in row.items()}
    return json.dumps(plain, default=str, sort_keys=True)


def test_run_collects_every_event_and_marts_match_logs(first: Outcome, place: Path) -> None:
    usage = first.report["usage"]
    assert (first.code, usage["machines"], usage["balanced"]) == (0, 3, True)
    assert usage["inserted"] == usage["events"] == sum(len(told(home)) for home in (place / "homes").iterdir()) > 500
    assert differences(place) == []


def test_reconcile_adds_up_the_events_and_each_mart(first: Outcome, place: Path) -> None:
    outcome = run_all(place, "reconcile", *WORLD)
    lines = [line for line in outcome.out.splitlines() if "events of" in line]
    events = first.report["usage"]["events"]
    assert (outcome.code, len(lines)) == (0, 5)
    assert all(line.startswith("✓") and f"{events:,} events of {events:,} loaded" in line for line in lines)


def test_cost_of_a_demo_is_that_of_its_repositories(first: Outcome, place: Path) -> None:
    with closing(duckdb.connect(str(place / "published.duckdb"), read_only=True)) as connection:
        query = "select count(*), count(repo_name) from mart.project_repositories where project is not null"
        mapped = connection.execute(query).fetchone()
        users = connection.execute("select count(*), count(developer) from mart.user_developers").fetchone()
        query = "select count(cost_per_merged_pr), min(cost_attributed_share) from mart.cost_per_merged_pr"
        known, least = connection.execute(query).fetchall()[0]
    assert (mapped, users, known > 0, least > 0.5) == ((2, 2), (3, 3), True, True)
    maps = sorted(path.parent.name for path in (place / "lake" / "drop").glob("*/demo.csv"))
    assert maps == ["project_repositories", "user_developers"]


def test_a_mart_that_lost_a_row_is_named(first: Outcome, place: Path, tmp_path: Path) -> None:
    with closing(duckdb.connect(str(place / "millrace.duckdb"))) as connection:
        connection.execute("create table kept as select * from mart.usage_session limit 1")
        connection.execute("delete from mart.usage_session where session_id in (select session_id from kept)")
    outcome = run_all(place, "reconcile", *WORLD)
    with closing(duckdb.connect(str(place / "millrace.duckdb"))) as connection:
        connection.execute("insert into mart.usage_session from kept; drop table kept")
    assert outcome.code == 1
    assert [line.split()[1] for line in outcome.out.splitlines() if line.startswith("✗")] == ["usage_session"]


def test_new_usage_is_collected_loaded_and_built(first: Outcome, place: Path) -> None:
    home = min((place / "homes").iterdir())
    log = home / ".claude" / "projects" / "-home-x-src-app" / "0e8b7c1c-1111-4111-8111-000000000001.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    append_response(log, cwd="/home/x/src/app", at=NOW, seed=1)
    as_own(place)
    dry = millrace(place, "collect", "--dry-run")
    assert (dry.code, "would send" in dry.out) == (0, True)
    outcome = millrace(place, "collect")
    assert outcome.code == 0, outcome.err
    assert differences(place) == []
    assert "nothing new" in millrace(place, "collect").out


@pytest.mark.proof
def test_forced_backfill_keeps_same_marts_and_reports_them(first: Outcome, place: Path) -> None:
    as_own(place)
    outcome = millrace(place, "usage", "backfill", "--force")
    assert outcome.code == 0, outcome.err
    assert "marts: usage_events " in outcome.out
    assert differences(place) == []
    again = millrace(place, "usage", "backfill", "--json")
    said = json.loads(again.out)
    assert (again.code, set(said)) == (0, {"schema", "collected", "loaded", "build", "marts", "seconds"}), again.err
    assert (said["schema"], said["loaded"]["inserted"], said["collected"]["new"]) == ("millrace/backfill/1", 0, 0)
    assert said["marts"]["usage_events"] > 0


def test_doctor_names_unpriced_models_and_exits_1(first: Outcome, place: Path) -> None:
    outcome = millrace(place, "usage", "doctor")
    assert outcome.code == 1
    assert "claude anthropic claude-unlisted-1, speed standard (no price of this model): " in outcome.out
    assert "    millrace prices add claude-unlisted-1 --input … --output … " in outcome.out
    assert "schedule is installed" in outcome.out
    assert "None: " not in outcome.out  # usage of no known project needs no row in the map


def test_nothing_is_read_where_collecting_is_off(first: Outcome, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT", "off")
    outcome = millrace(place, "collect")
    assert (outcome.code, outcome.out) == (0, "MILLRACE_COLLECT is off: nothing is read, and nothing is sent\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("collect", "--agents", "copilot"), "expected names of claude, codex, cursor"),
        (("collect", "--since", "yesterday"), "expected 90d, 12w or a day like 2026-01-31, got 'yesterday'"),
        (("collect", "--lake", "s3://bucket"), "expected file:///an/absolute/path"),
        (("usage", "burn"), "No such command 'burn'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_code_2(
    arguments: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    Machine(tmp_path).log("claude").write_bytes(response("m1"))
    command = [sys.executable, "-m", "millrace", *arguments, "--home", f"{tmp_path}/home"]
    environment = {"MILLRACE_COLLECT_STATE": str(tmp_path / "state")}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, why in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
