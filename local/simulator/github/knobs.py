"""What a test can make awkward about the simulated GitHub.

Each knob cites its row of SOURCES, the page about the real APIs of sources. `python -m simulator.github --help` lists
them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def _knob(default: Any, source: str) -> Any:
    return field(default=default, metadata={"source": source})


@dataclass(frozen=True, slots=True)
class Knobs:
    """All of them are off by default, when the simulator is GitHub at its documented limits.

    Ordinals count the requests from 1, those of REST and GraphQL together. Repositories are named without their owner.
    `oddities.py` applies the knobs about data to each repository when the company is served: the first pull request
    is the one with a ghost, the second that of a bot, and so on in the order below.
    """

    # Data of pull requests: one of each repository.
    ghost_author: bool = _knob(False, "§2.3: author is null when the account is deleted")
    bot_author: bool = _knob(False, "§2.3, §2.9: author is a Bot")
    deleted_fork: bool = _knob(False, "§2.4: head.repo is null when the fork is deleted")
    dismissed_review: bool = _knob(False, "§2.4: state DISMISSED; §2.7: updatedAt stays")
    pending_review: bool = _knob(False, "§2.4: submitted_at is absent (REST) or null")
    long_reviews: int = _knob(0, "§2.3: more reviews than a page, totalCount above the nodes that were read")
    long_commits: int = _knob(0, "§2.3, R7: REST has at most 250 commits of a pull request")
    force_push: bool = _knob(False, "§2.9: a rebase keeps authoredDate and moves committedDate")
    squash_merges: bool = _knob(False, "§2.9: one commit on the default branch, the branch's commits stay listed")

    eventful: bool = _knob(
        False, "§2.9: the other pull requests by turns: pushed by force, drafts, of agents and bots, reverted, and more"
    )

    # Repositories by name.
    archived: tuple[str, ...] = _knob((), "§2.3, R1: isArchived")
    empty: tuple[str, ...] = _knob((), "§2.6: 409 for the commits of an empty repository")
    pulls_disabled: tuple[str, ...] = _knob((), "§2.4: has_pull_requests false, and 404 for the pulls")
    sso_hidden: tuple[str, ...] = _knob((), "§2.5: not listed, with X-GitHub-SSO: partial-results")
    forbidden: tuple[str, ...] = _knob((), "§2.6: listed, and 403 or FORBIDDEN for what a token has no right to")
    collaborations: tuple[str, ...] = _knob(
        (), "schema: listed without ownerAffiliations, and owned by another account"
    )
    renamed: tuple[tuple[str, str], ...] = _knob((), "§2.6: the old name answers 301")

    # What others do while a client reads; between two pages of a repository's pull requests.
    touched_between_pages: int = _knob(0, "§0, row 2: pull requests that get a review")
    opened_between_pages: int = _knob(0, "§2.5: pull requests that are opened")
    pushed_between_pages: int = _knob(0, "§2.3, R3: commits on the default branch between two pages of them")
    renamed_between_pages: tuple[tuple[str, str], ...] = _knob((), "§2.6: after the first page")
    transferred_between_pages: tuple[tuple[str, str], ...] = _knob((), "§2.6: to another owner, after the first page")
    replaced_between_pages: tuple[str, ...] = _knob((), "§2.6: renamed, and another repository takes the name")
    deleted_after_listing: tuple[str, ...] = _knob((), "§2.6: 404 between listing and read")
    vanishing_pulls: int = _knob(0, "§2.5: totalCount drops when those of a spam account vanish after the first page")

    # Answers.
    bad_gateways: Sequence[int] = _knob((), "§2.6: these requests answer 502 and cost points")
    too_heavy_above_nodes: int | None = _knob(None, "§0, row 7: 502 above so many nodes, points are deducted")
    partial_at: Sequence[int] = _knob((), "§0, row 7: these GraphQL requests have part of the data and errors")
    partial_above_nodes: int | None = _knob(None, "§0, row 7: resource limits above so many nodes")
    rate_limited_at: Sequence[int] = _knob((), "§2.6: these GraphQL requests answer RATE_LIMITED at 200")
    secondary_at: Sequence[int] = _knob((), "§2.6: these answer 403 with retry-after")
    secondary_at_200: Sequence[int] = _knob((), "§2.6: these GraphQL requests have its text in an error at 200")
    secondary_without_headers_at: Sequence[int] = _knob(
        (), "§2.6: these answer 403 without a header, by their text only"
    )
    is_installation_selected: bool = _knob(
        False, "§2.2: repository_selection selected: there are repositories not seen"
    )
    limit_status: int = _knob(403, "§2.6: 403 or 429")
    is_limit_spelt_short: bool = _knob(False, "§2.6: RATE_LIMIT instead of RATE_LIMITED")
    token_expires_at: int | None = _knob(None, "§2.2: the token of before this request answers 401 from it on")
    is_version_gone: bool = _knob(False, "§2.6: 410 for the API version")
    is_version_ending: bool = _knob(False, "§0, row 5: Deprecation and Sunset headers")

    # The server.
    has_limits: bool = _knob(True, "§2.1: off by default on an own server; rateLimit is null, /rate_limit is 404")
    shows_limits_of_zero: bool = _knob(False, "§2.1: 0 of 0 points on an own server without limits")
    has_graphql: bool = _knob(True, "§2.3, R7: a server without GraphQL")
    lacks: tuple[str, ...] = _knob((), "§2.1: fields that an older own server lacks, such as PullRequest.isDraft")
    is_own_server: bool = _knob(False, "§2.1: REST below /api/v3, GraphQL at /api/graphql")
    budget: int = _knob(5000, "§2.2: points an hour, for REST and GraphQL each")
    response_s: float = _knob(0.0, "§2.8: seconds of the clock that an answer takes")
    node_s: float = _knob(0.0, "§2.8: seconds that each node adds; 502 above 10 s (§0, row 7)")
    seed: int = 0
