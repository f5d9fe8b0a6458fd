"""A world of cursor-sim as a company on GitHub: the same repositories, people, pull requests, reviews and commits.

What GitHub's contract has no place for is left out, or is as it would be there: nothing lies in the future, a review
that is not submitted is seen by its author alone, and instants are whole seconds. What cursor-sim only states, GitHub
shows: a pull request is reverted by another one (or by a commit), and is a bug fix by its label.

The same world is the same company, and that of a later end has the same rows, plus new ones and changes.
"""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1
from random import Random

from simulator.github.model import Account, Commit, Company, PullRequest, Repository
from simulator.github.times import instant, seconds
from simulator.github.world_pulls import PullMaker
from simulator.github.world_rows import People, PullRows, pull_rows
from simulator.happening import FIRST_NUMBERED_DAY, ID_OFFSET, NUMBERS_PER_DEVELOPER_DAY
from simulator.instants import DAY_NS, SECOND_NS
from simulator.world import World

_CREATED = "2015-01-01T00:00:00Z"  # the day from which cursor-sim numbers its pull requests
_FIRST_REPOSITORY = 7_200_001
_REVERTED_BY_COMMIT = 0.25
_REVERT_TAKES_S = 600
_MERGED_BY_COMMIT = 0.1  # of the merges have a merge commit; the others are squashed


