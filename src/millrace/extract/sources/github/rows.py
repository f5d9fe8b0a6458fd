"""Rows of the raw tables from the objects of GitHub's GraphQL answers.

A field that GitHub sends as null is left out of its row: all of them are asked for, so that absent and null are one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.arrow import RowError, to_batch
from millrace.extract.reading import Row
from millrace.extract.sources.github.fields import Fields
from millrace.tables import INSTANT, TABLES

SYSTEM = "github"
_KINDS = {
    "ReadyForReviewEvent": "ready_for_review",
    "ConvertToDraftEvent": "convert_to_draft",
    "ReviewRequestedEvent": "review_requested",
    "HeadRefForcePushedEvent": "head_ref_force_pushed",
}
_FORCE_PUSH = "HeadRefForcePushedEvent"
_TRAILER = "co-authored-by:"
_LONGEST_TRAILER = 400


@dataclass(frozen=True, slots=True)
class Texts:
    """Which texts are read."""

    titles: bool = True
    bodies: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The repository that rows belong to, and the texts that they have: titles (and first lines of commits), bodies."""

    account: str
    repo_id: int
    name: str
    texts: Texts


Lists = Mapping[str, list[Fields]]
"""The lists of a pull request, by the names of queries.LISTS."""


def repository_row(account: str, node: Fields) -> Row:
    """Return the row of a repository."""
    return _row(
        account=account,
        repo_id=node.number("databaseId"),
        node_id=node.get("id", str),
        full_name=node.need("nameWithOwner", str),
        default_branch=node.inner("defaultBranchRef", str, "name"),
        language=node.inner("primaryLanguage", str, "name"),
        is_archived=node.get("isArchived", bool),
        is_disabled=node.get("isDisabled", bool),
        is_empty=node.get("isEmpty", bool),
        is_fork=node.get("isFork", bool),
        is_private=node.get("isPrivate", bool),
        open_pull_requests_count=node.inner("open", int, "totalCount"),
        total_pull_requests_count=node.inner("pullRequests", int, "totalCount"),
        created_at=node.get("createdAt", str),
        updated_at=node.get("updatedAt", str),
        pushed_at=node.get("pushedAt", str),
    )


def pull_request_rows(place: Place, node: Fields, lists: Lists, totals: Mapping[str, int]) -> dict[str, list[Row]]:
    """Return the rows of one pull request by raw table; `totals` are the source's numbers of the lists' entries."""
    author = node.child("author")
    forced = [event for event in lists["timelineItems"] if event.values.get("__typename") == _FORCE_PUSH]
    row = _row(
        **_key(place, node),
        id=node.number("fullDatabaseId"),
        node_id=node.need("id", str),
        repo_name=place.name,
        title=node.get("title", str) if place.texts.titles else None,
        body=node.get("body", str) if place.texts.bodies else None,
        state=node.need("state", str).lower(),
        is_draft=node.get("isDraft", bool),
        author_id=_login(author),
        author_number=None if author is None else author.get("databaseId", int),
        author_kind=_kind(author),
        merged_by=_login(node.child("mergedBy")),
        base_branch=node.get("baseRefName", str),
        head_branch=node.get("headRefName", str),
        head_sha=node.get("headRefOid", str),
        merge_commit_sha=node.inner("mergeCommit", str, "oid"),
        is_cross_repository=node.get("isCrossRepository", bool),
        reviewers=[name for asked in lists["reviewRequests"] if (name := _reviewer(asked)) is not None],
        labels=[label.need("name", str) for label in lists["labels"]],
        additions=node.get("additions", int),
        deletions=node.get("deletions", int),
        changed_files=node.get("changedFiles", int),
        commit_count=totals.get("commits"),
        review_count=totals.get("reviews"),
        event_count=totals.get("timelineItems"),
        force_push_count=len(forced) if "timelineItems" in totals else None,
        created_at=node.need("createdAt", str),
        updated_at=node.need("updatedAt", str),
        merged_at=node.get("mergedAt", str),
        closed_at=node.get("closedAt", str),
    )
    commits = [commit.needed("commit") for commit in lists["commits"]]
    replaced = [before for event in forced if (before := event.child("beforeCommit")) is not None]
    every = {commit.need("oid", str): commit for commit in (*commits, *replaced)}
    return {
        "github_pull_requests": [row],
        "github_reviews": [_review_row(place, node, review) for review in lists["reviews"]],
        "github_commits": [commit_row(place, commit) for commit in every.values()],
        "github_pull_request_commits": _roles(place, node, commits, replaced),
        "github_pull_request_events": [_event_row(place, node, event) for event in lists["timelineItems"]],
        "identities": identities(place, commits, "pr_commit"),
    }


def commit_row(place: Place, commit: Fields) -> Row:
    """Return the row of a commit."""
    return _row(
        account=place.account,
        repo_id=place.repo_id,
        sha=commit.need("oid", str),
        authored_at=commit.need("authoredDate", str),
        committed_at=commit.need("committedDate", str),
        author_email=commit.inner("author", str, "email"),
        author_name=commit.inner("author", str, "name"),
        author_login=commit.inner("author", str, "user", "login"),
        additions=commit.get("additions", int),
        deletions=commit.get("deletions", int),
        headline=commit.get("messageHeadline", str) if place.texts.titles else None,
        co_authors=co_authors(commit.get("message", str) or ""),
        parent_count=commit.inner("parents", int, "totalCount"),
    )


