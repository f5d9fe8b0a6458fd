"""The knobs about data, applied to a company. A second time changes nothing."""

from collections.abc import Callable
from typing import Any

from simulator.github.knobs import Knobs
from simulator.github.model import Account, Commit, Company, PullRequest, Repository, Review
from simulator.github.pushing import merge_again, rebase
from simulator.github.stories import tell

BOT = Account("dependabot", 49_699_333, "Bot")
_FIRST_REVIEW = 4_800_000_000
_PLACES = ("ghost", "bot", "fork", "dismissed", "pending", "reviews", "commits", "force_push")


def apply(company: Company, knobs: Knobs) -> None:
    """Change the company as the knobs say; ValueError when a knob names a repository that does not exist."""
    named = {
        "archived": knobs.archived,
        "empty": knobs.empty,
        "pulls_disabled": knobs.pulls_disabled,
        "sso_hidden": knobs.sso_hidden,
        "forbidden": knobs.forbidden,
        "collaborations": knobs.collaborations,
        "renamed": tuple(old for old, _ in knobs.renamed),
    }
    known = {each.name for each in company.repositories} | {name.partition("/")[2] for name in company.former_names}
    for knob, names in named.items():
        if unknown := sorted(set(names) - known):
            raise ValueError(f"{knob}: expected some of {', '.join(sorted(known))}, got {', '.join(unknown)}")
    new_names = dict(knobs.renamed)
    for repository in company.repositories:
        repository.is_archived |= repository.name in knobs.archived
        repository.has_pull_requests &= repository.name not in knobs.pulls_disabled
        repository.is_forbidden |= repository.name in knobs.forbidden
        if repository.name in knobs.collaborations and repository not in company.collaborations:
            repository.owner = Account("friends", 9_200, "Organization")
            company.collaborations.append(repository)
        repository.is_hidden_by_sso |= repository.name in knobs.sso_hidden
        if repository.name in knobs.empty:
            repository.pulls, repository.history, repository.pushed_at = [], [], None
        _change_pulls(repository, company, knobs)
        if repository.name in new_names:
            company.rename(repository, new_names[repository.name])


def _change_pulls(repository: Repository, company: Company, knobs: Knobs) -> None:
    changes: dict[str, tuple[Any, Callable[[PullRequest], None]]] = {
        "ghost": (knobs.ghost_author, _lose_author),
        "bot": (knobs.bot_author, _be_of_bot),
        "fork": (knobs.deleted_fork, _lose_fork),
        "dismissed": (knobs.dismissed_review, lambda pull: _add_review(pull, company, "DISMISSED")),
        "pending": (knobs.pending_review, lambda pull: _add_review(pull, company, "PENDING")),
        "reviews": (knobs.long_reviews, lambda pull: _lengthen_reviews(pull, company, knobs.long_reviews)),
        "commits": (knobs.long_commits, lambda pull: _lengthen_commits(pull, repository, knobs.long_commits)),
        "force_push": (knobs.force_push, lambda pull: _force_push(pull, repository)),
    }
    for place, pull in zip(_PLACES, repository.pulls, strict=False):
        is_on, change = changes[place]
        if is_on:
            change(pull)
    if knobs.eventful:
        tell(repository, company)
    if knobs.squash_merges:
        _squash(repository)


def _lose_author(pull: PullRequest) -> None:
    pull.author = None


def _be_of_bot(pull: PullRequest) -> None:
    pull.author = BOT


def _lose_fork(pull: PullRequest) -> None:
    pull.is_cross_repository, pull.has_head_repository = True, False


def _add_review(pull: PullRequest, company: Company, state: Any) -> None:
    if any(each.state == state for each in pull.reviews):
        return
    submitted = None if state == "PENDING" else pull.created_at
    number = _FIRST_REVIEW + pull.id % 1_000_000_000
    pull.reviews.append(Review(number, company.people[0], state, submitted, pull.created_at, 0, pull.head_sha))


def _lengthen_reviews(pull: PullRequest, company: Company, count: int) -> None:
    for at in range(len(pull.reviews), count):
        author = company.people[at % len(company.people)]
        number = _FIRST_REVIEW + 1_000_000_000 + (pull.id % 1_000_000_000) * 1000 + at
        pull.reviews.append(Review(number, author, "COMMENTED", pull.updated_at, pull.updated_at, 1, pull.head_sha))


def _lengthen_commits(pull: PullRequest, repository: Repository, count: int) -> None:
    first = pull.commits[0]
    for at in range(len(pull.commits), count):
        parent = pull.commits[-1]
        sha = f"{int(first.sha, 16) ^ (at + 1 << 64):040x}"
        when = parent.committed_at
        pull.commits.append(
            Commit(
                sha,
                when,
                when,
                1,
                0,
                f"Small step {at}",
                first.author_name,
                first.author_email,
                first.author,
                (parent.sha,),
            )
        )
        pull.additions += 1
    merge_again(pull, repository, pull.commits)


def _force_push(pull: PullRequest, repository: Repository) -> None:
    if not any(each.typename == "HeadRefForcePushedEvent" for each in pull.events):
        rebase(pull, repository)


def _squash(repository: Repository) -> None:
    """Leave of each merged branch one commit on the default branch, with all its lines."""
    for pull in repository.pulls:
        merge = pull.merge_commit
        if merge is None or len(merge.parents) == 1:
            continue
        merge.parents = merge.parents[:1]
        merge.message = f"{pull.title} (#{pull.number})"
        merge.additions, merge.deletions = pull.additions, pull.deletions
    branches = {commit.sha for pull in repository.pulls for commit in pull.commits}
    repository.history = [each for each in repository.history if each.sha not in branches]


def cut_short(answer: dict[str, Any]) -> None:
    """Leave half of the rows of an answer's first list, and add the error of GitHub's resource limits."""
    answer["errors"] = [{"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}]
    waiting: list[Any] = [answer["data"]]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            nodes = value.get("nodes")
            if isinstance(nodes, list) and nodes:
                value["nodes"] = nodes[: len(nodes) // 2]
                return
            waiting.extend(value.values())
