"""The GraphQL queries, as GitHub's published schema has them.

The tests validate each of them against the full schema. A server of an older version lacks some fields; `Offered` says
which, and they are then left out, or asked for by their earlier name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.rows import Texts

LISTS = ("labels", "reviewRequests", "reviews", "commits", "timelineItems")
"""The lists of a pull request. Each is shown complete by its `totalCount`."""
MOST_IN_A_REQUEST = 20  # lists that one request continues

_TYPES = ("Repository", "PullRequest", "PullRequestReview", "Commit")
_NEEDED = {
    "Repository": {"databaseId", "nameWithOwner", "pullRequests"},
    "PullRequest": {"number", "updatedAt", *LISTS},
    "PullRequestReview": {"state", "submittedAt"},
    "Commit": {"oid", "history", "message"},
}
_LIMIT = "rateLimit{cost limit remaining resetAt}"
_ACTOR = "{__typename login}"
_COMMIT = (
    "oid authoredDate committedDate additions deletions messageHeadline message parents{totalCount} "
    "author{name email user{login}}"
)
_TEAM = " ... on Team{slug}"
_EVENTS = "[READY_FOR_REVIEW_EVENT,CONVERT_TO_DRAFT_EVENT,REVIEW_REQUESTED_EVENT,HEAD_REF_FORCE_PUSHED_EVENT]"
_EVENT = (
    "__typename "
    "... on ReadyForReviewEvent{id createdAt actor{login}} "
    "... on ConvertToDraftEvent{id createdAt actor{login}} "
    "... on ReviewRequestedEvent{id createdAt actor{login} requestedReviewer{__typename "
    "... on User{login} ... on Bot{login} ... on Mannequin{login} ... on Team{slug}}} "
    "... on HeadRefForcePushedEvent{id createdAt actor{login} beforeCommit{%s} afterCommit{oid}}"
)
_REQUEST = (
    "id requestedReviewer{__typename ... on User{login} ... on Bot{login} ... on Mannequin{login} ... on Team{slug}}"
)

OFFERED = "query Offered{" + " ".join(f'{name}:__type(name:"{name}"){{fields{{name}}}}' for name in _TYPES) + "}"
"""Asks which fields the server has; its answer makes an `Offered`."""

VIEWER = "query Viewer{viewer{login} " + _LIMIT + "}"
"""Asks whose token it is, and what is left of the budget."""


@dataclass(frozen=True)
class Offered:
    """The fields of the types that the queries use, as the server has them (empty: as published)."""

    fields: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "Offered":
        """Read the answer to `OFFERED`; a type that the server lacks has no fields. BadAnswer for no schema."""
        found, schema = {}, Fields(answer, "schema")
        for name in _TYPES:
            listed = schema.child(name)
            has_fields = listed is not None and listed.values.get("fields") is not None
            shown = listed.each("fields") if listed is not None and has_fields else []
            found[name] = frozenset(each.need("name", str) for each in shown if each is not None)
        return cls(found)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The fields without which nothing can be read, as `Type.field`."""
        if not self.fields:
            return ()
        return tuple(f"{kind}.{name}" for kind, names in _NEEDED.items() for name in sorted(names - self.fields[kind]))

    def has(self, kind: str, name: str) -> bool:
        """Return whether a type has a field."""
        return not self.fields or name in self.fields[kind]

    def only(self, kind: str, names: Iterable[str]) -> str:
        """Return those of the fields that the type has; a name is followed by its own fields."""
        return " ".join(name for name in names if self.has(kind, name.partition("{")[0].partition("(")[0]))

    def number(self, kind: str) -> str:
        """Return the selection of a 64-bit number, by its earlier name where the server has no other."""
        return "fullDatabaseId" if self.has(kind, "fullDatabaseId") else "fullDatabaseId:databaseId"


