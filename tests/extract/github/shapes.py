"""Objects as GitHub's GraphQL and REST send them, with invented values."""

from typing import Any

SHA = {name: (name * 40)[:40] for name in "abcdef"}


def listed(*nodes: Any, total: int | None = None, after: str | None = None) -> dict[str, Any]:
    """Return a page of a list; with `after` there is another one."""
    page = {"hasNextPage": after is not None, "endCursor": after}
    return {"totalCount": len(nodes) if total is None else total, "pageInfo": page, "nodes": list(nodes)}


def commit(sha: str, login: str | None = "kim", email: str = "kim@acme.test", **other: Any) -> dict[str, Any]:
    """Return a commit of GraphQL."""
    user = None if login is None else {"login": login}
    return {
        "oid": sha,
        "authoredDate": "2026-11-01T17:10:00Z",
        "committedDate": "2026-11-01T17:12:00Z",
        "additions": 100,
        "deletions": 10,
        "messageHeadline": "fix: retry on 502",
        "message": "fix: retry on 502",
        "parents": {"totalCount": 1},
        "author": {"name": "Kim", "email": email, "user": user},
    } | other


def pull_request(number: int = 731, **other: Any) -> dict[str, Any]:
    """Return a merged pull request of GraphQL."""
    return {
        "id": f"PR_{number}",
        "fullDatabaseId": "2401234567",
        "number": number,
        "title": "fix: retry on 502",
        "state": "MERGED",
        "isDraft": False,
        "createdAt": "2026-11-02T08:00:00Z",
        "updatedAt": "2026-11-03T10:00:05Z",
        "mergedAt": "2026-11-03T10:00:05Z",
        "closedAt": "2026-11-03T10:00:05Z",
        "additions": 120,
        "deletions": 14,
        "changedFiles": 4,
        "isCrossRepository": False,
        "headRefName": "fix/retry",
        "headRefOid": SHA["b"],
        "baseRefName": "main",
        "mergeCommit": {"oid": SHA["c"]},
        "author": {"__typename": "User", "login": "kim", "databaseId": 101},
        "mergedBy": {"__typename": "User", "login": "lee"},
        "labels": listed({"name": "bug"}),
        "reviewRequests": listed(
            {"id": "RRQ_1", "requestedReviewer": {"__typename": "Team", "slug": "platform"}},
            {"id": "RRQ_2", "requestedReviewer": None},
        ),
        "reviews": listed(review()),
        "commits": listed({"commit": commit(SHA["a"])}, {"commit": commit(SHA["b"])}),
        "timelineItems": listed(force_push()),
    } | other


def review(number: str = "4301234567", **other: Any) -> dict[str, Any]:
    """Return a review of GraphQL."""
    return {
        "id": f"PRR_{number}",
        "fullDatabaseId": number,
        "state": "APPROVED",
        "submittedAt": "2026-11-02T12:30:00Z",
        "updatedAt": "2026-11-02T12:30:00Z",
        "author": {"__typename": "User", "login": "lee"},
        "comments": {"totalCount": 2},
        "commit": {"oid": SHA["b"]},
    } | other


def force_push(before: str | None = SHA["d"]) -> dict[str, Any]:
    """Return the event of a force push; the commit before it is null once GitHub has removed it."""
    return {
        "__typename": "HeadRefForcePushedEvent",
        "id": "HRFPE_1",
        "createdAt": "2026-11-02T11:00:00Z",
        "actor": {"login": "kim"},
        "beforeCommit": None if before is None else commit(before, messageHeadline="fix: retry on 500"),
        "afterCommit": {"oid": SHA["b"]},
    }


def rest_pull_request(**other: Any) -> dict[str, Any]:
    """Return the pull request of `pull_request` as REST sends it."""
    return {
        "id": 2401234567,
        "node_id": "PR_731",
        "number": 731,
        "title": "fix: retry on 502",
        "body": "as agreed",
        "state": "closed",
        "draft": False,
        "created_at": "2026-11-02T08:00:00Z",
        "updated_at": "2026-11-03T10:00:05Z",
        "merged_at": "2026-11-03T10:00:05Z",
        "closed_at": "2026-11-03T10:00:05Z",
        "additions": 120,
        "deletions": 14,
        "changed_files": 4,
        "commits": 2,
        "head": {"ref": "fix/retry", "sha": SHA["b"], "repo": {"id": 7}},
        "base": {"ref": "main", "sha": SHA["e"], "repo": {"id": 7, "full_name": "acme/shop"}},
        "merge_commit_sha": SHA["c"],
        "user": {"login": "kim", "id": 101, "type": "User"},
        "merged_by": {"login": "lee", "id": 102, "type": "User"},
        "labels": [{"name": "bug"}],
        "requested_reviewers": [],
        "requested_teams": [{"id": 5, "node_id": "T_5", "slug": "platform"}],
    } | other


def rest_review(**other: Any) -> dict[str, Any]:
    """Return the review of `review` as REST sends it."""
    return {
        "id": 4301234567,
        "node_id": "PRR_4301234567",
        "state": "APPROVED",
        "submitted_at": "2026-11-02T12:30:00Z",
        "user": {"login": "lee", "id": 102, "type": "User"},
        "commit_id": SHA["b"],
    } | other


def rest_commit(sha: str, **other: Any) -> dict[str, Any]:
    """Return a commit as REST sends it."""
    return {
        "sha": sha,
        "commit": {
            "author": {"name": "Kim", "email": "kim@acme.test", "date": "2026-11-01T17:10:00Z"},
            "committer": {"name": "GitHub", "email": "noreply@github.com", "date": "2026-11-01T17:12:00Z"},
            "message": "fix: retry on 502",
        },
        "author": {"login": "kim", "id": 101, "type": "User"},
        "parents": [{"sha": SHA["e"]}],
    } | other
