"""The measures of each pull request of simulated accounts of GitHub."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from simulator.github.model import PullRequest, Repository, Review
from simulator.github.times import seconds
from simulator.truth.github import agents
from simulator.truth.github.accounts import Account, counted, pulls_of
from simulator.truth.github.ai_lines import AILines, Matched
from simulator.truth.github.instants import happened
from simulator.truth.github.reverts import reverted
from simulator.truth.measured import MeasuredPull, band, is_likely_fix
from simulator.truth.opened import OpenedPull, Outcome
from simulator.world import Row

BUG_FIX_LABELS = ("bug", "bugfix", "bug fix", "fix", "type: bug", "type/bug", "kind/bug")
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class GitHubPull:
    """A pull request of any outcome, as of its account's reading."""

    opened: OpenedPull
    own: Row
    """What the source says itself, and the instants between which the times lie, by their columns."""


def merged_pulls(accounts: Sequence[Account], ai_lines: AILines) -> list[MeasuredPull]:
    """Return every merged pull request of the accounts."""
    every = (each.opened for each in pulls(accounts, ai_lines))
    return [each.measured for each in every if each.outcome == "merged"]


def pulls(accounts: Sequence[Account], ai_lines: AILines) -> Iterator[GitHubPull]:
    """Yield every pull request; those of a repository that moved are in the account that read it last."""
    emails = {account.name: account.emails() for account in accounts}
    for account, repository in counted(accounts):
        of_repository = ai_lines.of(repository)
        how = reverted(repository, account.names_of(repository), account.until)
        for pull in pulls_of(repository):
            matched = of_repository.of(pull)
            author = pull.author.login if pull.author else None
            email = emails[account.name].get(author or "")
            yield _pull(account, repository, pull, matched, email, how.get(pull.number))


def _pull(
    account: Account, repository: Repository, pull: PullRequest, matched: Matched, email: str | None, how: str | None
) -> GitHubPull:
    until = account.until
    created_at, merged_at = happened(pull.created_at), happened(pull.merged_at)
    merged_at = merged_at if merged_at and merged_at <= until else None
    author = pull.author.login if pull.author else None
    others = [each for each in pull.reviews if _counts(each, author, email, until)]
    people = [each for each in others if not agents.is_bot(each.author)]
    first_review, first_human = _first(others), _first(people)
    first_commit = min(filter(None, (happened(each.authored_at) for each in pull.commits)), default=None)
    ready_at = _ready_at(pull, first_review)
    lines = matched.known_lines
    ratio = min(1.0, max(0.0, lines / pull.additions)) if lines is not None and pull.additions else None
    total_loc = pull.additions + pull.deletions
    measured = MeasuredPull(
        source="github",
        account=account.name,
        pull_request_key=f"{repository.id}#{pull.number}",
        week=_week(merged_at or pull.created_at),
        repo_name=repository.full_name,
        number=pull.number,
        developer=author,
        author_email=email,
        additions=pull.additions,
        total_loc=total_loc,
        files_changed=pull.changed_files,
        commit_count=len(pull.commits),
        coding_lead_time=_hours(first_commit, created_at),
        pickup_time=_hours(created_at, first_review),
        review_lead_time=_hours(first_review, merged_at),
        cycle_time=_hours(first_commit, merged_at),
        review_count=len(others),
        approval_count=_count(others, "APPROVED"),
        changes_requested_count=_count(others, "CHANGES_REQUESTED"),
        reviewer_count=len({each.author.login for each in others if each.author}),
        comment_count=sum(each.comment_count for each in others),
        review_rounds=_rounds(others),
        ai_lines_added=lines,
        ai_ratio=ratio,
        ai_band=band(ratio),
        has_ai_lines_over_additions=lines is not None and lines > pull.additions > 0,
        is_reverted=how is not None,
        is_bug_fix=any(label.lower() in BUG_FIX_LABELS for label in pull.labels),
        is_likely_bug_fix=is_likely_fix(pull.head_ref, pull.title),
        author_kind=pull.author.typename.lower() if pull.author else "ghost",
        is_bot=agents.is_bot(pull.author) if pull.author else None,
        ready_at=_instant(ready_at),
        first_human_review_at=_instant(first_human),
        pickup_from_ready=_hours(ready_at, first_review),
        pickup_human=_hours(created_at, first_human),
        review_after_merge=sum((each.submitted_at or "") > merged_at for each in others) if merged_at else 0,
        revert_how=how,
        ai_matched_role=matched.role,
        ai_matched_commit_count=matched.count,
        ai_matched_commit_share=matched.share,
        ai_matchable_commits=len(pull.commits),
        ai_coauthored_commits=sum(agents.assisted(each) is not None for each in pull.commits) if pull.commits else None,
        n_coauthors_known=len(pull.commits),
        opened_by_agent=agents.opened_by(pull),
        assisted_by_agent=next(filter(None, map(agents.assisted, pull.commits)), None),
    )
    closed = pull.state == "CLOSED" and pull.closed_at is not None and pull.closed_at <= until
    outcome: Outcome = "merged" if merged_at else "closed" if closed else "open"
    own: Row = {
        "pull_request_id": pull.id,
        "state": pull.state.lower(),
        "author_id": author,
        "deletions": pull.deletions,
        "created_at": _instant(created_at),
        "first_commit_at": _instant(first_commit),
        "first_review_at": _instant(first_review),
        "merged_at": _instant(merged_at),
        "estimated_review_hours": len(others) * (0.25 + total_loc / 1200),
    }
    opened = OpenedPull(
        week=_week(created_at) if created_at else None,
        outcome=outcome,
        measured=measured,
        open_to_merge=_hours(created_at, merged_at),
        human_review_count=len(people),
        human_review_rounds=_rounds(people),
        human_comment_count=sum(each.comment_count for each in people),
        is_assisted=any(map(agents.assisted, pull.commits)) if pull.commits else None,
    )
    return GitHubPull(opened, own)


