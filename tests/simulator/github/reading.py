"""The rows of GitHub's raw tables, as a naive client reads them: everything, page after page."""

import re
from typing import Any

from tests.simulator.github.client import HISTORY, REPOSITORIES, REST_OF_COMMITS, REST_OF_REVIEWS, GitHubClient

Row = dict[str, Any]
KINDS = {
    "ReadyForReviewEvent": "ready_for_review",
    "ConvertToDraftEvent": "convert_to_draft",
    "ReviewRequestedEvent": "review_requested",
    "HeadRefForcePushedEvent": "head_ref_force_pushed",
}


def read_everything(client: GitHubClient, owner: str = "acme") -> dict[str, list[Row]]:
    """Return the rows of each table."""
    tables: dict[str, list[Row]] = {}
    for repository in client.ask(REPOSITORIES, owner=owner)["repositoryOwner"]["repositories"]["nodes"]:
        add(tables, "github_repos", repository_row(repository))
        repo_id, full_name = repository["databaseId"], repository["nameWithOwner"]
        for pull in client.pulls(full_name.partition("/")[2], first=20):
            read_pull(client, tables, repo_id, full_name, pull)
        if repository["defaultBranchRef"]:
            for commit in history(client, full_name):
                add_commit(tables, repo_id, commit)
    return tables


def add(tables: dict[str, list[Row]], name: str, row: Row) -> None:
    tables.setdefault(name, []).append({"account": "acme", **row})


