"""The rows that a complete read of a company has, computed from its data alone: none of the serving code is used.

Rows have the names and columns of the raw tables of GitHub. Instants are texts of whole seconds.
"""

import re
from collections.abc import Iterator
from typing import Any

from simulator.github.model import Account, Commit, Company, PullRequest, Repository, Team

Row = dict[str, Any]
_KINDS = {
    "ReadyForReviewEvent": "ready_for_review",
    "ConvertToDraftEvent": "convert_to_draft",
    "ReviewRequestedEvent": "review_requested",
    "HeadRefForcePushedEvent": "head_ref_force_pushed",
}
_CO_AUTHOR = re.compile(r"^Co-authored-by:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)


def rows(company: Company) -> dict[str, list[Row]]:
    """Return the rows of each raw table, without those of repositories that others own, or that the token may not read.

    A commit of several lists is one row. Pull requests of a repository that has turned them off have no rows.
    """
    account = company.account.login.lower()
    seen = [each for each in company.repositories if each.owner is company.account and not each.is_hidden_by_sso]
    read = [each for each in seen if not each.is_forbidden]
    pulls = [pull for each in read if each.has_pull_requests for pull in each.pulls]
    tables: dict[str, list[Row]] = {
        "github_repos": [_repository(each) for each in seen],
        "github_pull_requests": [_pull(each) for each in pulls],
        "github_reviews": [row for each in pulls for row in _reviews(each)],
        "github_commits": [row for each in read for row in _commits(each)],
        "github_pull_request_commits": [row for each in pulls for row in _pull_commits(each)],
        "github_pull_request_events": [row for each in pulls for row in _events(each)],
    }
    return {name: [{"account": account, **row} for row in table] for name, table in tables.items()} | {
        "identities": _identities(account, read)
    }


def totals(company: Company) -> dict[int, dict[str, int]]:
    """Return by repository id how many pull requests it has, and how many commits its default branch reaches."""
    return {
        each.id: {"pull_requests": len(each.pulls) if each.has_pull_requests else 0, "commits": len(each.history)}
        for each in company.repositories
    }


def _repository(repository: Repository) -> Row:
    pulls = repository.pulls if repository.has_pull_requests else []
    return {
        "repo_id": repository.id,
        "node_id": repository.node_id,
        "full_name": repository.full_name,
        "default_branch": repository.default_branch if repository.history else None,
        "language": repository.language,
        "is_archived": repository.is_archived,
        "is_disabled": repository.is_disabled,
        "is_empty": not repository.history,
        "is_fork": repository.is_fork,
        "is_private": repository.is_private,
        "open_pull_requests_count": sum(each.state == "OPEN" for each in pulls),
        "total_pull_requests_count": len(pulls),
        "created_at": repository.created_at,
        "updated_at": repository.updated_at,
        "pushed_at": repository.pushed_at,
    }


def _pull(pull: PullRequest) -> Row:
    author = pull.author
    return {
        "repo_id": pull.repository.id,
        "number": pull.number,
        "id": pull.id,
        "node_id": pull.node_id,
        "repo_name": pull.repository.full_name,
        "title": pull.title,
        "body": pull.body,
        "state": pull.state.lower(),
        "is_draft": pull.is_draft,
        "author_id": author.login if author else None,
        "author_number": author.number if author else None,
        "author_kind": _kind(author),
        "merged_by": pull.merged_by.login if pull.merged_by else None,
        "base_branch": pull.base_ref,
        "head_branch": pull.head_ref,
        "head_sha": pull.commits[-1].sha,
        "merge_commit_sha": pull.merge_commit.sha if pull.merge_commit else None,
        "is_cross_repository": pull.is_cross_repository,
        "reviewers": [each.slug if isinstance(each, Team) else each.login for each in pull.requested],
        "labels": list(pull.labels),
        "additions": pull.additions,
        "deletions": pull.deletions,
        "changed_files": pull.changed_files,
        "commit_count": len(pull.commits),
        "review_count": len(pull.reviews),
        "event_count": len(pull.events),
        "force_push_count": sum(each.typename == "HeadRefForcePushedEvent" for each in pull.events),
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "merged_at": pull.merged_at,
        "closed_at": pull.closed_at,
    }


def _reviews(pull: PullRequest) -> Iterator[Row]:
    for review in pull.reviews:
        yield {
            "repo_id": pull.repository.id,
            "number": pull.number,
            "pr_id": pull.id,
            "id": review.number,
            "reviewer": review.author.login if review.author else None,
            "reviewer_kind": _kind(review.author),
            "state": review.state.lower(),
            "submitted_at": review.submitted_at,
            "updated_at": review.updated_at,
            "comment_count": review.comment_count,
            "commit_sha": review.commit_sha,
            "pr_updated_at": pull.updated_at,
        }


def _commits(repository: Repository) -> Iterator[Row]:
    """Yield the commits of the default branch, of the pull requests as they are now, and from before force pushes."""
    pulls = repository.pulls if repository.has_pull_requests else []
    found = {each.before.sha: each.before for pull in pulls for each in pull.events if each.before}
    found |= {commit.sha: commit for pull in pulls for commit in pull.commits}
    found |= {commit.sha: commit for commit in repository.history}
    for commit in found.values():
        yield {
            "repo_id": repository.id,
            "sha": commit.sha,
            "authored_at": commit.authored_at,
            "committed_at": commit.committed_at,
            "author_email": commit.author_email,
            "author_name": commit.author_name,
            "author_login": commit.author.login if commit.author else None,
            "additions": commit.additions,
            "deletions": commit.deletions,
            "headline": commit.message.split("\n")[0],
            "co_authors": _CO_AUTHOR.findall(commit.message),
            "parent_count": len(commit.parents),
        }


def _pull_commits(pull: PullRequest) -> Iterator[Row]:
    base = {"repo_id": pull.repository.id, "number": pull.number, "pr_updated_at": pull.updated_at}
    for position, commit in enumerate(pull.commits, start=1):
        yield {**base, "sha": commit.sha, "role": "branch", "position": position}
    for sha in {each.before.sha for each in pull.events if each.before}:
        yield {**base, "sha": sha, "role": "before_force_push", "position": None}
    if pull.merge_commit:
        yield {**base, "sha": pull.merge_commit.sha, "role": "merge", "position": None}


def _events(pull: PullRequest) -> Iterator[Row]:
    for event in pull.events:
        subject = event.subject
        yield {
            "repo_id": pull.repository.id,
            "number": pull.number,
            "event_id": event.node_id,
            "kind": _KINDS[event.typename],
            "at": event.at,
            "actor": event.actor.login if event.actor else None,
            "subject": subject.slug if isinstance(subject, Team) else subject.login if subject else None,
            "before_sha": event.before.sha if event.before else None,
            "after_sha": event.after.sha if event.after else None,
            "pr_updated_at": pull.updated_at,
        }


def _identities(account: str, repositories: list[Repository]) -> list[Row]:
    """Return each pair of login and e-mail once, with the commit that shows it last."""
    last: dict[tuple[str, str], tuple[str, Commit]] = {}
    for repository in repositories:
        pulls = repository.pulls if repository.has_pull_requests else []
        shown = [("pr_commit", commit) for pull in pulls for commit in pull.commits]
        for seen_in, commit in [*shown, *(("commit", each) for each in repository.history)]:
            if commit.author is None or commit.author.typename != "User":
                continue
            key = (commit.author.login, commit.author_email)
            if key not in last or commit.committed_at > last[key][1].committed_at:
                last[key] = (seen_in, commit)
    return [
        {
            "system": "github",
            "account": account,
            "account_id": login,
            "email": email,
            "name": commit.author_name,
            "seen_in": seen_in,
            "seen_at": commit.committed_at,
        }
        for (login, email), (seen_in, commit) in last.items()
    ]


def _kind(account: Account | None) -> str:
    return account.typename.lower() if account else "ghost"
