"""The served schema with what each of its fields returns."""

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any
from zlib import crc32

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

from simulator.github.graphql import resolvers
from simulator.github.graphql.connections import part_of
from simulator.github.graphql.resolvers import Info, Resolver, listed
from simulator.github.model import Commit, PullRequest, node_id

SCHEMA = Path(__file__).parents[1] / "pinned/schema.graphql"


@cache
def served_schema(lacks: tuple[str, ...] = ()) -> GraphQLSchema:
    """Return the schema, each field with its resolver, without those that the server lacks, such as `Commit.oid`.

    Raises KeyError when a field of the file has no resolver, and for a field that is not in the file.
    """
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"), assume_valid=True)
    for lacking in lacks:
        kind_name, _, field_name = lacking.partition(".")
        del schema.type_map[kind_name].fields[field_name]  # type: ignore[attr-defined]
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            known = _CONNECTION if name.endswith("Connection") else _EDGE if name.endswith("Edge") else _FIELDS[name]
            for field_name, field in kind.fields.items():
                field.resolve = known[field_name]
        elif isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
            kind.resolve_type = _type_of
    return schema


def _type_of(value: Any, *_: object) -> str:
    name: str = (value[1] if isinstance(value, tuple) else value).typename
    return name


def _plain(*names: str) -> dict[str, Resolver]:
    """Return resolvers that read the attribute of the field's name in snake case, or of `field=attribute`."""
    return {field: _reading(attrgetter(attribute)) for field, attribute in map(_attribute, names)}


def _attribute(text: str) -> tuple[str, str]:
    name, _, attribute = text.partition("=")
    return name, attribute or "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _reading(get: Callable[[Any], Any]) -> Resolver:
    return lambda source, info, **arguments: get(source)


def _rows(*names: str) -> dict[str, Resolver]:
    """Return resolvers of a row that is kept with its pull request."""
    found = {field: _reading(attrgetter(f"{attribute}")) for field, attribute in map(_attribute, names)}
    return {field: _second(resolve) for field, resolve in found.items()}


def _second(resolve: Resolver) -> Resolver:
    return lambda source, info, **arguments: resolve(source[1], info)


def _pull_of(source: tuple[PullRequest, Any], info: Info) -> PullRequest:
    return source[0]


def _items(*names: str) -> dict[str, Resolver]:
    return {name: _reading(itemgetter(name)) for name in names}


def _author(source: Commit, info: Info) -> dict[str, Any]:
    user = source.author if source.author and source.author.typename == "User" else None
    return {"date": source.authored_at, "email": source.author_email, "name": source.author_name, "user": user}


def _committer(source: Commit, info: Info) -> dict[str, Any]:
    return _author(source, info) | {"date": source.committed_at}


