"""The cut of GitHub's schema and OpenAPI document: the types, fields and paths that the simulator serves."""

import re
from typing import Any

from graphql import REMOVE, Node, Visitor, parse, print_ast, visit

_PAGED = "first last after before"
SERVED = f"""
Query: id node(id) nodes(ids) organization(login) rateLimit repository(owner name followRenames) repositoryOwner(login)
       user(login) viewer
RateLimit: cost limit nodeCount remaining resetAt used
PageInfo: endCursor hasNextPage hasPreviousPage startCursor
Node: id
Actor: login
RepositoryOwner: id login repositories({_PAGED} orderBy isArchived isFork ownerAffiliations)
       repository(name followRenames)
Organization: id databaseId login name repositories({_PAGED} orderBy isArchived isFork ownerAffiliations)
       repository(name followRenames)
User: id databaseId login name email repositories({_PAGED} orderBy isArchived isFork ownerAffiliations)
       repository(name followRenames)
Bot: id databaseId login
Mannequin: id databaseId login
EnterpriseUserAccount: id login name
Team: id databaseId name slug
Language: id name
RepositoryConnection: edges nodes pageInfo totalCount
RepositoryEdge: cursor node
Repository: id databaseId name nameWithOwner owner isArchived isDisabled isEmpty isFork isLocked isPrivate createdAt
       pushedAt updatedAt defaultBranchRef object(oid) primaryLanguage pullRequest(number)
       pullRequests({_PAGED} orderBy states baseRefName headRefName)
Ref: id name prefix repository target
GitObject: id oid
PullRequestConnection: edges nodes pageInfo totalCount
PullRequestEdge: cursor node
PullRequest: id databaseId fullDatabaseId number title body state isDraft closed merged createdAt updatedAt mergedAt
       closedAt additions deletions changedFiles isCrossRepository headRefName headRefOid baseRefName baseRefOid
       headRepository baseRepository repository mergeCommit author mergedBy labels({_PAGED}) reviews({_PAGED} states)
       commits({_PAGED}) timelineItems({_PAGED} itemTypes since skip) reviewRequests({_PAGED})
LabelConnection: edges nodes pageInfo totalCount
LabelEdge: cursor node
Label: id name
PullRequestReviewConnection: edges nodes pageInfo totalCount
PullRequestReviewEdge: cursor node
PullRequestReview: id databaseId fullDatabaseId state submittedAt createdAt updatedAt author body
       comments({_PAGED}) commit pullRequest
PullRequestReviewCommentConnection: totalCount
PullRequestCommitConnection: edges nodes pageInfo totalCount
PullRequestCommitEdge: cursor node
PullRequestCommit: id commit pullRequest
Commit: id oid authoredDate committedDate additions deletions changedFilesIfAvailable message messageHeadline
       messageBody author committer parents({_PAGED}) history({_PAGED} since until)
CommitConnection: totalCount
CommitHistoryConnection: nodes pageInfo totalCount
GitActor: date email name user
PullRequestTimelineItemsConnection: edges filteredCount nodes pageCount pageInfo totalCount updatedAt
PullRequestTimelineItemsEdge: cursor node
ReadyForReviewEvent: id actor createdAt pullRequest
ConvertToDraftEvent: id actor createdAt pullRequest
ReviewRequestedEvent: id actor createdAt pullRequest requestedReviewer
HeadRefForcePushedEvent: id actor createdAt pullRequest beforeCommit afterCommit
ReviewRequestConnection: edges nodes pageInfo totalCount
ReviewRequestEdge: cursor node
ReviewRequest: id asCodeOwner databaseId pullRequest requestedReviewer
RequestedReviewer PullRequestTimelineItems
RepositoryOrder RepositoryOrderField RepositoryAffiliation IssueOrder IssueOrderField OrderDirection
PullRequestState PullRequestReviewState
PullRequestTimelineItemsItemType: CONVERT_TO_DRAFT_EVENT HEAD_REF_FORCE_PUSHED_EVENT READY_FOR_REVIEW_EVENT
       REVIEW_REQUESTED_EVENT
BigInt DateTime GitObjectID GitTimestamp
"""
PATHS = {
    "/app": ("get",),
    "/app/installations": ("get",),
    "/app/installations/{installation_id}/access_tokens": ("post",),
    "/installation/repositories": ("get",),
    "/orgs/{org}/repos": ("get",),
    "/rate_limit": ("get",),
    "/repos/{owner}/{repo}": ("get",),
    "/repos/{owner}/{repo}/commits": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get",),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get",),
    "/repos/{owner}/{repo}/pulls/{pull_number}/commits": ("get",),
    "/repos/{owner}/{repo}/pulls/{pull_number}/reviews": ("get",),
    "/user": ("get",),
    "/users/{username}/repos": ("get",),
}
_FIELD = re.compile(r"(\w+)(?:\(([^)]*)\))?")
Fields = dict[str, set[str]]
"""The arguments that are served of each field or enum value."""


