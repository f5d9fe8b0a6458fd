"""Objects of GitHub's REST API in the shape of its GraphQL answers, so that both give the same rows.

What REST does not say is left out: events and sizes of commits, the number of a review's comments. REST calls a deleted
account `ghost`, and a bot by its login and `[bot]`.
"""

from collections.abc import Sequence
from typing import Any

from millrace.extract.sources.github.fields import Fields

Shape = dict[str, Any]
_GHOST = "ghost"
_BOT = "[bot]"


def repository(found: Fields) -> Shape:
    """Return a repository of `GET /orgs/{org}/repos`."""
    return {
        "id": found.get("node_id", str),
        "databaseId": found.number("id"),
        "nameWithOwner": found.need("full_name", str),
        "defaultBranchRef": _maybe(name=found.get("default_branch", str)),
        "primaryLanguage": _maybe(name=found.get("language", str)),
        "isArchived": found.get("archived", bool),
        "isDisabled": found.get("disabled", bool),
        "isFork": found.get("fork", bool),
        "isPrivate": found.get("private", bool),
        "createdAt": found.get("created_at", str),
        "updatedAt": found.get("updated_at", str),
        "pushedAt": found.get("pushed_at", str),
    }


def pull_request(found: Fields, reviews: Sequence[Fields], commits: Sequence[Fields]) -> Shape:
    """Return a pull request of `GET /repos/{owner}/{repo}/pulls/{number}` with its reviews and commits."""
    head, base = found.needed("head"), found.needed("base")
    repo = head.child("repo")  # null when a fork was deleted
    merged_at = found.get("merged_at", str)
    asked = [_asked(each) for name in ("requested_reviewers", "requested_teams") for each in _objects(found, name)]
    return {
        "id": found.need("node_id", str),
        "fullDatabaseId": found.number("id"),
        "number": found.need("number", int),
        "title": found.get("title", str),
        "body": found.get("body", str),
        "state": "MERGED" if merged_at else found.need("state", str).upper(),
        "isDraft": found.get("draft", bool),
        "createdAt": found.need("created_at", str),
        "updatedAt": found.need("updated_at", str),
        "mergedAt": merged_at,
        "closedAt": found.get("closed_at", str),
        "additions": found.get("additions", int),
        "deletions": found.get("deletions", int),
        "changedFiles": found.get("changed_files", int),
        "isCrossRepository": repo is None or repo.number("id") != base.needed("repo").number("id"),
        "headRefName": head.need("ref", str),
        "headRefOid": head.need("sha", str),
        "baseRefName": base.need("ref", str),
        # Before the merge it is a commit of GitHub's own, for tests.
        "mergeCommit": _maybe(oid=found.get("merge_commit_sha", str)) if merged_at else None,
        "author": _actor(found.child("user")),
        "mergedBy": _actor(found.child("merged_by")),
        "labels": _list([{"name": each.need("name", str)} for each in _objects(found, "labels")]),
        "reviewRequests": _list(asked),
        "reviews": _list([_review(each) for each in reviews]),
        "commits": _list([{"commit": commit(each)} for each in commits], found.need("commits", int)),
    }


def commit(found: Fields) -> Shape:
    """Return a commit of `GET /repos/{owner}/{repo}/commits`."""
    inner = found.needed("commit")
    author, account = inner.child("author"), _actor(found.child("author"))
    message = inner.get("message", str) or ""
    is_user = account is not None and account["__typename"] == "User"
    return {
        "oid": found.need("sha", str),
        "authoredDate": None if author is None else author.get("date", str),
        "committedDate": inner.inner("committer", str, "date"),
        "messageHeadline": message.partition("\n")[0],
        "message": message,
        "parents": {"totalCount": len(found.each("parents"))},
        "author": {
            "name": None if author is None else author.get("name", str),
            "email": None if author is None else author.get("email", str),
            "user": account if is_user else None,
        },
    }


def _review(found: Fields) -> Shape:
    return {
        "id": found.need("node_id", str),
        "fullDatabaseId": found.number("id"),
        "state": found.need("state", str).upper(),
        "submittedAt": found.get("submitted_at", str),
        "author": _actor(found.child("user")),
        "commit": _maybe(oid=found.get("commit_id", str)),
    }


def _actor(found: Fields | None) -> Shape | None:
    if found is None or not found.values or found.need("login", str) == _GHOST:
        return None
    kind, login = found.get("type", str) or "User", found.need("login", str)
    name = login.removesuffix(_BOT) if kind == "Bot" else login
    return {"__typename": kind, "login": name, "databaseId": found.get("id", int)}


def _asked(found: Fields) -> Shape:
    actor = _actor(found) if "login" in found.values else {"slug": found.get("slug", str)}
    return {"id": found.need("node_id", str), "requestedReviewer": actor}


def _objects(found: Fields, name: str) -> list[Fields]:
    return [each for each in found.each(name) if each is not None] if found.values.get(name) is not None else []


def _list(nodes: list[Any], total: int | None = None) -> Shape:
    total = len(nodes) if total is None else total
    return {"totalCount": total, "pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": nodes}


def _maybe(**values: str | None) -> Shape | None:
    return values if None not in values.values() else None
