"""The AI lines of a pull request: Cursor's rows, found by the hashes of its commits through squash and force push."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.github.model import Commit, PullRequest, Repository
from simulator.instants import parse_instant
from simulator.truth.github.instants import happened
from simulator.world import Row

_HASH = re.compile("[0-9a-f]{40}")
_SHORTEST = 7
SHARE_MINIMUM = 0.8
"""Below this share of matched commits the AI lines of a pull request are unknown."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What Cursor has of one pull request: `lines` are those of the commits that matched, whatever their share."""

    role: str | None
    count: int
    share: float | None
    lines: int | None

    @property
    def known_lines(self) -> int | None:
        """Return the lines where enough commits matched, else None."""
        return self.lines if self.share is not None and self.share >= SHARE_MINIMUM else None


class AILines:
    """Cursor's rows by the commit that they are about; each commit has one."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._full: dict[str, Row] = {}
        self._short: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in rows:
            name = row["commitHash"].lower()
            if _HASH.fullmatch(name):
                self._full[name] = _better(self._full.get(name), row)
            elif len(name) >= _SHORTEST:
                of_repository = self._short[_plain(row.get("repoName") or "")]
                of_repository[name] = _better(of_repository.get(name), row)

    def of(self, repository: Repository) -> "RepositoryAILines":
        """Return those of one repository."""
        rows = dict(self._full)
        hashes = {commit.sha for commit in _commits(repository)}
        for prefix, row in self._short.get(_plain(repository.full_name), {}).items():
            found = [each for each in hashes if each.startswith(prefix)]
            if len(found) == 1:
                rows[found[0]] = _better(rows.get(found[0]), row)
        return RepositoryAILines(rows)


class RepositoryAILines:
    """Cursor's rows by the hashes of one repository."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self._rows = rows

    def of(self, pull: PullRequest) -> Matched:
        """Return those of a pull request: of its branch, else of what was pushed over, else of its merge commit."""
        before = sorted(
            (each.before for each in pull.events if each.before),
            key=lambda commit: (happened(commit.committed_at) or "", commit.sha),
            reverse=True,
        )
        replaced: dict[tuple[str, ...], Row] = {}
        for commit in before:
            if commit.sha in self._rows:
                replaced.setdefault(_change(commit), self._rows[commit.sha])
        found = [commit for commit in pull.commits if commit.sha in self._rows]
        own = [self._rows[commit.sha] for commit in found]
        missing = {_change(commit) for commit in pull.commits} - {_change(commit) for commit in found}
        earlier = [replaced[change] for change in missing if change in replaced]
        if own or earlier:
            return _matched("branch" if own else "before_force_push", pull, [*own, *earlier])
        if replaced:
            return _matched("before_force_push", pull, list(replaced.values()))
        if pull.merge_commit and pull.merge_commit.sha in self._rows:
            is_rebased = _change(pull.merge_commit) in {_change(commit) for commit in pull.commits}
            share = 1 / len(pull.commits) if is_rebased else 1.0
            return Matched("merge", 1, share, _lines(self._rows[pull.merge_commit.sha]))
        return Matched(None, 0, 0.0 if pull.commits else None, None)


def _matched(role: str, pull: PullRequest, rows: list[Row]) -> Matched:
    known = [lines for row in rows if (lines := _lines(row)) is not None]
    share = min(1.0, len(rows) / len(pull.commits)) if pull.commits else None
    return Matched(role, len(rows), share, sum(known) if known else None)


def _commits(repository: Repository) -> Iterator[Commit]:
    yield from repository.history
    for pull in repository.pulls:
        yield from pull.commits
        yield from (each.before for each in pull.events if each.before)
        if pull.merge_commit:
            yield pull.merge_commit


def _change(commit: Commit) -> tuple[str, ...]:
    """Return what stays of a commit through rebase and amend, else its hash."""
    if commit.author_email and happened(commit.authored_at):
        return commit.author_email, commit.authored_at
    return (commit.sha,)


def _better(one: Row | None, other: Row) -> Row:
    """Return the row that counts: the newest with lines, of equals that of most lines, then of the first user."""
    if one is None:
        return other
    return min(one, other, key=lambda row: (_lines(row) is None, -_created_ns(row), -(_lines(row) or 0), row["userId"]))


def _created_ns(row: Row) -> int:
    return parse_instant(row["createdAt"]) if row.get("createdAt") else 0


def _lines(row: Row) -> int | None:
    tab, composer = row.get("tabLinesAdded"), row.get("composerLinesAdded")
    return None if tab is None or composer is None else int(tab) + int(composer)


def _plain(name: str) -> str:
    """Return a repository's name as both sources write it."""
    return name.strip().lower().removesuffix(".git")
