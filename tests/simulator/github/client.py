"""A client of the simulated GitHub that knows nothing of its code: it follows cursors and links."""

from collections.abc import Iterator
from typing import Any

import requests

from simulator.github import DEFAULT_TOKEN, Served

REPOSITORIES = """query Repositories($owner: String!, $after: String) {
  rateLimit { cost limit remaining used resetAt nodeCount }
  repositoryOwner(login: $owner) { repositories(first: 100, after: $after, orderBy: {field: NAME, direction: ASC}) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes {
      id databaseId nameWithOwner isArchived isDisabled isEmpty isFork isPrivate createdAt updatedAt pushedAt
      defaultBranchRef { name } primaryLanguage { name }
      pullRequests { totalCount } open: pullRequests(states: OPEN) { totalCount } } } } }"""
PULL = """
  id fullDatabaseId number title body state isDraft createdAt updatedAt mergedAt closedAt additions deletions
  changedFiles isCrossRepository
  headRefName headRefOid baseRefName mergeCommit { oid } author { ...who } mergedBy { ...who }
  labels(first: 20) { totalCount nodes { name } }
  reviewRequests(first: 20) { nodes { requestedReviewer { ... on User { login } ... on Team { slug } } } }
  reviews(first: 30) { totalCount pageInfo { hasNextPage endCursor } nodes { ...review } }
  commits(first: 30) { totalCount pageInfo { hasNextPage endCursor } nodes { commit { ...commit } } }
  timelineItems(first: 20, itemTypes: [READY_FOR_REVIEW_EVENT, CONVERT_TO_DRAFT_EVENT, REVIEW_REQUESTED_EVENT,
    HEAD_REF_FORCE_PUSHED_EVENT]) { totalCount nodes { __typename
      ... on ReadyForReviewEvent { id createdAt actor { login } }
      ... on ConvertToDraftEvent { id createdAt actor { login } }
      ... on ReviewRequestedEvent { id createdAt actor { login }
        requestedReviewer { ... on User { login } ... on Team { slug } } }
      ... on HeadRefForcePushedEvent { id createdAt actor { login } beforeCommit { ...commit }
        afterCommit { oid } } } }"""
WHO = """
fragment who on Actor { __typename login ... on User { databaseId } ... on Bot { databaseId } }"""
REVIEW = """
fragment review on PullRequestReview { fullDatabaseId state submittedAt updatedAt author { ...who }
  comments { totalCount } commit { oid } }"""
COMMIT = """
fragment commit on Commit { oid authoredDate committedDate additions deletions message messageHeadline
  parents { totalCount } author { name email user { login } } }"""
PULLS = f"""query Pulls($owner: String!, $name: String!, $first: Int!, $after: String, $field: IssueOrderField!,
    $direction: OrderDirection!) {{
  rateLimit {{ cost limit remaining used resetAt nodeCount }}
  repository(owner: $owner, name: $name) {{ databaseId nameWithOwner
    pullRequests(first: $first, after: $after, orderBy: {{field: $field, direction: $direction}}) {{
      totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {PULL} }} }} }} }}{WHO}{REVIEW}{COMMIT}"""
REST_OF_REVIEWS = f"""query Reviews($ids: [ID!]!, $after: String) {{ nodes(ids: $ids) {{ ... on PullRequest {{
  reviews(first: 100, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ ...review }} }} }} }} }}
  {WHO}{REVIEW}"""
REST_OF_COMMITS = f"""query Commits($ids: [ID!]!, $after: String) {{ nodes(ids: $ids) {{ ... on PullRequest {{
  commits(first: 100, after: $after) {{
    pageInfo {{ hasNextPage endCursor }} nodes {{ commit {{ ...commit }} }} }} }} }} }}{COMMIT}"""
HISTORY = f"""query History($owner: String!, $name: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{ defaultBranchRef {{ target {{ ... on Commit {{
    history(first: 100, after: $after) {{
      totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ ...commit }} }} }} }} }} }} }}{COMMIT}"""


class GitHubClient:
    """Requests to one simulated GitHub, with its token by default."""

    def __init__(self, served: Served, token: str | None = DEFAULT_TOKEN, prefix: str = "") -> None:
        self.served = served
        self.session = requests.Session()
        self.session.trust_env = False
        self.prefix = prefix
        self.graphql_path = "/api/graphql" if prefix else "/graphql"
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def post(self, query: str, **variables: Any) -> requests.Response:
        body = {"query": query, "variables": variables}
        return self.session.post(self.served.url + self.graphql_path, json=body, timeout=60)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer without errors."""
        answer = self.post(query, **variables).json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """Return the errors of an answer at 200."""
        response = self.post(query, **variables)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["errors"]
        return found

    def pulls_page(
        self, name: str = "shop", first: int = 50, after: str | None = None, order: str = "CREATED_AT ASC"
    ) -> dict[str, Any]:
        """Return one page of pull requests."""
        field, direction = order.split()
        given = {"owner": "acme", "name": name, "first": first, "after": after}
        repository = self.ask(PULLS, **given, field=field, direction=direction)["repository"]
        page: dict[str, Any] = repository["pullRequests"]
        return page

    def pulls(self, name: str = "shop", first: int = 50, order: str = "CREATED_AT ASC") -> Iterator[dict[str, Any]]:
        """Yield all pull requests of a repository, a page at a time."""
        after = None
        while True:
            page = self.pulls_page(name, first, after, order)
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def get(self, target: str, **headers: str) -> requests.Response:
        url = target if target.startswith("http") else self.served.url + self.prefix + target
        return self.session.get(url, headers=headers, timeout=60, allow_redirects=False)

    def listed(self, target: str) -> Iterator[Any]:
        """Yield the rows of all pages of REST."""
        following: str | None = target
        while following:
            response = self.get(following)
            assert response.status_code == 200, response.text
            yield from response.json()
            following = response.links.get("next", {}).get("url")
