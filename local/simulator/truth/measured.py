"""The intermediate of docs/metrics.md: the measures of each merged pull request as of one instant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from simulator.instants import DAY_NS, parse_instant, to_ns
from simulator.world import Row, World

_FIX_BRANCHES = ("fix/", "bugfix/", "hotfix/")
_FIX_TITLES = tuple(word + mark for word in ("fix", "bugfix", "hotfix") for mark in "(:!")
_HOUR_US = 3_600_000_000
_FIRST_US = (date(1990, 1, 1) - date(1970, 1, 1)).days * DAY_NS // 1000
SOURCE = "cursor-sim"
TIMES = ("coding_lead_time", "pickup_time", "review_lead_time", "cycle_time")


@dataclass(frozen=True, slots=True)
class MeasuredPull:
    """One merged pull request. None is unknown; times are hours."""

    source: str
    account: str
    pull_request_key: str
    week: date
    repo_name: str
    number: int
    developer: str | None
    author_email: str | None
    author_kind: str | None
    is_bot: bool | None
    additions: int | None
    total_loc: int | None
    files_changed: int | None
    commit_count: int | None
    coding_lead_time: float | None
    pickup_time: float | None
    review_lead_time: float | None
    cycle_time: float | None
    first_human_review_at: datetime | None
    pickup_from_ready: float | None
    pickup_human: float | None
    review_count: int
    approval_count: int
    changes_requested_count: int
    reviewer_count: int
    comment_count: int
    review_after_merge: int
    review_rounds: int
    ai_lines_added: int | None
    ai_ratio: float | None
    ai_band: str
    is_reverted: bool | None
    is_bug_fix: bool | None
    is_likely_bug_fix: bool
    has_ai_lines_over_additions: bool = False
    ready_at: datetime | None = None
    revert_how: str | None = None
    ai_matched_role: str | None = None
    ai_matched_commit_count: int | None = None
    ai_matched_commit_share: float | None = None
    ai_matchable_commits: int | None = None
    ai_coauthored_commits: int | None = None
    n_coauthors_known: int = 0
    opened_by_agent: str | None = None
    assisted_by_agent: str | None = None


def merged_pulls(world: World, as_of: datetime, account: str = "") -> list[MeasuredPull]:
    """Return every pull request merged by `as_of`, measured by the events until then."""
    return [pull for row, pull in every_pull(world, as_of, account) if is_merged(row, as_of)]


def is_merged(pull: Row, as_of: datetime) -> bool:
    """Return whether a pull request was merged by that instant."""
    merged_us = happened_us(pull.get("merged_at"))
    return merged_us is not None and merged_us <= to_ns(as_of) // 1000


def every_pull(world: World, as_of: datetime, account: str) -> Iterator[tuple[Row, MeasuredPull]]:
    """Yield every pull request with its row; one that is not merged by then is in the week in which it was opened."""
    as_of_us = to_ns(as_of) // 1000
    commits = list(newest_commits(world))
    by_hash: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for commit in commits:
        if commit.get("repoName"):
            by_hash[commit["repoName"], commit["commitHash"]].append(commit)
    emails = _emails(commits)
    pulls = list(newest_pulls(world))
    owners = _owners(commits, pulls)
    reviews: dict[int, list[Row]] = defaultdict(list)
    for review in newest_reviews(world):
        reviews[review["pr_id"]].append(review)
    for pull in pulls:
        merged_us = happened_us(pull["merged_at"]) if is_merged(pull, as_of) else None
        hashes = set(pull.get("commit_ids") or ())
        own = [commit for name in hashes for commit in by_hash.get((pull["repo_name"], name), ())]
        yield (
            pull,
            _measure(pull, merged_us, own, emails, owners, reviews.get(pull["id"], []), as_of_us, account),
        )


def _measure(
    pull: Row,
    merged_us: int | None,
    commits: list[Row],
    emails: dict[str, str],
    owners: dict[str, str],
    reviews: list[Row],
    as_of_us: int,
    account: str,
) -> MeasuredPull:
    author_id, given_email = pull.get("author_id") or None, pull.get("author_email") or None
    author_email = given_email or emails.get(author_id or "")
    others = [
        review
        for review in reviews
        if _has_happened(review, as_of_us) and _is_by_somebody_else(review, author_id, author_email)
    ]
    states = [(review.get("state") or "").lower() for review in others]
    additions, total_loc = pull.get("additions"), _plus(pull.get("additions"), pull.get("deletions"))
    ai_lines, ai_ratio, is_over = _ai(pull, commits)
    created_us = happened_us(pull.get("created_at"))
    first_commit_us = _first(pull.get("first_commit_at"), (commit["commitTs"] for commit in commits))
    first_review_us = _first(pull.get("first_review_at"), (review["submitted_at"] for review in others))
    changes_requested = states.count("changes_requested")
    ids, reviewers = pull.get("commit_ids"), pull.get("reviewers")
    names = {review["reviewer"] for review in others if review.get("reviewer")}
    first_human_us = _first(None, (each["submitted_at"] for each in others if not _is_bot(each.get("reviewer"))))
    return MeasuredPull(
        source=SOURCE,
        account=account,
        pull_request_key=f"{pull['repo_name']}#{pull['number']}",
        week=week(merged_us if merged_us is not None else created_us or 0),
        repo_name=pull["repo_name"],
        number=pull["number"],
        developer=author_id or owners.get((given_email or "").lower()) or given_email,
        author_email=author_email,
        author_kind=None,
        is_bot=_is_bot(author_id) if author_id or given_email else None,
        additions=additions,
        total_loc=total_loc,
        files_changed=pull.get("changed_files"),
        commit_count=pull.get("commit_count") if ids is None else len(set(ids)),
        coding_lead_time=hours(first_commit_us, created_us),
        pickup_time=hours(created_us, first_review_us),
        review_lead_time=hours(first_review_us, merged_us),
        cycle_time=hours(first_commit_us, merged_us),
        first_human_review_at=_instant(first_human_us),
        pickup_from_ready=None,
        pickup_human=hours(created_us, first_human_us),
        review_count=len(others),
        approval_count=states.count("approved"),
        changes_requested_count=changes_requested,
        reviewer_count=len(names) if reviews or reviewers is None else len(reviewers),
        comment_count=sum(len(review.get("comments") or ()) for review in others),
        review_rounds=changes_requested + 1 if others else 0,
        ai_lines_added=ai_lines,
        ai_ratio=ai_ratio,
        ai_band=band(ai_ratio),
        has_ai_lines_over_additions=is_over,
        is_reverted=pull.get("was_reverted"),
        is_bug_fix=pull.get("is_bug_fix"),
        is_likely_bug_fix=is_likely_fix(pull.get("head_branch") or "", pull.get("title") or ""),
        review_after_merge=sum(
            merged_us is not None and (_us(review["submitted_at"]) or 0) > merged_us for review in others
        ),
    )


def newest_commits(world: World) -> Iterator[Row]:
    """Return each commit of a repository and a user once."""
    return _newest(world.commits.rows, ("commitHash", "repoName", "userId"), "createdAt")


def newest_pulls(world: World) -> Iterator[Row]:
    """Return each pull request once."""
    return _newest(world.pulls.rows, ("repo_name", "number"), "updated_at")


def newest_reviews(world: World) -> Iterator[Row]:
    """Return each review once."""
    return _newest(world.reviews.rows, ("pr_id", "id"), "submitted_at")


def _newest(rows: Iterable[Row], key: tuple[str, ...], order: str) -> Iterator[Row]:
    """Return one row per key: the one with the newest instant in `order`, the later one of equals."""
    kept: dict[tuple[object, ...], tuple[int, Row]] = {}
    for row in rows:
        name = tuple(row.get(column) for column in key)
        at = _us(row.get(order)) or 0
        if name not in kept or kept[name][0] <= at:
            kept[name] = at, row
    return (row for _, row in kept.values())


def _emails(commits: list[Row]) -> dict[str, str]:
    """Return the e-mail of each user: that of the newest commit, of equals the first in the alphabet."""
    ordered = sorted(
        (commit for commit in commits if commit.get("userEmail") and commit.get("userId")),
        key=lambda commit: (-(happened_us(commit["commitTs"]) or 0), commit["userEmail"]),
    )
    emails: dict[str, str] = {}
    for commit in ordered:
        emails.setdefault(commit["userId"], commit["userEmail"])
    return emails


def _owners(commits: list[Row], pulls: list[Row]) -> dict[str, str]:
    """Return the id of each e-mail address, in small letters, that exactly one id has in a commit or pull request."""
    ids: dict[str, set[str]] = defaultdict(set)
    pairs = [(row.get("userEmail"), row.get("userId")) for row in commits]
    for email, user in [*pairs, *((row.get("author_email"), row.get("author_id")) for row in pulls)]:
        if email and user:
            ids[email.lower()].add(user)
    return {email: users.pop() for email, users in ids.items() if len(users) == 1}


def _has_happened(review: Row, as_of_us: int) -> bool:
    submitted_us = happened_us(review.get("submitted_at"))
    is_pending = (review.get("state") or "").lower() == "pending"
    return submitted_us is not None and submitted_us <= as_of_us and not is_pending


def _is_by_somebody_else(review: Row, author_id: str | None, author_email: str | None) -> bool:
    """Return whether the reviewer is not the author, compared exactly; an unknown reviewer is not the author."""
    reviewer = review.get("reviewer") or None
    return reviewer is None or reviewer not in (author_id, author_email)


def _is_bot(name: str | None) -> bool:
    return (name or "").lower().endswith("[bot]")


def _instant(us: int | None) -> datetime | None:
    """Return an instant as the warehouse has it, without a zone."""
    return None if us is None else datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(microseconds=us)


def _ai(pull: Row, commits: list[Row]) -> tuple[int | None, float | None, bool]:
    """Return AI lines and AI ratio, and whether there are more of these lines than additions.

    The lines are its own or else its commits', the ratio the source's, if it is one, or else lines / additions.
    """
    lines = _plus(pull.get("tab_lines"), pull.get("composer_lines"))
    if lines is None:
        known = _lines_by_hash(commits)
        lines = sum(known.values()) if known else None
    ratio = pull.get("ai_ratio")
    if ratio is not None and is_ratio(ratio):
        return lines, ratio, False
    if lines is None or not pull.get("additions"):
        return lines, None, False
    return lines, min(1.0, max(0.0, lines / pull["additions"])), lines > pull["additions"]


def is_ratio(number: float) -> bool:
    """Return whether a number is within 0..1, which NaN is not."""
    return 0 <= number <= 1


def _lines_by_hash(commits: list[Row]) -> dict[str, int]:
    """Return the AI lines of each commit: those of the newest report that knows them, of one time the most."""
    reports: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for commit in commits:
        lines = _plus(commit.get("tabLinesAdded"), commit.get("composerLinesAdded"))
        if lines is not None:
            reports[commit["commitHash"]].append((_us(commit.get("createdAt")) or 0, lines))
    return {name: max(found)[1] for name, found in reports.items()}


def is_likely_fix(branch: str, title: str) -> bool:
    """Return whether a pull request is a bug fix by its branch or title."""
    return branch.startswith(_FIX_BRANCHES) or title.startswith(_FIX_TITLES)


def band(ratio: float | None) -> str:
    """Return the AI band of a ratio."""
    if ratio is None:
        return "unknown"
    return "low" if ratio < 0.3 else "medium" if ratio < 0.6 else "high"


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _us(text: str | None) -> int | None:
    """Return microseconds, the precision of the warehouse."""
    return None if text is None else parse_instant(text) // 1000


def happened_us(text: str | None) -> int | None:
    """Return when something happened, in microseconds; before 1990 it is unknown."""
    us = _us(text)
    return None if us is None or us < _FIRST_US else us


def _first(given: str | None, seen: Iterable[str]) -> int | None:
    """Return the source's instant, else the earliest of those seen."""
    own = happened_us(given)
    return own if own is not None else min(filter(None, map(happened_us, seen)), default=None)


def hours(since_us: int | None, until_us: int | None) -> float | None:
    """Return the elapsed hours between two instants; None where either is unknown."""
    return None if since_us is None or until_us is None else (until_us - since_us) / _HOUR_US


def week(us: int) -> date:
    """Return the Monday of the week, in UTC."""
    day = date(1970, 1, 1) + timedelta(days=us * 1000 // DAY_NS)
    return day - timedelta(days=day.weekday())