@dataclass(frozen=True)
class Queries:
    """The queries for one server. Titles (and first lines of commits) and bodies are only asked for if wanted.

    Without `has_teams` the names of teams are left out: a classic token needs `read:org` for them. Without
    `beyond_metadata` the list of repositories leaves out the numbers of pull requests and the default branches: they
    need more rights than Metadata, and one repository may be closed to the token.
    """

    offered: Offered = Offered({})
    has_teams: bool = True
    beyond_metadata: bool = True
    texts: Texts = field(default_factory=Texts)

    @cached_property
    def repositories(self) -> str:
        """Repositories of an organisation or a user, with the totals that the pull requests are checked against."""
        fields = self.offered.only(
            "Repository",
            [
                *("isArchived", "isDisabled", "isLocked", "isEmpty", "isFork", "isPrivate"),
                *("createdAt", "updatedAt", "pushedAt", "primaryLanguage{name}"),
                *(["defaultBranchRef{name}"] if self.beyond_metadata else []),
            ],
        )
        counts = "pullRequests{totalCount} open:pullRequests(states:[OPEN]){totalCount}" if self.beyond_metadata else ""
        # Without ownerAffiliations a user's list has the repositories of others in which the user works.
        return (
            f"query Repositories($login:String!,$first:Int!,$after:String){{ {_LIMIT} repositoryOwner(login:$login){{ "
            "__typename login repositories(first:$first,after:$after,ownerAffiliations:[OWNER],"
            "orderBy:{field:NAME,direction:ASC}){ totalCount pageInfo{hasNextPage endCursor} nodes{ "
            f"id databaseId nameWithOwner {fields} {counts} }}}}}}}}"
        )

    @cached_property
    def pull_requests(self) -> str:
        """One page of a repository's pull requests; on the first one `newest` is the last change to any of them."""
        return (
            "query PullRequests($owner:String!,$name:String!,$first:Int!,$after:String,$field:IssueOrderField!,"
            f"$direction:OrderDirection!,$isFirst:Boolean!){{ {_LIMIT} repository(owner:$owner,name:$name){{ "
            "databaseId nameWithOwner newest:pullRequests(first:1,orderBy:{field:UPDATED_AT,direction:DESC})"
            "@include(if:$isFirst){nodes{updatedAt}} "
            "pullRequests(first:$first,after:$after,orderBy:{field:$field,direction:$direction}){ totalCount "
            f"pageInfo{{hasNextPage endCursor}} nodes{{ {self._pull_request} }}}}}}}}"
        )

    @cached_property
    def numbers(self) -> str:
        """The numbers of a repository's pull requests, for the comparison with those that were read.

        With so few fields a pull request is named that the server cannot show in full.
        """
        return (
            "query Numbers($owner:String!,$name:String!,$first:Int!,$after:String,$field:IssueOrderField!,"
            f"$direction:OrderDirection!){{ {_LIMIT} repository(owner:$owner,name:$name){{ databaseId nameWithOwner "
            "pullRequests(first:$first,after:$after,orderBy:{field:$field,direction:$direction}){ totalCount "
            "pageInfo{hasNextPage endCursor} nodes{id number updatedAt} }}}"
        )

    @cached_property
    def chosen(self) -> str:
        """Pull requests by their node ids."""
        return (
            f"query Chosen($ids:[ID!]!){{ {_LIMIT} nodes(ids:$ids){{ ... on PullRequest{{ {self._pull_request} }}}}}}"
        )

    def rest_of(self, lists: Sequence[str]) -> str:
        """Return the query of further pages of lists; list i belongs to the node `$id<i>`, and begins at `$after<i>`.

        The answer has them as `list<i>`.
        """
        variables = "".join(f",$id{i}:ID!,$after{i}:String" for i in range(len(lists)))
        asked = " ".join(
            f"list{i}:nodes(ids:[$id{i}]){{... on PullRequest{{{self._list(name, '$first', f'$after{i}')}}}}}"
            for i, name in enumerate(lists)
        )
        return f"query Rest($first:Int!{variables}){{ {_LIMIT} {asked} }}"

    @cached_property
    def default_branch(self) -> str:
        """The head of the default branch, with the number of its commits, and of those since `$since`.

        `then` are the same numbers at the head of the last reading.
        """
        counts = "all:history{totalCount} since:history(since:$since){totalCount}"
        return (
            "query DefaultBranch($owner:String!,$name:String!,$since:GitTimestamp,$then:GitObjectID,"
            "$isLater:Boolean!){ "
            f"{_LIMIT} repository(owner:$owner,name:$name){{ databaseId nameWithOwner "
            f"defaultBranchRef{{name target{{oid ... on Commit{{{counts}}}}}}} "
            f"then:object(oid:$then)@include(if:$isLater){{... on Commit{{{counts}}}}} }}}}"
        )

    @cached_property
    def history(self) -> str:
        """One page of the commits that a head reaches. All pages of a reading have the same head."""
        return self._history(self._commit)

    @cached_property
    def history_of_names(self) -> str:
        """The same with the names of the commits only, to name one that the server cannot show in full."""
        return self._history("oid")

    def _history(self, fields: str) -> str:
        return (
            "query History($owner:String!,$name:String!,$head:GitObjectID!,$first:Int!,$after:String,"
            f"$since:GitTimestamp){{ {_LIMIT} repository(owner:$owner,name:$name){{ databaseId nameWithOwner "
            "object(oid:$head){... on Commit{history(first:$first,after:$after,since:$since){ totalCount "
            f"pageInfo{{hasNextPage endCursor}} nodes{{ {fields} }}}}}}}}}}}}"
        )

    @property
    def _commit(self) -> str:
        return _COMMIT if self.texts.titles else _COMMIT.replace("messageHeadline ", "")

    @cached_property
    def _pull_request(self) -> str:
        fields = self.offered.only(
            "PullRequest",
            [
                *(["title"] if self.texts.titles else []),
                *(["body"] if self.texts.bodies else []),
                *("isDraft", "additions", "deletions", "changedFiles", "isCrossRepository", "headRefOid"),
                "mergeCommit{oid}",
                f"mergedBy{_ACTOR}",
            ],
        )
        lists = " ".join(
            self._list(name, first)
            for name, first in zip(LISTS, (20, 10, 30, 30, 20), strict=True)  # more are asked for by node id
        )
        return (
            f"id {self.offered.number('PullRequest')} number state createdAt updatedAt mergedAt closedAt headRefName "
            f"baseRefName {fields} author{{__typename login ... on User{{databaseId}} ... on Bot{{databaseId}}}} "
            f"{lists}"
        )

    def _list(self, name: str, first: int | str, after: str | None = None) -> str:
        given = f"first:{first}" + (f",after:{after}" if after else "")
        given += f",itemTypes:{_EVENTS}" if name == "timelineItems" else ""
        return f"{name}({given}){{totalCount pageInfo{{hasNextPage endCursor}} nodes{{{self._node(name)}}}}}"

    def _node(self, name: str) -> str:
        node = self._whole_node(name)
        return node if self.has_teams else node.replace(_TEAM, "")

    def _whole_node(self, name: str) -> str:
        match name:
            case "labels":
                return "name"
            case "reviewRequests":
                return _REQUEST
            case "reviews":
                number = self.offered.number("PullRequestReview")
                return f"id {number} state submittedAt updatedAt author{_ACTOR} comments{{totalCount}} commit{{oid}}"
            case "commits":
                return f"commit{{{self._commit}}}"
            case _:
                return _EVENT % self._commit
