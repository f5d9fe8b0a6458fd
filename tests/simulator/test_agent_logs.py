"""The logs of agents in simulated homes, read as the collector reads them."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench.agent_logs import write_bulk

import simulator
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import UsageEvent, merge_all
from millrace.collect.parsers.fields import SkipReason
from millrace.collect.parsers.reading import LogState, Reading
from simulator.agent_logs import CURSOR_DATABASE, Home, append_response, write_homes
from simulator.agent_sessions import PRIVATE_TEXT

END = datetime(2026, 11, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 1, 13, tzinfo=UTC)
CWD = "/home/ann/src/web"


@pytest.fixture(scope="module")
def homes(world: simulator.World, tmp_path_factory: pytest.TempPathFactory) -> list[Home]:
    return write_homes(world, tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def readings(homes: list[Home]) -> dict[Path, Reading]:
    return {path: reading for home in homes for path, reading in read_home(home.folder)}


@pytest.fixture(scope="module")
def events(readings: dict[Path, Reading]) -> list[UsageEvent]:
    return merged(readings.values())


def read_home(folder: Path) -> Iterator[tuple[Path, Reading]]:
    for path in sorted(folder.rglob("*.jsonl")):
        agent = "claude" if ".claude" in path.parts else "codex"
        yield path, AGENTS[agent].read(path.read_bytes(), LogState(session_id=path.stem[-36:]))
    for path in sorted(folder.rglob("ui_messages.json")):
        yield path, AGENTS["cline"].read(path.read_bytes(), LogState(session_id=path.parent.name))
    if (folder / CURSOR_DATABASE).exists():
        lines = [json.dumps({"key": key, "value": value}) + "\n" for key, value in cursor_rows(folder)]
        yield folder / CURSOR_DATABASE, AGENTS["cursor"].read("".join(lines).encode(), LogState())


def cursor_rows(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / CURSOR_DATABASE)) as database:
        return database.execute("SELECT key, value FROM cursorDiskKV ORDER BY rowid").fetchall()


def merged(readings: Iterable[Reading]) -> list[UsageEvent]:
    return list(merge_all(event for reading in readings for event in reading.events).values())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of(readings: dict[Path, Reading], part: str) -> list[Reading]:
    return [reading for path, reading in readings.items() if part in path.as_posix()]


def skipped(readings: Iterable[Reading]) -> Counter[SkipReason]:
    return sum((Counter(reading.skipped) for reading in readings), Counter[SkipReason]())


def test_each_member_who_commits_has_a_home(world: simulator.World, homes: list[Home]) -> None:
    assert [home.email for home in homes] == [member["email"] for member in world.members]
    assert [home.folder.name for home in homes] == [home.developer_id for home in homes]


def test_home_has_git_identity_of_its_owner(homes: list[Home]) -> None:
    settings = (homes[2].folder / ".gitconfig").read_text()
    assert settings == "[user]\n\tname = Developer 003\n\temail = dev003+git@example.com\n"


def test_member_without_commits_has_no_home(tmp_path: Path) -> None:
    world = simulator.World.of(members=[{"email": "ann@example.com", "name": "Ann"}], end="2026-11-01T00:00:00Z")
    assert write_homes(world, tmp_path) == []


def test_the_same_seed_writes_the_same_bytes(world: simulator.World, homes: list[Home], tmp_path: Path) -> None:
    write_homes(world, tmp_path)
    assert contents(tmp_path) == contents(homes[0].folder.parent)


def test_another_seed_writes_other_sessions(world: simulator.World, homes: list[Home], tmp_path: Path) -> None:
    write_homes(world, tmp_path, seed=8)
    assert {name for name in contents(tmp_path) if "/.claude/" in name}.isdisjoint(contents(homes[0].folder.parent))


def test_a_later_end_adds_to_the_logs(homes: list[Home], tmp_path: Path) -> None:
    later = simulator.generate(developers=5, days=33, seed=7, end=END + timedelta(days=3))
    write_homes(later, tmp_path)
    after = {name: content for name, content in contents(tmp_path).items() if not name.endswith("vscdb")}
    before = {n: content for n, content in contents(homes[0].folder.parent).items() if not n.endswith("vscdb")}
    assert before.items() < after.items()
    assert set(cursor_rows(homes[0].folder)) <= set(cursor_rows(tmp_path / homes[0].developer_id))


def test_more_sittings_are_more_logs(world: simulator.World, homes: list[Home], tmp_path: Path) -> None:
    many, few = write_homes(world, tmp_path, sittings_per_pull=3.0), homes
    assert sum(home.sittings for home in many) > 2 * sum(home.sittings for home in few)


def test_everybody_uses_every_agent_however_little_they_work(world: simulator.World, tmp_path: Path) -> None:
    few = write_homes(world, tmp_path, sittings_per_pull=0.2)
    assert max(home.sittings for home in few) < 20
    agents = [{event.agent for _, reading in read_home(home.folder) for event in reading.events} for home in few]
    assert agents == [{"claude", "codex", "cursor", "cline"}] * 5


def test_all_lines_are_of_known_kinds(readings: dict[Path, Reading]) -> None:
    expected = {
        SkipReason.NO_USAGE,
        SkipReason.NO_TOKENS,
        SkipReason.SYNTHETIC,
        SkipReason.REPEATED,
        SkipReason.NOT_JSON,
    }
    assert set(skipped(readings.values())) == expected


def test_few_lines_are_broken(readings: dict[Path, Reading]) -> None:
    lines = sum(reading.lines for path, reading in readings.items() if path.suffix == ".jsonl")
    assert 1 / 1000 < skipped(readings.values())[SkipReason.NOT_JSON] / lines < 1 / 100


def test_projects_are_the_developers_repositories(world: simulator.World, homes: list[Home]) -> None:
    repos = {row["repo_name"] for row in world.pulls.rows if row["author_id"] == homes[0].developer_id}
    projects = {event.project for _, reading in read_home(homes[0].folder) for event in reading.events}
    assert projects - {None} == {f"src-{repo.removeprefix('acme-corp/')}" for repo in repos}


def test_work_comes_shortly_before_a_pull_request_in_its_repository(world: simulator.World, homes: list[Home]) -> None:
    created: dict[str, list[datetime]] = {}
    for row in world.pulls.rows:
        if row["author_id"] == homes[0].developer_id:
            project = f"src-{row['repo_name'].removeprefix('acme-corp/')}"
            created.setdefault(project, []).append(datetime.fromisoformat(row["created_at"]))
    worked = {(e.project, e.occurred_at) for _, reading in read_home(homes[0].folder) for e in reading.events}
    least, most = timedelta(0), timedelta(hours=54)
    assert [
        (project, at)
        for project, at in worked
        if project and not any(least < instant - at < most for instant in created[project])
    ] == []


def test_work_is_on_most_days_of_the_world(events: list[UsageEvent]) -> None:
    instants = [event.occurred_at for event in events]
    assert len({instant.date() for instant in instants}) > 25
    assert END - timedelta(days=31) < min(instants)
    assert max(instants) <= END


def test_speeds_and_cache_writes_of_all_kinds(events: list[UsageEvent]) -> None:
    claude = [event for event in events if event.agent == "claude" and event.role == "assistant"]
    assert {event.speed for event in claude} == {None, "standard", "fast", "batch"}
    assert any(event.tokens.cache_write_5m_tokens for event in claude)
    assert any(event.tokens.cache_write_1h_tokens for event in claude)


def test_models_include_dated_undated_and_unlisted_names(events: list[UsageEvent]) -> None:
    models = {event.model for event in events}
    assert {"claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "claude-unlisted-1", "gpt-5-codex"} < models


def test_last_line_of_response_has_its_output_tokens(homes: list[Home]) -> None:
    outputs: dict[str, list[int]] = {}
    for path in sorted(homes[0].folder.glob(".claude/projects/*/*.jsonl")):
        for line in path.read_text().split("\n"):
            if '"type":"assistant"' in line and line.endswith("}") and '"agentId"' not in line:
                message = json.loads(line)["message"]
                outputs.setdefault(f"{path}/{message['id']}", []).append(message["usage"]["output_tokens"])
    several = [counts for counts in outputs.values() if len(counts) > 1]
    assert len(several) > 50
    assert {count for counts in several for count in counts[:-1]} == {1}
    assert min(counts[-1] for counts in several) > 1


@pytest.mark.parametrize("role", ["user", "assistant"])
@pytest.mark.parametrize("part", [".claude/projects", ".codex/sessions"])
def test_a_session_that_goes_on_from_another_has_copies_of_its_events(
    readings: dict[Path, Reading], part: str, role: str
) -> None:
    told = [event for reading in of(readings, part) for event in reading.events if event.role == role]
    assert len({event.key for event in told}) < len(told)


def test_sub_agents_are_of_their_session(readings: dict[Path, Reading]) -> None:
    sub_agents = [path for path in readings if path.parent.name == "subagents"]
    sessions = {path: {event.session_id for event in readings[path].events} for path in sub_agents}
    assert sessions
    assert sessions == {path: {path.parent.parent.name} for path in sub_agents}


def test_counters_of_codex_are_emitted_again(readings: dict[Path, Reading]) -> None:
    codex = of(readings, ".codex/sessions")
    repeated = skipped(codex)[SkipReason.REPEATED]
    assert 0.1 < repeated / sum(event.role == "assistant" for event in merged(codex)) < 0.5


def test_most_of_cursors_tokens_are_estimated(events: list[UsageEvent]) -> None:
    answers = [event for event in events if event.agent == "cursor" and event.role == "assistant"]
    assert 0.7 < sum(event.is_estimated for event in answers) / len(answers) < 1


def test_cline_answers_have_cost_model_and_provider(events: list[UsageEvent]) -> None:
    answers = [event for event in events if event.agent == "cline" and event.role == "assistant"]
    assert all(event.cost_usd and event.model and event.provider for event in answers)


def test_some_sessions_are_of_one_prompt_and_one_response(events: list[UsageEvent]) -> None:
    sessions: dict[str, list[str]] = {}
    for event in events:
        sessions.setdefault(event.session_id, []).append(event.role)
    assert ["assistant", "user"] in [sorted(roles) for roles in sessions.values()]


def test_private_text_appears_in_logs(homes: list[Home]) -> None:
    said = json.dumps(PRIVATE_TEXT, ensure_ascii=False)[1:-1].encode()
    files = contents(homes[0].folder)
    assert {name.split("/")[0] for name, content in files.items() if said in content} >= {".claude", ".codex"}


def test_bulk_logs_match_their_reported_size(tmp_path: Path) -> None:
    bulk = write_bulk(tmp_path, messages=6_007, sessions=40, projects=7, days=11, seed=1)
    readings = [reading for _, reading in read_home(tmp_path)]
    events = merged(readings)
    assert bulk.lines == sum(reading.lines for reading in readings) == 6_007
    assert bulk.events == len(events)
    assert bulk.size_bytes == sum(map(len, contents(tmp_path).values()))
    assert len({event.session_id for event in events}) == 40
    assert len({event.project for event in events}) == 7
    assert len({event.occurred_at.date() for event in events}) == 11
    assert {event.agent for event in events} == {"claude", "codex"}


def test_two_thirds_of_bulk_are_events_and_a_quarter_repeats_one(tmp_path: Path) -> None:
    bulk = write_bulk(tmp_path, messages=6_000, sessions=50, projects=7, days=11, seed=1)
    assert bulk.events / bulk.lines == pytest.approx(150 / 228, abs=0.02)
    assert bulk.repeated / bulk.lines == pytest.approx(0.25, abs=0.02)
    readings = [reading for _, reading in read_home(tmp_path)]
    again = skipped(readings)[SkipReason.REPEATED] + sum(reading.used - len(reading.events) for reading in readings)
    assert bulk.repeated == again


def test_bulk_follows_from_its_seed(tmp_path: Path) -> None:
    write_bulk(tmp_path / "one", messages=500, sessions=5, projects=2, days=3, seed=1)
    write_bulk(tmp_path / "same", messages=500, sessions=5, projects=2, days=3, seed=1)
    write_bulk(tmp_path / "other", messages=500, sessions=5, projects=2, days=3, seed=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "same")
    assert contents(tmp_path / "one").keys().isdisjoint(contents(tmp_path / "other"))


def test_an_appended_response_is_one_event(tmp_path: Path) -> None:
    path = tmp_path / "project" / "session.jsonl"
    ids = [append_response(path, cwd=CWD, at=NOW, seed=seed) for seed in range(20)]
    reading = AGENTS["claude"].read(path.read_bytes(), LogState())
    assert [(event.message_id, event.request_id) for event in reading.events] == ids
    assert {event.session_id for event in reading.events} == {"session"}
    assert reading.used > 20  # several lines each


def test_an_appended_response_is_recent_and_comes_after_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_bytes(b'{"type":"summary"}\n')
    append_response(path, cwd=CWD, at=NOW, seed=1)
    (event,) = AGENTS["claude"].read(path.read_bytes(), LogState()).events
    assert path.read_bytes().startswith(b'{"type":"summary"}\n')
    assert NOW - timedelta(minutes=3) < event.occurred_at <= NOW
    assert event.project == "src-web"