def identities(place: Place, commits: Iterable[Fields], seen_in: str) -> list[Row]:
    """Return one row for each pair of login and e-mail address, with the time of its newest commit.

    Addresses are kept as they are, also those at users.noreply.github.com: they say whose they are.
    """
    newest: dict[tuple[str, str], Row] = {}
    for commit in commits:
        login, email = commit.inner("author", str, "user", "login"), commit.inner("author", str, "email")
        if login is None or email is None:
            continue
        seen_at = commit.need("committedDate", str)
        held = newest.get((login, email))
        if held is None or held["seen_at"] < seen_at:
            newest[login, email] = _row(
                system=SYSTEM,
                account=place.account,
                account_id=login,
                email=email,
                name=commit.inner("author", str, "name"),
                seen_in=seen_in,
                seen_at=seen_at,
            )
    return list(newest.values())


def merged(each: Iterable[Mapping[str, list[Row]]]) -> dict[str, list[Row]]:
    """Return the rows of several objects as one batch, in which a commit or an identity is once."""
    batch: dict[str, list[Row]] = {}
    for rows in each:
        for table, some in rows.items():
            batch.setdefault(table, []).extend(some)
    if "github_commits" in batch:
        batch["github_commits"] = list({row["sha"]: row for row in batch["github_commits"]}.values())
    if "identities" in batch:
        newest: dict[tuple[str, str], Row] = {}
        for row in sorted(batch["identities"], key=lambda row: str(row["seen_at"])):
            newest[row["account_id"], row["email"]] = row
        batch["identities"] = list(newest.values())
    return batch


def misfit(rows: Mapping[str, list[Row]]) -> str | None:
    """Return what of the rows their tables cannot hold, without a text of the source; None when they fit."""
    for table, some in rows.items():
        try:
            to_batch(some, TABLES[table], None, None)
        except RowError as error:
            got = "" if TABLES[table].schema.field(error.column).type == INSTANT else f", got {error.got}"
            return f"{error.column}: expected {error.expected}{got}"
    return None


def co_authors(message: str) -> list[str]:
    """Return the co-authors in the trailers of a commit's message as `Name <e-mail>`, each once."""
    found: dict[str, None] = {}
    for line in message.splitlines():
        if line[: len(_TRAILER)].lower() == _TRAILER and len(line) <= _LONGEST_TRAILER:
            name, opening, rest = line[len(_TRAILER) :].partition("<")
            email, closing, _ = rest.partition(">")
            if opening and closing and email.strip():
                found[f"{name.strip()} <{email.strip()}>".strip()] = None
    return list(found)


def _review_row(place: Place, node: Fields, review: Fields) -> Row:
    # A review that is not submitted has the state `pending` and no time. Only its author's token sees it.
    author = review.child("author")
    return _row(
        **_key(place, node),
        pr_id=node.number("fullDatabaseId"),
        id=review.number("fullDatabaseId"),
        reviewer=_login(author),
        reviewer_kind=_kind(author),
        state=review.need("state", str).lower(),
        submitted_at=review.get("submittedAt", str),
        updated_at=review.get("updatedAt", str),
        comment_count=review.inner("comments", int, "totalCount"),
        commit_sha=review.inner("commit", str, "oid"),
        pr_updated_at=node.need("updatedAt", str),
    )


def _roles(place: Place, node: Fields, commits: Iterable[Fields], replaced: Iterable[Fields]) -> list[Row]:
    """Return which commits belong to the pull request, and as what."""

    def row(sha: str, role: str, position: int | None = None) -> Row:
        updated_at = node.need("updatedAt", str)
        return _row(**_key(place, node), sha=sha, role=role, position=position, pr_updated_at=updated_at)

    rows = [row(commit.need("oid", str), "branch", position) for position, commit in enumerate(commits, 1)]
    before = dict.fromkeys(commit.need("oid", str) for commit in replaced)
    rows += [row(sha, "before_force_push") for sha in before]
    merge = node.inner("mergeCommit", str, "oid")
    return rows if merge is None else [*rows, row(merge, "merge")]


def _event_row(place: Place, node: Fields, event: Fields) -> Row:
    kind = event.need("__typename", str)
    return _row(
        **_key(place, node),
        event_id=event.need("id", str),
        kind=_KINDS.get(kind, kind),
        at=event.need("createdAt", str),
        actor=_login(event.child("actor")),
        subject=_reviewer(event),
        before_sha=event.inner("beforeCommit", str, "oid"),
        after_sha=event.inner("afterCommit", str, "oid"),
        pr_updated_at=node.need("updatedAt", str),
    )


def _key(place: Place, node: Fields) -> dict[str, Any]:
    return {"account": place.account, "repo_id": place.repo_id, "number": node.need("number", int)}


def _reviewer(asked: Fields) -> str | None:
    """Return the login of a requested reviewer, or the name of a team in its URL; None when it is gone."""
    reviewer = asked.child("requestedReviewer")
    return None if reviewer is None else reviewer.get("login", str) or reviewer.get("slug", str)


def _login(actor: Fields | None) -> str | None:
    return None if actor is None else actor.need("login", str)


def _kind(actor: Fields | None) -> str:
    """Return the kind of an account; `ghost` for one that was deleted."""
    return "ghost" if actor is None else actor.need("__typename", str).lower()


def _row(**values: Any) -> Row:
    return {name: value for name, value in values.items() if value is not None}
