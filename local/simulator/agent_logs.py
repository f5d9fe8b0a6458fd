"""The homes of a world's developers, with the logs that their coding agents keep; and logs in bulk, for benchmarks.

A developer sits down with an agent in the folder of a repository before pull requests there. A home follows from the
world and the seed; a later end of the same world adds sittings, and leaves the others as they are.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from simulator.agent_sessions import (
    CLAUDE_MODELS,
    PRIVATE_TEXT,
    Files,
    Sitting,
    Transcript,
    claude_folder,
    codex_path,
    cursor_rows,
    format_utc,
    new_uuid,
    to_jsonl,
    write_claude,
    write_cline,
    write_codex,
)
from simulator.instants import parse_instant, to_datetime
from simulator.world import Row, World

CURSOR_DATABASE = ".config/Cursor/User/globalStorage/state.vscdb"
_AGENTS = ("claude", "codex", "cursor", "cline")
_WEIGHTS = (60, 20, 12, 8)
_LEAST_BEFORE, _MOST_BEFORE = timedelta(hours=6), timedelta(hours=54)

# A turn in bulk: a Prompt, 7 Responses of which 3 are said Again, and a Tool's result; 8 events in 12 lines.
_TURN = "PRARTRRARRAR"
_BULK_END = datetime(2026, 11, 1, tzinfo=UTC)
_BULK_DAY = timedelta(hours=12)
_CODEX_EVERY = 4  # sessions


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder of one developer; `sittings` is how often they worked with an agent."""

    developer_id: str
    email: str
    folder: Path
    sittings: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """What was written in bulk: `events` of the `lines` are events, `repeated` say one of them again."""

    lines: int
    events: int
    repeated: int
    size_bytes: int


@dataclass
class _Developer:
    id: str
    email: str
    name: str
    pulls: list[Row] = field(default_factory=list)

    @property
    def user(self) -> str:
        """The name on their machine."""
        return self.email.partition("@")[0].partition("+")[0]


def write_homes(world: World, folder: Path, *, seed: int | None = None, sittings_per_pull: float = 1.0) -> list[Home]:
    """Write `<folder>/<developer id>` for each member who commits; gives the homes in the order of their ids.

    `seed` is the world's unless given. `sittings_per_pull` is the mean: with it the logs grow.
    """
    first = to_datetime(min(world.commits.at_ns, default=world.end_ns))
    homes = []
    for developer in _developers(world):
        sittings = list(_sittings(developer, first, world.seed if seed is None else seed, sittings_per_pull))
        home = folder / developer.id
        _write_home(home, developer, sittings)
        homes.append(Home(developer.id, developer.email, home, len(sittings)))
    return homes


def append_response(path: Path, *, cwd: str, at: datetime, seed: int) -> tuple[str, str]:
    """Append one response of Claude to a transcript, in one write; gives its ids of the message and the request.

    The session is the one that the file is named for; the file need not be there. Each seed is another response,
    which came within the three minutes before `at`.
    """
    random = Random(f"{path.stem}/{seed}/response")
    transcript = Transcript.begin(Sitting(cwd, at - timedelta(minutes=3), turns=1), random)
    transcript.session_id = path.stem
    ids = transcript.respond()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(to_jsonl(transcript.lines, random, torn=0))
    return ids


