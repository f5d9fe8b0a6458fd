"""The homes of a world's developers, with the logs that their coding agents keep.

A developer works with an agent in the folder of a repository before pull requests there. A home depends only on the
world and the seed; a later end of the same world adds sittings, and leaves the others as they are.

With `has_git` the folders are in the home, and are git repositories with a remote, as those of a developer. Some work
is then in a repository of another owner, or in a folder without git. Else the logs name folders that are nowhere.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from simulator.agent_sessions import (
    Files,
    Sitting,
    Transcript,
    cursor_rows,
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
_ELSEWHERE = (("notes", None, 0.04), ("dotfiles", "dev", 0.03))  # a folder, its owner, and its share of the sittings
_LEAST_BEFORE, _MOST_BEFORE = timedelta(hours=6), timedelta(hours=54)


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder of one developer; `sittings` is how often they worked with an agent."""

    developer_id: str
    email: str
    folder: Path
    sittings: int


@dataclass
class _Developer:
    id: str
    email: str
    name: str
    pulls: list[Row] = field(default_factory=list)

    @property
    def user(self) -> str:
        """The user name on their machine."""
        return self.email.partition("@")[0].partition("+")[0]


def write_homes(
    world: World, folder: Path, *, seed: int | None = None, sittings_per_pull: float = 1.0, has_git: bool = False
) -> list[Home]:
    """Write `<folder>/<developer id>` for each member who commits; return the homes in the order of their ids.

    `seed` is the world's unless given. `sittings_per_pull` is the mean: the logs grow with it.
    """
    first = to_datetime(min(world.commits.at_ns, default=world.end_ns))
    homes = []
    for developer in _developers(world):
        sittings = list(_sittings(developer, first, world.seed if seed is None else seed, sittings_per_pull))
        home = folder / developer.id
        if has_git:
            sittings = list(_within_git(home.resolve() / "src", world, sittings))
        _write_home(home, developer, sittings)
        homes.append(Home(developer.id, developer.email, home, len(sittings)))
    return homes


def append_response(path: Path, *, cwd: str, at: datetime, seed: int) -> tuple[str, str]:
    """Append one response of Claude to a transcript, in one write; return its ids of the message and the request.

    The session is the one in the file's name; the file need not exist. Each seed is another response, from the three
    minutes before `at`.
    """
    random = Random(f"{path.stem}/{seed}/response")
    transcript = Transcript.begin(Sitting(cwd, at - timedelta(minutes=3), turns=1), random)
    transcript.session_id = path.stem
    ids = transcript.respond()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        file.write(to_jsonl(transcript.lines, random, torn=0))
    return ids


def _developers(world: World) -> list[_Developer]:
    """Return the members who commit, each with the pull requests that are known to be theirs."""
    names = {member["email"]: member["name"] for member in world.members}
    emails = {row["userId"]: row["userEmail"] for row in world.commits.rows if row.get("userEmail") in names}
    developers = {key: _Developer(key, email, names[email]) for key, email in sorted(emails.items())}
    for pull in world.pulls.rows:
        if pull.get("author_id") in developers:
            developers[pull["author_id"]].pulls.append(pull)
    return list(developers.values())


def _sittings(developer: _Developer, first: datetime, seed: int, per_pull: float) -> Iterator[tuple[str, Sitting, str]]:
    """Yield agent, sitting and its seed, 6 to 54 hours before a pull request; the first few use each agent once."""
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


def _within_git(
    folder: Path, world: World, sittings: Sequence[tuple[str, Sitting, str]]
) -> Iterator[tuple[str, Sitting, str]]:
    """Write the folders of sittings as git repositories, and yield the sittings there."""
    owners = {name.partition("/")[2]: name.partition("/")[0] for name in world.repos}
    for agent, sitting, seed in sittings:
        name = sitting.cwd.rpartition("/")[2]
        owner, dice = owners.get(name), Random(f"{seed}/folder").random()
        for other, its_owner, share in _ELSEWHERE:
            if 0 <= dice < share:
                name, owner = other, its_owner
            dice -= share
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        if owner is not None:
            _write_git(place / ".git", f"git@github.com:{owner}/{name}.git")
        yield agent, replace(sitting, cwd=str(place)), seed


def _write_git(folder: Path, url: str) -> None:
    """Write what git has of a clone: its objects' folder, the current branch, and the remote."""
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    fetch = "+refs/heads/*:refs/remotes/origin/*"
    (folder / "config").write_text(f'[remote "origin"]\n\turl = {url}\n\tfetch = {fetch}\n')


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
