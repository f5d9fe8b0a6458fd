"""The bodies of REST, with every field that GitHub's OpenAPI document requires."""

from typing import Any

from simulator.github.model import Account, Commit, PullRequest, Repository, Review, Team

Body = dict[str, Any]
_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_COUNTS = ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size")
_FLAGS = ("has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions")


class Shapes:
    """Bodies whose URLs begin with `base`."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._repositories: dict[int, Body] = {}  # each is in every pull request of a page, twice

    def account(self, account: Account) -> Body:
        """Return an account; the login of a bot ends with `[bot]` here, and does not in GraphQL."""
        login = f"{account.login}[bot]" if account.typename == "Bot" else account.login
        url = f"{self._base}/users/{login}"
        return {
            "login": login,
            "id": account.number,
            "node_id": account.node_id,
            "avatar_url": f"{self._base}/avatars/{account.number}",
            "gravatar_id": "",
            "url": url,
            "html_url": url,
            **{name: url + path for name, path in _USER_URLS.items()},
            "type": account.typename,
            "site_admin": False,
        }

    def viewer(self, account: Account) -> Body:
        """Return the account of the token."""
        unknown = ("bio", "blog", "company", "hireable", "location")
        numbers = ("followers", "following", "public_gists", "public_repos")
        return (
            self.account(account)
            | dict.fromkeys(unknown)
            | dict.fromkeys(numbers, 0)
            | {"name": account.name, "email": account.email}
            | {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z", "user_view_type": "public"}
        )

    def repository(self, repository: Repository) -> Body:
        """Return a repository as in a list, and in a pull request."""
        known = self._repositories.get(repository.id)
        if known is None:
            known = self._repositories[repository.id] = self._repository(repository)
        return known

    def repository_detail(self, repository: Repository) -> Body:
        """Return one repository, with what no list has."""
        return self.repository(repository) | {"network_count": 0, "subscribers_count": 0}

    def _repository(self, repository: Repository) -> Body:
        url = f"{self._base}/repos/{repository.full_name}"
        opened = sum(pull.state == "OPEN" for pull in repository.pulls)
        return {
            "id": repository.id,
            "node_id": repository.node_id,
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.is_private,
            "visibility": "private" if repository.is_private else "public",
            "owner": self.account(repository.owner),
            "html_url": url,
            "description": None,
            "fork": repository.is_fork,
            "url": url,
            **{name: url + path for name, path in _REPOSITORY_URLS.items()},
            **dict.fromkeys(("git_url", "ssh_url", "clone_url", "svn_url"), url),
            **dict.fromkeys(_COUNTS, 0),
            **dict.fromkeys(_FLAGS, False),
            **dict.fromkeys(("mirror_url", "homepage", "license")),
            "has_pull_requests": repository.has_pull_requests,
            "language": repository.language,
            "archived": repository.is_archived,
            "disabled": repository.is_disabled,
            "open_issues": opened,
            "open_issues_count": opened,
            "default_branch": repository.default_branch,
            "pushed_at": repository.pushed_at or repository.created_at,
            "created_at": repository.created_at,
            "updated_at": repository.updated_at,
        }

    def pull(self, pull: PullRequest) -> Body:
        """Return a pull request of a list, which lacks its sizes."""
        repository = self.repository(pull.repository)
        url = f"{repository['url']}/pulls/{pull.number}"
        issue = f"{repository['url']}/issues/{pull.number}"
        owner = self.account(pull.repository.owner)
        links = {
            "comments": f"{issue}/comments",
            "commits": f"{url}/commits",
            "statuses": f"{repository['url']}/statuses/{pull.head_sha}",
            "html": url,
            "issue": issue,
            "review_comments": f"{url}/comments",
            "review_comment": f"{repository['url']}/pulls/comments{{/number}}",
            "self": url,
        }
        merged = pull.merge_commit.sha if pull.merge_commit else None
        return {
            "id": pull.id,
            "node_id": pull.node_id,
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": "open" if pull.state == "OPEN" else "closed",
            "draft": pull.is_draft,
            "locked": False,
            "user": self.account(pull.author) if pull.author else None,
            "author_association": "MEMBER",
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "closed_at": pull.closed_at,
            "merged_at": pull.merged_at,
            # While it is open: the commit by which GitHub tests whether it can be merged.
            "merge_commit_sha": merged or f"{int(pull.head_sha, 16) ^ 1:040x}",
            "head": {
                "label": f"{owner['login']}:{pull.head_ref}",
                "ref": pull.head_ref,
                "sha": pull.head_sha,
                "user": owner,
                "repo": repository if pull.has_head_repository else None,
            },
            "base": {
                "label": f"{owner['login']}:{pull.base_ref}",
                "ref": pull.base_ref,
                "sha": pull.commits[0].parents[0],
                "user": owner,
                "repo": repository,
            },
            "labels": [self._label(name, repository["url"]) for name in pull.labels],
            "requested_reviewers": [self.account(each) for each in pull.requested if isinstance(each, Account)],
            "requested_teams": [self._team(each) for each in pull.requested if isinstance(each, Team)],
            **dict.fromkeys(("assignee", "milestone", "auto_merge", "active_lock_reason")),
            "assignees": [],
            "url": url,
            "html_url": url,
            "diff_url": f"{url}.diff",
            "patch_url": f"{url}.patch",
            "issue_url": issue,
            **{f"{name}_url": links[name] for name in ("comments", "commits", "statuses")},
            **{f"{name}_url": links[name] for name in ("review_comments", "review_comment")},
            "_links": {name: {"href": link} for name, link in links.items()},
        }

    def pull_detail(self, pull: PullRequest) -> Body:
        """Return one pull request, with its sizes."""
        return self.pull(pull) | {
            "additions": pull.additions,
            "deletions": pull.deletions,
            "changed_files": pull.changed_files,
            "commits": len(pull.commits),
            "comments": 0,
            "review_comments": sum(each.comment_count for each in pull.reviews),
            "merged": pull.state == "MERGED",
            "merged_by": self.account(pull.merged_by) if pull.merged_by else None,
            "mergeable": None,
            "mergeable_state": "unknown",
            "maintainer_can_modify": False,
        }

    def review(self, pull: PullRequest, review: Review) -> Body:
        """Return a review; a pending one lacks `submitted_at`."""
        url = f"{self.repository(pull.repository)['url']}/pulls/{pull.number}"
        body = {
            "id": review.number,
            "node_id": f"PRR_{review.number}",
            "user": self.account(review.author) if review.author else None,
            "body": review.body,
            "state": review.state,
            "commit_id": review.commit_sha,
            "author_association": "MEMBER",
            "html_url": f"{url}#pullrequestreview-{review.number}",
            "pull_request_url": url,
            "_links": {"html": {"href": url}, "pull_request": {"href": url}},
        }
        return body if review.submitted_at is None else body | {"submitted_at": review.submitted_at}

    def commit(self, repository: Repository, commit: Commit) -> Body:
        """Return a commit of a list, which lacks its lines."""
        url = f"{self.repository(repository)['url']}/commits"
        person = {"name": commit.author_name, "email": commit.author_email}
        account = self.account(commit.author) if commit.author else None
        return {
            "sha": commit.sha,
            "node_id": f"C_{commit.sha}",
            "url": f"{url}/{commit.sha}",
            "html_url": f"{url}/{commit.sha}",
            "comments_url": f"{url}/{commit.sha}/comments",
            "commit": {
                "author": person | {"date": commit.authored_at},
                "committer": person | {"date": commit.committed_at},
                "message": commit.message,
                "comment_count": 0,
                "tree": {"sha": commit.sha, "url": f"{url}/{commit.sha}"},
                "url": f"{url}/{commit.sha}",
            },
            "author": account,
            "committer": account,
            "parents": [{"sha": sha, "url": f"{url}/{sha}", "html_url": f"{url}/{sha}"} for sha in commit.parents],
        }

    def _label(self, name: str, url: str) -> Body:
        return {
            "id": 1,
            "node_id": f"LA_{name}",
            "url": f"{url}/labels/{name}",
            "name": name,
            "description": "",
            "color": "ededed",
            "default": False,
        }

    def _team(self, team: Team) -> Body:
        url = f"{self._base}/teams/{team.slug}"
        return {
            "id": team.number,
            "node_id": team.node_id,
            "url": url,
            "html_url": url,
            "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos",
            "name": team.name,
            "slug": team.slug,
            "description": None,
            "privacy": "closed",
            "permission": "pull",
            "type": "organization",
            "parent": None,
        }