def write_bulk(
    folder: Path, messages: int, sessions: int, projects: int, days: int, seed: int, *, text: str = PRIVATE_TEXT * 4
) -> Bulk:
    """Write one home with exactly `messages` lines of Claude and Codex, spread over sessions, projects and days.

    About two thirds of the lines are events, and a quarter repeats one. `text` is what each message says.
    """
    quoted, random = json.dumps(text), Random(f"{seed}/bulk")
    kinds, size_bytes = Counter[str](), 0
    for number in range(sessions):
        lines = messages // sessions + (number < messages % sessions)
        start = _BULK_END - timedelta(days=days - number * days // sessions)
        start += timedelta(minutes=random.randrange(600))
        cwd = f"/home/bulk/src/service-{number % projects + 1:03d}"
        session_id = new_uuid(random)
        shape, step = (_TURN * (lines // len(_TURN) + 1))[:lines], min(timedelta(seconds=20), _BULK_DAY / (lines + 1))
        instants = (format_utc(start + step * position) for position in range(lines))
        if number % _CODEX_EVERY == _CODEX_EVERY - 1:
            path, shape = folder / codex_path(session_id, start), f"HM{shape}"[:lines]
            written = _bulk_codex(shape, instants, cwd, session_id, quoted, random)
        else:
            path = folder / claude_folder(cwd) / f"{session_id}.jsonl"
            written = _bulk_claude(shape, instants, cwd, session_id, quoted, random)
        content = "".join(written).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        kinds.update(shape)
        size_bytes += len(content)
    return Bulk(kinds.total(), kinds["P"] + kinds["R"], kinds["A"], size_bytes)


def _developers(world: World) -> list[_Developer]:
    """Give the members who commit, each with the pull requests that are known to be theirs."""
    names = {member["email"]: member["name"] for member in world.members}
    emails = {row["userId"]: row["userEmail"] for row in world.commits.rows if row.get("userEmail") in names}
    developers = {key: _Developer(key, email, names[email]) for key, email in sorted(emails.items())}
    for pull in world.pulls.rows:
        if pull.get("author_id") in developers:
            developers[pull["author_id"]].pulls.append(pull)
    return list(developers.values())


def _sittings(developer: _Developer, first: datetime, seed: int, per_pull: float) -> Iterator[tuple[str, Sitting, str]]:
    """Give agent, sitting and its seed: up to two days before a pull request; the first few with each agent once."""
    count = 0
    for pull in sorted(developer.pulls, key=lambda pull: (parse_instant(pull["created_at"]), pull["id"])):
        random = Random(f"{seed}/{developer.id}/{pull['id']}/agents")
        created = to_datetime(parse_instant(pull["created_at"]))
        repo = pull["repo_name"].rpartition("/")[2]
        for number in range(int(per_pull * (0.4 + 1.2 * random.random()) + random.random())):
            before = _LEAST_BEFORE + random.random() * (_MOST_BEFORE - _LEAST_BEFORE)
            turns = 1 + int(random.random() ** 2 * 8)
            (agent,) = random.choices(_AGENTS, _WEIGHTS)
            if created - before < first:
                continue
            agent = _AGENTS[count] if count < len(_AGENTS) else agent
            count += 1
            sitting = Sitting(f"/home/{developer.user}/src/{repo}", created - before, turns)
            yield agent, sitting, f"{seed}/{developer.id}/{pull['id']}/{number}"


def _write_home(home: Path, developer: _Developer, sittings: Sequence[tuple[str, Sitting, str]]) -> None:
    settings = f"[user]\n\tname = {developer.name}\n\temail = {developer.email}\n"
    files: Files = {".gitconfig": settings.encode()}
    rows: list[tuple[str, str]] = []
    writers = {"claude": write_claude, "codex": write_codex, "cline": write_cline}
    for agent, sitting, seed in sittings:
        if agent == "cursor":
            rows += cursor_rows(sitting, Random(seed))
        else:
            files |= writers[agent](sitting, Random(seed))
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if rows:
        _write_database(home / CURSOR_DATABASE, rows)


def _write_database(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("ItemTable", "cursorDiskKV"):
            database.execute(f"CREATE TABLE {table} (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")
        database.executemany("INSERT INTO cursorDiskKV VALUES (?, ?)", rows)


def _bulk_claude(
    shape: str, instants: Iterator[str], cwd: str, session_id: str, text: str, random: Random
) -> Iterator[str]:
    """Give a transcript, one line for each letter of the shape."""
    model = random.choice(CLAUDE_MODELS)
    message_id, cached, written, output = "", 0, 0, 0
    for position, (kind, at) in enumerate(zip(shape, instants, strict=True)):
        head = (
            f'{{"isSidechain":false,"userType":"external","cwd":"{cwd}","sessionId":"{session_id}","version":"2.0.76",'
            f'"gitBranch":"main","uuid":"{session_id[:24]}{position:012x}","timestamp":"{at}",'
        )
        if kind == "P":
            yield f'{head}"type":"user","message":{{"role":"user","content":{text}}}}}\n'
        elif kind == "T":
            result = f'{{"type":"tool_result","tool_use_id":"toolu_{message_id}","content":{text}}}'
            yield f'{head}"type":"user","message":{{"role":"user","content":[{result}]}}}}\n'
        else:
            if kind == "R":
                message_id = f"msg_{session_id}_{position}"
                cached, written = (cached + written) % 180_000, int(random.random() * 4000)
                output = 20 + int(random.random() * 2000)
            said = 1 if shape[position + 1 : position + 2] == "A" else output  # the true count comes with the last line
            yield (
                f'{head}"type":"assistant","requestId":"req_{message_id}","message":{{"model":"{model}",'
                f'"id":"{message_id}","type":"message","role":"assistant","stop_reason":null,"stop_sequence":null,'
                f'"content":[{{"type":"text","text":{text}}}],"usage":{{"input_tokens":8,"output_tokens":{said},'
                f'"cache_creation_input_tokens":{written},"cache_read_input_tokens":{cached},"cache_creation":'
                f'{{"ephemeral_5m_input_tokens":{written},"ephemeral_1h_input_tokens":0}},'
                f'"service_tier":"standard"}}}}}}\n'
            )


def _bulk_codex(
    shape: str, instants: Iterator[str], cwd: str, session_id: str, text: str, random: Random
) -> Iterator[str]:
    came_in = cached = output = 0
    counts = ""
    for kind, at in zip(shape, instants, strict=True):
        if kind == "H":
            payload = f'"session_meta","payload":{{"id":"{session_id}","cwd":"{cwd}","model_provider":"openai"}}'
        elif kind == "M":
            payload = f'"turn_context","payload":{{"cwd":"{cwd}","model":"gpt-5-codex"}}'
        elif kind == "P":
            payload = f'"event_msg","payload":{{"type":"user_message","message":{text}}}'
        elif kind == "T":
            payload = f'"response_item","payload":{{"type":"function_call_output","output":{text}}}'
        else:
            if kind == "R":
                more, said = 4000 + int(random.random() * 40_000), 20 + int(random.random() * 2000)
                came_in, cached, output = came_in + more, cached + more // 2, output + said
                total = _codex_usage(came_in, cached, output)
                counts = f'"total_token_usage":{total},"last_token_usage":{_codex_usage(more, more // 2, said)}'
            payload = f'"event_msg","payload":{{"type":"token_count","info":{{{counts}}}}}'
        yield f'{{"timestamp":"{at}","type":{payload}}}\n'


def _codex_usage(came_in: int, cached: int, output: int) -> str:
    return (
        f'{{"input_tokens":{came_in},"cached_input_tokens":{cached},"output_tokens":{output},'
        f'"reasoning_output_tokens":{output // 3},"total_tokens":{came_in + output}}}'
    )