def company_of(world: World) -> Company:
    """Return the company that GitHub would show of a world, at the world's end.

    Raises ValueError when its repositories are not those of one owner.
    """
    owners = {name.partition("/")[0] for name in world.repos}
    if len(owners) != 1 or not all("/" in name for name in world.repos):
        raise ValueError(f"expected repositories of one owner, as owner/name, got {', '.join(sorted(world.repos))}")
    owner = Account(owners.pop(), 9_100, "Organization")
    owner.name = owner.login.capitalize()
    people = People.of(world)
    company = Company(owner, people.accounts, [], instant(world.end_ns // SECOND_NS))
    for at, name in enumerate(world.repos):
        company.repositories.append(_repository(company, name.partition("/")[2], at))
    by_name = {each.full_name: each for each in company.repositories}
    maker = PullMaker(people, seconds(company.end), world.seed)
    reverts: list[tuple[int, PullRequest]] = []
    for rows in pull_rows(world):
        repository = by_name[rows.pull["repo_name"]]
        pull = maker.pull(repository, rows)
        repository.pulls.append(pull)
        reverted_s = _reverted_s(world, rows, pull)
        if reverted_s is not None:
            reverts.append((reverted_s, pull))
    commits = list(_revert(company, people, world, reverts))
    for repository in company.repositories:
        _finish(repository, world.seed, [commit for each, commit in commits if each is repository])
    return company


def _repository(company: Company, name: str, at: int) -> Repository:
    number = _FIRST_REPOSITORY + at
    repository = Repository(number, company.account, name, _CREATED, _CREATED, _CREATED, is_private=at % 3 != 2)
    sha, owner = _sha(repository, "initial"), company.account
    first = Commit(sha, _CREATED, _CREATED, 1, 0, "Initial commit", owner.name, "noreply@github.com", None, ())
    repository.history.append(first)
    return repository


def _sha(repository: Repository, *parts: object) -> str:
    return sha1("/".join(map(str, (repository.full_name, *parts))).encode(), usedforsecurity=False).hexdigest()


def _reverted_s(world: World, rows: PullRows, pull: PullRequest) -> int | None:
    """Return when a merged pull request is reverted; a day after the merge where a world has no instant."""
    if pull.merged_at is None:
        return None
    known = world.reverted_ns.get(rows.pull["id"])
    if known is not None:
        return max(known // SECOND_NS, seconds(pull.merged_at) + _REVERT_TAKES_S)
    if not rows.pull.get("was_reverted"):
        return None
    return min(seconds(pull.merged_at) + DAY_NS // SECOND_NS, world.end_ns // SECOND_NS)


def _revert(
    company: Company, people: People, world: World, reverts: list[tuple[int, PullRequest]]
) -> Iterator[tuple[Repository, Commit]]:
    """Add the pull requests that revert others, and yield the commits that do so on the default branch."""
    end_s = seconds(company.end)
    block = NUMBERS_PER_DEVELOPER_DAY * max(1, len(world.members))
    used: dict[int, int] = {}  # the last numbers of each day: cursor-sim uses its first ones
    for reverted_s, pull in sorted(reverts, key=lambda each: (each[0], each[1].id)):
        repository, created_s = pull.repository, reverted_s - _REVERT_TAKES_S
        by = next((each for each in (pull.merged_by, pull.author) if each), people.members[0])
        message = f'Revert "{pull.title} (#{pull.number})"'
        sha = _sha(repository, pull.number, "revert")
        is_commit = Random(f"{world.seed}/{pull.id}/revert").random() < _REVERTED_BY_COMMIT
        day = created_s * SECOND_NS // DAY_NS
        at = instant(reverted_s if is_commit else created_s)
        parents = (repository.history[0].sha,)
        undoing = Commit(sha, at, at, pull.deletions, pull.additions, message, by.name, by.email, by, parents)
        if is_commit:
            if reverted_s <= end_s:
                yield repository, undoing
            continue
        used[day] = used.get(day, 0) + 1
        number = (day - FIRST_NUMBERED_DAY + 1) * block + 1 - used[day]
        if created_s <= end_s:
            repository.pulls.append(_reverting(pull, number, undoing, reverted_s if reverted_s <= end_s else None))


def _reverting(pull: PullRequest, number: int, commit: Commit, merged_s: int | None) -> PullRequest:
    """Return the pull request that GitHub's button "Revert" makes of another one."""
    merged_at = instant(merged_s) if merged_s is not None else None
    return PullRequest(
        repository=pull.repository,
        id=ID_OFFSET + number,
        number=number,
        title=f'Revert "{pull.title}"',
        body=f"Reverts {pull.repository.full_name}#{pull.number}",
        state="MERGED" if merged_at else "OPEN",
        is_draft=False,
        author=commit.author,
        created_at=commit.authored_at,
        updated_at=merged_at or commit.authored_at,
        merged_at=merged_at,
        closed_at=merged_at,
        merged_by=commit.author if merged_at else None,
        additions=commit.additions,
        deletions=commit.deletions,
        changed_files=pull.changed_files,
        is_cross_repository=False,
        has_head_repository=True,
        head_ref=f"revert-{pull.number}-{pull.head_ref}",
        base_ref=pull.base_ref,
        merge_commit=None,
        labels=[],
        commits=[commit],
        reviews=[],
        events=[],
        requested=[],
    )


def _finish(repository: Repository, seed: int, commits: list[Commit]) -> None:
    """Merge what was merged, and set the times of the last change."""
    repository.pulls.sort(key=lambda pull: pull.number)
    history = [*repository.history, *commits]
    tip = repository.history[0].sha
    for pull in sorted(repository.pulls, key=lambda pull: (pull.merged_at or "", pull.number)):
        if pull.merged_at is None:
            continue
        last = max(each.committed_at for each in pull.commits)
        is_squashed = last > pull.merged_at or Random(f"{seed}/{pull.id}/merge").random() >= _MERGED_BY_COMMIT
        pull.merge_commit = _merge(pull, tip, is_squashed)
        tip = pull.merge_commit.sha
        history += [pull.merge_commit] if is_squashed else [*pull.commits, pull.merge_commit]
    # Of two commits of the same second the later one is first, so that the tip is.
    history.reverse()
    repository.history = sorted(history, key=lambda each: each.committed_at, reverse=True)
    pushed = [each.committed_at for each in repository.history[:1]]
    pushed += [commit.committed_at for pull in repository.pulls for commit in pull.commits]
    repository.pushed_at = max(pushed)
    repository.updated_at = max(repository.pushed_at, *(pull.updated_at for pull in repository.pulls), _CREATED)


def _merge(pull: PullRequest, tip: str, is_squashed: bool) -> Commit:
    """Return the commit of a merge: with all lines of the branch where it is squashed, else with two parents."""
    at = pull.merged_at or ""
    sha, first = _sha(pull.repository, pull.number, "merge"), pull.commits[0]
    if is_squashed:
        trailers = first.message.partition("\n")[2]
        message = f"{pull.title} (#{pull.number})" + (f"\n{trailers}" if trailers else "")
        squashed = replace(first, sha=sha, authored_at=at, committed_at=at, message=message, parents=(tip,))
        squashed.additions, squashed.deletions = pull.additions, pull.deletions
        return squashed
    by = pull.merged_by or pull.repository.owner
    message = f"Merge pull request #{pull.number} from {pull.repository.owner.login}/{pull.head_ref}"
    return Commit(sha, at, at, 0, 0, message, by.name, by.email, by, (tip, pull.head_sha))
