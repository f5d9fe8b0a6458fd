"""The endpoints of the sources: one extract function each.

A task reads one endpoint, or of an endpoint `per_repository` one repository. Its name is that of the endpoint, then
two underscores and the id of the repository, as in `github_pull_requests__1296269`.
"""

from dataclasses import dataclass

from millrace.sources import Source


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a source, and the raw tables that its tasks write, its own one first.

    Its tasks start when that of `parent` is complete (None: when a run starts): by themselves, or with
    `per_repository` one for each repository that the parent's record names. `objects` are what it delivers, by the
    names that the setting MILLRACE_OBJECTS may have; those of children are those of their parent.
    """

    name: str
    source: Source
    feeds: tuple[str, ...]
    parent: str | None = None
    per_repository: bool = False
    objects: str = "pull_requests"


_ALL = (
    Endpoint("repos", "cursor-sim", ("repos",)),
    Endpoint("commits", "cursor-sim", ("commits",), objects="commits"),
    Endpoint("pull_requests", "cursor-sim", ("pull_requests",), parent="repos"),
    Endpoint("reviews", "cursor-sim", ("reviews",), parent="pull_requests"),
    Endpoint("github_repos", "github", ("github_repos", "source_windows")),
    Endpoint(
        "github_pull_requests",
        "github",
        (
            "github_pull_requests",
            "github_reviews",
            "github_commits",
            "github_pull_request_commits",
            "github_pull_request_events",
            "identities",
            "source_windows",
        ),
        parent="github_repos",
        per_repository=True,
    ),
    Endpoint(
        "github_commits",
        "github",
        ("github_commits", "identities", "source_windows"),
        parent="github_repos",
        per_repository=True,
    ),
)
ENDPOINTS: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in _ALL}


def endpoints_of(source: Source) -> list[Endpoint]:
    """Return the endpoints of a source, each after its parent."""
    return [each for each in ENDPOINTS.values() if each.source == source]


def children_of(name: str | None, source: Source = "cursor-sim") -> list[Endpoint]:
    """Return the endpoints of a source that start after `name` (None: when a run starts)."""
    return [each for each in endpoints_of(source) if each.parent == name]


def endpoint_of(task_id: str) -> Endpoint:
    """Return the endpoint of a task; KeyError when there is none."""
    return ENDPOINTS[task_id.partition("__")[0]]