def history(client: GitHubClient, full_name: str) -> list[Row]:
    owner, _, name = full_name.partition("/")
    found: list[Row] = []
    after = None
    while True:
        repository = client.ask(HISTORY, owner=owner, name=name, after=after)["repository"]
        page = repository["defaultBranchRef"]["target"]["history"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            assert len(found) == page["totalCount"]
            return found
        after = page["pageInfo"]["endCursor"]


def whole(client: GitHubClient, pull: Row, name: str, query: str) -> list[Row]:
    """Return all rows of a list of a pull request."""
    rows, info = list(pull[name]["nodes"]), pull[name]["pageInfo"]
    while info["hasNextPage"]:
        page = client.ask(query, ids=[pull["id"]], after=info["endCursor"])["nodes"][0][name]
        rows += page["nodes"]
        info = page["pageInfo"]
    assert len(rows) == pull[name]["totalCount"]
    return rows


def read_pull(client: GitHubClient, tables: dict[str, list[Row]], repo_id: int, full_name: str, pull: Row) -> None:
    reviews = whole(client, pull, "reviews", REST_OF_REVIEWS)
    commits = [each["commit"] for each in whole(client, pull, "commits", REST_OF_COMMITS)]
    events = pull["timelineItems"]["nodes"]
    pr_id, seen = int(pull["fullDatabaseId"]), pull["updatedAt"]
    base = {"repo_id": repo_id, "number": pull["number"]}
    add(tables, "github_pull_requests", base | pull_row(pull, full_name, pr_id, reviews, commits, events))
    for each in reviews:
        add(tables, "github_reviews", base | {"pr_id": pr_id, "pr_updated_at": seen} | review_row(each))
    linked: list[tuple[str, str, int | None]] = [
        (each["oid"], "branch", at) for at, each in enumerate(commits, start=1)
    ]
    linked += [(each["beforeCommit"]["oid"], "before_force_push", None) for each in events if "beforeCommit" in each]
    if pull["mergeCommit"]:
        linked.append((pull["mergeCommit"]["oid"], "merge", None))
    for sha, role, position in linked:
        row = {"sha": sha, "role": role, "position": position, "pr_updated_at": seen}
        add(tables, "github_pull_request_commits", base | row)
    for each in events:
        add(tables, "github_pull_request_events", base | {"pr_updated_at": seen} | event_row(each))
    for commit in (*commits, *(each["beforeCommit"] for each in events if "beforeCommit" in each)):
        add_commit(tables, repo_id, commit)


def repository_row(node: Row) -> Row:
    return {
        "repo_id": node["databaseId"],
        "node_id": node["id"],
        "full_name": node["nameWithOwner"],
        "default_branch": (node["defaultBranchRef"] or {}).get("name"),
        "language": node["primaryLanguage"]["name"],
        "is_archived": node["isArchived"],
        "is_disabled": node["isDisabled"],
        "is_empty": node["isEmpty"],
        "is_fork": node["isFork"],
        "is_private": node["isPrivate"],
        "open_pull_requests_count": node["open"]["totalCount"],
        "total_pull_requests_count": node["pullRequests"]["totalCount"],
        "created_at": node["createdAt"],
        "updated_at": node["updatedAt"],
        "pushed_at": node["pushedAt"],
    }


def kind_of(actor: Row | None) -> str:
    return actor["__typename"].lower() if actor else "ghost"


def pull_row(pull: Row, full_name: str, pr_id: int, reviews: list[Row], commits: list[Row], events: list[Row]) -> Row:
    author = pull["author"] or {}
    asked = [each["requestedReviewer"] for each in pull["reviewRequests"]["nodes"]]
    return {
        "id": pr_id,
        "node_id": pull["id"],
        "repo_name": full_name,
        "title": pull["title"],
        "body": pull["body"],
        "state": pull["state"].lower(),
        "is_draft": pull["isDraft"],
        "author_id": author.get("login"),
        "author_number": author.get("databaseId"),
        "author_kind": kind_of(pull["author"]),
        "merged_by": (pull["mergedBy"] or {}).get("login"),
        "base_branch": pull["baseRefName"],
        "head_branch": pull["headRefName"],
        "head_sha": pull["headRefOid"],
        "merge_commit_sha": (pull["mergeCommit"] or {}).get("oid"),
        "is_cross_repository": pull["isCrossRepository"],
        "reviewers": [each.get("login") or each["slug"] for each in asked],
        "labels": [each["name"] for each in pull["labels"]["nodes"]],
        "additions": pull["additions"],
        "deletions": pull["deletions"],
        "changed_files": pull["changedFiles"],
        "commit_count": len(commits),
        "review_count": len(reviews),
        "event_count": len(events),
        "force_push_count": sum(each["__typename"] == "HeadRefForcePushedEvent" for each in events),
        "created_at": pull["createdAt"],
        "updated_at": pull["updatedAt"],
        "merged_at": pull["mergedAt"],
        "closed_at": pull["closedAt"],
    }


def review_row(review: Row) -> Row:
    return {
        "id": int(review["fullDatabaseId"]),
        "reviewer": (review["author"] or {}).get("login"),
        "reviewer_kind": kind_of(review["author"]),
        "state": review["state"].lower(),
        "submitted_at": review["submittedAt"],
        "updated_at": review["updatedAt"],
        "comment_count": review["comments"]["totalCount"],
        "commit_sha": review["commit"]["oid"],
    }


def event_row(event: Row) -> Row:
    asked = event.get("requestedReviewer") or {}
    return {
        "event_id": event["id"],
        "kind": KINDS[event["__typename"]],
        "at": event["createdAt"],
        "actor": (event["actor"] or {}).get("login"),
        "subject": asked.get("login") or asked.get("slug"),
        "before_sha": (event.get("beforeCommit") or {}).get("oid"),
        "after_sha": (event.get("afterCommit") or {}).get("oid"),
    }


def add_commit(tables: dict[str, list[Row]], repo_id: int, commit: Row) -> None:
    """Add a commit unless it has been read already."""
    known = {(each["repo_id"], each["sha"]) for each in tables.get("github_commits", ())}
    if (repo_id, commit["oid"]) in known:
        return
    author = commit["author"]
    row = {
        "repo_id": repo_id,
        "sha": commit["oid"],
        "authored_at": commit["authoredDate"],
        "committed_at": commit["committedDate"],
        "author_email": author["email"],
        "author_name": author["name"],
        "author_login": (author["user"] or {}).get("login"),
        "additions": commit["additions"],
        "deletions": commit["deletions"],
        "headline": commit["messageHeadline"],
        "co_authors": re.findall(r"(?m)^Co-authored-by: (.+)$", commit["message"]),
        "parent_count": commit["parents"]["totalCount"],
    }
    add(tables, "github_commits", row)
