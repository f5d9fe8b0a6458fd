"""A world: every row of the source, serialised once, and the compact indexes that the routes need."""

import mmap
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

from simulator import gojson
from simulator.instants import parse_instant

Row = dict[str, Any]
RowNumbers = Sequence[int]
_REPO_KEY = 1 << 44  # a pull request's key is repository * this + number


class StoredRows:
    """The serialised rows of one table, in the order they were added; each kept once, outside the heap."""

    def __init__(self) -> None:
        self._starts = array("Q")
        self._sizes = array("I")
        self._text: mmap.mmap | bytes = b""

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Row]:
        """Yield every row, parsed again each time."""
        return (gojson.loads(self.text(number)) for number in range(len(self)))

    def text(self, number: int) -> bytes:
        """Return one row as it is sent."""
        start = self._starts[number]
        return self._text[start : start + self._sizes[number]]

    def join(self, numbers: RowNumbers) -> bytes:
        """Return these rows, separated by commas."""
        text, starts, sizes = self._text, self._starts, self._sizes
        return b",".join([text[(start := starts[n]) : start + sizes[n]] for n in numbers])

    def note(self, start: int, size: int) -> int:
        """Add a row that lies at `start`; return its number."""
        self._starts.append(start)
        self._sizes.append(size)
        return len(self._starts) - 1

    def open(self, text: mmap.mmap | bytes) -> None:
        """Set the text that contains the rows."""
        self._text = text


class Index:
    """Row numbers ordered by an integer key; equal keys keep the order in which they were added."""

    def __init__(self, keys: "array[int]") -> None:
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._keys = array("q", [keys[n] for n in order])
        self._rows = array("I", order)

    def between(self, first: int, beyond: int) -> RowNumbers:
        """Return rows with first <= key < beyond, in the order of the key."""
        return self._rows[bisect_left(self._keys, first) : bisect_left(self._keys, max(first, beyond))]

    def equal(self, key: int) -> RowNumbers:
        """Return rows with exactly this key."""
        return self.between(key, key + 1)


Groups = dict[str, "array[int]"]


@dataclass(repr=False)
class Commits:
    """Commits, by instant, by repository (developer by developer, each in time) and by developer."""

    rows: StoredRows = field(default_factory=StoredRows)
    at_ns: "array[int]" = field(default_factory=lambda: array("q"))
    users: list[str] = field(default_factory=list)
    by_repo: Groups = field(default_factory=dict)
    by_user: Groups = field(default_factory=dict)
    by_time: Index = field(default_factory=lambda: Index(array("q")))


@dataclass(repr=False)
class Pulls:
    """Pull requests, by repository, author's e-mail, state, creation and (repository, number)."""

    rows: StoredRows = field(default_factory=StoredRows)
    created_ns: "array[int]" = field(default_factory=lambda: array("q"))
    states: list[str] = field(default_factory=list)
    by_repo: Groups = field(default_factory=dict)
    by_author: Groups = field(default_factory=dict)
    by_state: Groups = field(default_factory=dict)
    by_created: Index = field(default_factory=lambda: Index(array("q")))
    keys: "array[int]" = field(default_factory=lambda: array("q"))
    by_number: Index = field(default_factory=lambda: Index(array("q")))


@dataclass(repr=False)
class Reviews:
    """Reviews, by the id of their pull request and by reviewer."""

    rows: StoredRows = field(default_factory=StoredRows)
    pr_ids: "array[int]" = field(default_factory=lambda: array("q"))
    by_reviewer: Groups = field(default_factory=dict)
    by_pr: Index = field(default_factory=lambda: Index(array("q")))


