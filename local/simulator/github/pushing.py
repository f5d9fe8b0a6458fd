"""Pushes by force, and what they leave: new hashes, the author's dates, and the event with the commit before."""

from dataclasses import replace

from simulator.github.model import Commit, Event, PullRequest, Repository
from simulator.github.times import instant, seconds

_FIRST_EVENT = 9_800_000_000
_REBASED, _AMENDED, _MERGED = 1 << 150, 1 << 151, 1 << 152


def rebase(pull: PullRequest, repository: Repository) -> None:
    """Rebase the branch: the authors' dates stay, committers' dates and hashes are new."""
    old, when = pull.commits, _when(pull)
    pull.commits = _copied(old, old[0].parents[0], when, _REBASED)
    _pushed(pull, repository, old, when)


def amend(pull: PullRequest, repository: Repository) -> None:
    """Amend the last commit of the branch: three lines more, by the same author at the same time."""
    old, when = pull.commits, _when(pull)
    last = _copied(old[-1:], old[-1].parents[0], when, _AMENDED)[0]
    last.additions += 3
    pull.additions += 3
    pull.commits = [*old[:-1], last]
    _pushed(pull, repository, old, when)


def start_over(pull: PullRequest, repository: Repository) -> None:
    """Replace the branch by one new commit."""
    old, when = pull.commits, _when(pull)
    (only,) = _copied(old[:1], old[0].parents[0], when, _AMENDED)
    only.authored_at, only.message = when, "Start over"
    pull.additions, pull.deletions = only.additions, only.deletions
    pull.commits = [only]
    _pushed(pull, repository, old, when)


def rebase_merge(pull: PullRequest, repository: Repository) -> None:
    """Have the default branch reach copies of the branch's commits instead of them and of the merge commit."""
    merge = pull.merge_commit
    if merge is None or len(merge.parents) < 2:
        return
    copies = _copied(pull.commits, merge.parents[0], merge.committed_at, _MERGED)
    # The tip keeps its hash, as the commits after it name it.
    copies[-1].sha = merge.sha
    own = {each.sha for each in pull.commits}
    kept = [each for each in repository.history if each.sha not in own]
    at = kept.index(merge)
    repository.history = [*kept[:at], *reversed(copies), *kept[at + 1 :]]
    repository.history.sort(key=lambda each: each.committed_at, reverse=True)
    pull.merge_commit = copies[-1]


def merge_again(pull: PullRequest, repository: Repository, old: list[Commit]) -> None:
    """Have the default branch reach the commits of a merged branch as they are now, and its old ones no longer."""
    merge = pull.merge_commit
    if merge is None or len(merge.parents) < 2:
        return
    merge.parents = (merge.parents[0], pull.head_sha)
    gone = {each.sha for each in (*old, *pull.commits)}
    kept = [each for each in repository.history if each.sha not in gone]
    at = kept.index(merge) + 1
    history = [*kept[:at], *reversed(pull.commits), *kept[at:]]
    repository.history = sorted(history, key=lambda each: each.committed_at, reverse=True)


def _when(pull: PullRequest) -> str:
    """Return the instant of a push, which is after the last one and before the end."""
    pushes = sum(each.typename == "HeadRefForcePushedEvent" for each in pull.events)
    return instant(seconds(pull.updated_at) - 4 + pushes)


def _copied(commits: list[Commit], parent: str, when: str, change: int) -> list[Commit]:
    copies = []
    for each in commits:
        copy = replace(each, sha=f"{int(each.sha, 16) ^ change:040x}", committed_at=when, parents=(parent,))
        copies.append(copy)
        parent = copy.sha
    return copies


def _pushed(pull: PullRequest, repository: Repository, old: list[Commit], when: str) -> None:
    number = _FIRST_EVENT + pull.id % 1_000_000_000 + len(pull.events) * 20_000_000
    event = Event(number, "HeadRefForcePushedEvent", when, pull.author, before=old[-1], after=pull.commits[-1])
    pull.events.append(event)
    merge_again(pull, repository, old)