def served() -> dict[str, Fields | None]:
    """Return the served types, and which of their fields or values (None: all of them)."""
    types: dict[str, Fields | None] = {}
    for entry in re.split(r"\n(?! )", SERVED.strip()):
        names, colon, fields = entry.partition(":")
        found = {name: set(arguments.split()) for name, arguments in _FIELD.findall(fields)}
        types.update(dict.fromkeys(names.split(), found if colon else None))
    return types


def cut_schema(full: str) -> str:
    """Return the served part of GitHub's schema, without descriptions and without GitHub's own directives.

    Raises ValueError when the full schema lacks a type, field, value or argument that is served.
    """
    types = served()
    document = parse(re.sub(r'"""[^"]*(?:"{1,2}[^"]+)*"""', "", full), no_location=True)
    definitions = {name.value: node for node in document.definitions if (name := getattr(node, "name", None))}
    if missing := sorted(types.keys() - definitions.keys()):
        raise ValueError(f"expected these types in the schema: {', '.join(missing)}; rename them in SERVED")
    return "\n\n".join(print_ast(visit(definitions[name], _Cut(name, types))) for name in sorted(types)) + "\n"


class _Cut(Visitor):
    """Removes from one definition what is not served."""

    def __init__(self, name: str, types: dict[str, Fields | None]) -> None:
        super().__init__()
        self._name = name
        self._types = types
        self._fields = types[name]
        self._unseen = {(field, argument) for field, names in (self._fields or {}).items() for argument in ("", *names)}
        self._field = ""

    def enter(self, node: Any, key: str | int | None, parent: Any, *_: object) -> Any:
        """Remove a directive that GraphQL does not define, and each part that is not served."""
        kind = node.kind
        if kind in ("directive", "const_directive") and node.name.value != "deprecated":
            return REMOVE
        if kind == "named_type" and isinstance(parent, (list, tuple)) and node.name.value not in self._types:
            return REMOVE  # an interface of an object, or a member of a union
        if self._fields is None or kind not in ("field_definition", "enum_value_definition", "input_value_definition"):
            return None
        if kind == "input_value_definition":
            part = (self._field, node.name.value)
        else:
            self._field = node.name.value
            part = (self._field, "")
        if part not in self._unseen:
            return REMOVE
        self._unseen.discard(part)
        return None

    def leave(self, node: Node, *_: object) -> None:
        """Raise ValueError when a part that is served was not found."""
        if self._unseen and node.kind.endswith("type_definition"):
            raise ValueError(f"expected {self._name} with {sorted(self._unseen)} in the schema; rename them in SERVED")


def trim_openapi(full: dict[str, Any]) -> dict[str, Any]:
    """Return the served paths of GitHub's OpenAPI document with what they refer to, without examples and prose."""
    paths = {path: {method: full["paths"][path][method] for method in methods} for path, methods in PATHS.items()}
    trimmed: dict[str, Any] = {
        "openapi": full["openapi"],
        "info": {
            "title": full["info"]["title"],
            "version": full["info"]["version"],
            "license": full["info"]["license"],
        },
        "paths": _bare(paths),
        "components": {},
    }
    wanted = _references(trimmed["paths"])
    while wanted:
        kind, name = wanted.pop().removeprefix("#/components/").split("/")
        group = trimmed["components"].setdefault(kind, {})
        if name not in group:
            group[name] = _bare(full["components"][kind][name])
            wanted |= _references(group[name])
    trimmed["components"] = {kind: dict(sorted(group.items())) for kind, group in sorted(trimmed["components"].items())}
    return trimmed


def _bare(value: Any, is_named: bool = False) -> Any:
    """Return a copy without prose; the members of `properties` are names, not keywords."""
    if isinstance(value, dict):
        dropped = () if is_named else ("example", "examples", "description", "x-github", "externalDocs", "tags")
        return {k: _bare(v, is_named=k == "properties" and not is_named) for k, v in value.items() if k not in dropped}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(each) for each in value.values()))
    return set().union(*(_references(each) for each in value)) if isinstance(value, list) else set()