_EVENT = _rows(
    "id=node_id", "actor", "createdAt=at", "requestedReviewer=subject", "beforeCommit=before", "afterCommit=after"
) | {"pullRequest": _pull_of}
_ACCOUNT = _plain("id=node_id", "databaseId=number", "login", "name", "email") | {
    "repositories": resolvers.repositories,
    "repository": resolvers.owned,
}
_EDGE = _items("node", "cursor")
_CONNECTION: dict[str, Resolver] = {
    "nodes": lambda source, info: source.nodes(),
    "edges": lambda source, info: source.edges(),
    "pageInfo": lambda source, info: source.page_info(),
    "totalCount": lambda source, info: source.total,
    "filteredCount": lambda source, info: source.total,
    "pageCount": lambda source, info: source.stop - source.start,
    "updatedAt": lambda source, info: max((event.at for _, event in source.rows), default=info.context.company.end),
}
_FIELDS: dict[str, Mapping[str, Resolver]] = {
    "Query": {
        "id": lambda source, info: node_id("Q", 1),
        "node": resolvers.node,
        "nodes": resolvers.nodes,
        "organization": resolvers.organization,
        "rateLimit": resolvers.rate_limit,
        "repository": resolvers.repository,
        "repositoryOwner": resolvers.owner,
        "user": resolvers.user,
        "viewer": lambda source, info: info.context.viewer,
    },
    "RateLimit": _items("cost", "limit", "nodeCount", "remaining", "resetAt", "used"),
    "PageInfo": _items("endCursor", "hasNextPage", "hasPreviousPage", "startCursor"),
    "Organization": _ACCOUNT,
    "User": _ACCOUNT,
    "Bot": _ACCOUNT,
    "Mannequin": _ACCOUNT,
    "EnterpriseUserAccount": _ACCOUNT,
    "Team": _plain("id=node_id", "databaseId=number", "name", "slug"),
    "Language": {"id": lambda source, info: node_id("L", len(source)), "name": lambda source, info: source},
    "Label": {"id": lambda source, info: node_id("LA", crc32(source.encode())), "name": lambda source, info: source},
    "Repository": _plain(
        "id=node_id",
        "databaseId=id",
        "name",
        "nameWithOwner=full_name",
        "owner",
        "isArchived",
        "isDisabled",
        "isEmpty",
        "isFork",
        "isPrivate",
        "isLocked=is_disabled",
        "createdAt",
        "pushedAt",
        "updatedAt",
        "primaryLanguage=language",
    )
    | {
        "defaultBranchRef": resolvers.branch,
        "object": resolvers.git_object,
        "pullRequests": resolvers.pulls,
        "pullRequest": resolvers.pull,
    },
    "Ref": _items("id", "name", "prefix", "repository", "target"),
    "PullRequest": _plain(
        "id=node_id",
        "databaseId=id",
        "number",
        "title",
        "body",
        "state",
        "isDraft",
        "createdAt",
        "updatedAt",
        "mergedAt",
        "closedAt",
        "additions",
        "deletions",
        "changedFiles",
        "isCrossRepository",
        "headRefName=head_ref",
        "headRefOid=head_sha",
        "baseRefName=base_ref",
        "baseRepository=repository",
        "repository",
        "mergeCommit",
        "author",
        "mergedBy",
    )
    | {
        "fullDatabaseId": lambda source, info: str(source.id),  # BigInt is a text in JSON (SOURCES §0, row 6)
        "closed": lambda source, info: source.state != "OPEN",
        "merged": lambda source, info: source.state == "MERGED",
        "baseRefOid": lambda source, info: source.commits[0].parents[0],
        "headRepository": lambda source, info: source.repository if source.has_head_repository else None,
        "labels": listed("labels", lambda source: source.labels),
        "reviews": resolvers.reviews,
        "commits": listed("commits", lambda source: [(source, each) for each in source.commits]),
        "timelineItems": resolvers.timeline,
        "reviewRequests": listed("reviewRequests", lambda source: [(source, each) for each in source.requested]),
    },
    "PullRequestReview": _rows(
        "databaseId=number",
        "state",
        "submittedAt",
        "createdAt=updated_at",
        "updatedAt",
        "author",
        "body",
    )
    | {
        "id": lambda source, info: node_id("PRR", source[1].number),
        "fullDatabaseId": lambda source, info: str(source[1].number),
        "comments": lambda source, info, **arguments: part_of("comments", range(source[1].comment_count), arguments),
        "commit": resolvers.reviewed_commit,
        "pullRequest": _pull_of,
    },
    "PullRequestCommit": {
        "id": lambda source, info: node_id("PURC", source[0].id, int(source[1].sha[:16], 16)),
        "commit": lambda source, info: source[1],
        "pullRequest": _pull_of,
    },
    "Commit": _plain(
        "oid=sha",
        "authoredDate=authored_at",
        "committedDate=committed_at",
        "additions",
        "deletions",
        "message",
        "messageHeadline=headline",
    )
    | {
        "id": lambda source, info: node_id("C", int(source.sha[:16], 16)),
        "changedFilesIfAvailable": lambda source, info: 1,
        "messageBody": lambda source, info: source.message.partition("\n")[2].strip("\n"),
        "author": _author,
        "committer": _committer,
        "parents": listed("parents", lambda source: source.parents),
        "history": resolvers.history,
    },
    "GitActor": _items("date", "email", "name", "user"),
    "ReadyForReviewEvent": _EVENT,
    "ConvertToDraftEvent": _EVENT,
    "ReviewRequestedEvent": _EVENT,
    "HeadRefForcePushedEvent": _EVENT,
    "ReviewRequest": {
        "id": lambda source, info: node_id("RRQ", source[0].id, source[1].number),
        "asCodeOwner": lambda source, info: False,
        "databaseId": lambda source, info: source[1].number,
        "pullRequest": _pull_of,
        "requestedReviewer": lambda source, info: source[1],
    },
}