@dataclass(repr=False)
class World:
    """The data of one server as of `end_ns`, which is also its current time.

    `reverted_ns` has the instants of reverts by the id of the pull request, also future ones; no route shows them.
    """

    commits: Commits
    pulls: Pulls
    reviews: Reviews
    repos: dict[str, int]
    members: list[Row]
    end_ns: int
    seed: int = 0
    reverted_ns: dict[int, int] = field(default_factory=dict)

    def repo_object(self, name: str, visible: int | None = None) -> Row:
        """Return the repository as `/repos` shows it, counting the first `visible` pull requests (None: all)."""
        numbers: RowNumbers = self.pulls.by_repo.get(name, array("I"))
        if visible is not None:
            numbers = [n for n in numbers if n < visible]
        states = self.pulls.states
        return {
            "full_name": name,
            "default_branch": "main",
            "open_pull_requests_count": sum(states[n] == "open" for n in numbers),
            "total_pull_requests_count": len(numbers),
        }

    def pull_by_number(self, repo: str, number: int) -> int | None:
        """Return the row of this pull request, None when there is none."""
        if repo not in self.repos or not 0 <= number < _REPO_KEY:
            return None
        found = self.pulls.by_number.equal(self.repos[repo] * _REPO_KEY + number)
        return found[0] if found else None

    @classmethod
    def of(
        cls,
        *,
        commits: Iterable[Row] = (),
        pull_requests: Iterable[Row] = (),
        reviews: Iterable[Row] = (),
        members: Iterable[Row] = (),
        repos: Iterable[str] = (),
        end: str,
    ) -> "World":
        """Return the world of exactly these rows (as the API would show them) at the instant `end`."""
        with WorldWriter() as writer:
            for name in repos:
                writer.add_repo(name)
            for row in commits:
                at = parse_instant(row["commitTs"])
                writer.add_commit(gojson.dumps(row).encode(), row["userId"], row.get("repoName") or "", at)
            for row in pull_requests:
                writer.add_pull(
                    gojson.dumps(row).encode(),
                    repo=row["repo_name"],
                    number=row["number"],
                    author_email=row.get("author_email") or "",
                    state=row["state"],
                    created_ns=parse_instant(row["created_at"]),
                )
            for row in reviews:
                writer.add_review(gojson.dumps(row).encode(), row["pr_id"], row.get("reviewer") or "")
            return writer.finish(members=list(members), end_ns=parse_instant(end))


class WorldWriter:
    """Takes the rows of a world one by one; `finish` returns the world."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115 - __exit__ closes it
        self._size = 0
        self._commits, self._pulls, self._reviews = Commits(), Pulls(), Reviews()
        self._repos: dict[str, int] = {}
        self._reverted_ns: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add_repo(self, name: str) -> int:
        """Return the number of the repository, which need not have any row."""
        return self._repos.setdefault(name, len(self._repos))

    def add_commit(self, text: bytes, user_id: str, repo: str, at_ns: int) -> None:
        """Add a serialised commit."""
        number = self._write(self._commits.rows, text)
        self._commits.at_ns.append(at_ns)
        self._commits.users.append(user_id)
        _group(self._commits.by_user, user_id, number)
        _group(self._commits.by_repo, repo, number)

    def add_pull(self, text: bytes, *, repo: str, number: int, author_email: str, state: str, created_ns: int) -> None:
        """Add a serialised pull request."""
        row = self._write(self._pulls.rows, text)
        self._pulls.created_ns.append(created_ns)
        self._pulls.states.append(state)
        self._pulls.keys.append(self.add_repo(repo) * _REPO_KEY + number)
        _group(self._pulls.by_repo, repo, row)
        _group(self._pulls.by_state, state, row)
        _group(self._pulls.by_author, author_email, row)

    def add_review(self, text: bytes, pr_id: int, reviewer: str) -> None:
        """Add a serialised review."""
        row = self._write(self._reviews.rows, text)
        self._reviews.pr_ids.append(pr_id)
        _group(self._reviews.by_reviewer, reviewer, row)

    def note_revert(self, pr_id: int, at_ns: int) -> None:
        """Note when a pull request is reverted."""
        self._reverted_ns[pr_id] = at_ns

    def finish(self, *, members: list[Row], end_ns: int, seed: int = 0) -> World:
        """Build the indexes and open the rows for reading."""
        commits, pulls, reviews = self._commits, self._pulls, self._reviews
        commits.by_time = Index(commits.at_ns)
        pulls.by_created = Index(pulls.created_ns)
        pulls.by_number = Index(pulls.keys)
        reviews.by_pr = Index(reviews.pr_ids)
        _sort_groups(commits.by_user, commits)
        _sort_groups(commits.by_repo, commits)
        self._file.flush()
        text = mmap.mmap(self._file.fileno(), self._size, access=mmap.ACCESS_READ) if self._size else b""
        for rows in (commits.rows, pulls.rows, reviews.rows):
            rows.open(text)
        return World(commits, pulls, reviews, self._repos, members, end_ns, seed, self._reverted_ns)

    def _write(self, rows: StoredRows, text: bytes) -> int:
        number = rows.note(self._size, len(text))
        self._file.write(text)
        self._size += len(text)
        return number


def _group(groups: Groups, name: str, number: int) -> None:
    if name not in groups:
        groups[name] = array("I")
    groups[name].append(number)


def _sort_groups(groups: Mapping[str, "array[int]"], commits: Commits) -> None:
    """Sort by developer, then by time: the order in which the source keeps its commits."""
    for numbers in groups.values():
        numbers[:] = array("I", sorted(numbers, key=lambda n: (commits.users[n], commits.at_ns[n])))