def _counts(review: Review, author: str | None, email: str | None, until: str) -> bool:
    """Return whether a review was submitted by then, by another person than the author; a deleted account is one."""
    submitted_at = happened(review.submitted_at)
    if review.state == "PENDING" or submitted_at is None or submitted_at > until:
        return False
    return review.author is None or review.author.login not in (author, email)


def _ready_at(pull: PullRequest, first_review: str | None) -> str | None:
    """Return when it was last ready up to its first review; one that was never a draft was so from the beginning."""
    changes = [each for each in pull.events if each.typename in ("ReadyForReviewEvent", "ConvertToDraftEvent")]
    if not changes and not pull.is_draft:
        return happened(pull.created_at)
    ready = [happened(each.at) for each in changes if each.typename == "ReadyForReviewEvent"]
    return max((at for at in ready if at and (first_review is None or at <= first_review)), default=None)


def _first(reviews: Sequence[Review]) -> str | None:
    return min((each.submitted_at for each in reviews if each.submitted_at), default=None)


def _count(reviews: Sequence[Review], state: str) -> int:
    return sum(each.state == state for each in reviews)


def _rounds(reviews: Sequence[Review]) -> int:
    return _count(reviews, "CHANGES_REQUESTED") + 1 if reviews else 0


def _hours(since: str | None, until: str | None) -> float | None:
    return None if since is None or until is None else (seconds(until) - seconds(since)) / _HOUR_S


def _instant(text: str | None) -> datetime | None:
    """Return an instant as the warehouse has it, without a zone."""
    return None if text is None else datetime.fromisoformat(text.removesuffix("Z"))


def _week(text: str) -> date:
    """Return the Monday of the week, in UTC."""
    day = date.fromisoformat(text[:10])
    return day - timedelta(days=day.weekday())
