"""Suggestions for the doctor: which repository a project may be, which developer a user may be, and near matches.

A suggestion is never applied by itself: a person pastes the line that has it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

UNKNOWN = "…"
"""What a suggested line has in place of a value that only a person knows; no command accepts it."""

_PREFIX = re.compile(
    r"(github-com|gitlab-com|bitbucket-org|src|source|sources|code|coding|dev|devel|develop|development|git|github|gitlab"
    r"|bitbucket|repo|repos|repositories|project|projects|work|workspace|workspaces|documents|desktop|go)-"
)
_NOT_IN_PROJECTS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A value for a map, and why it is suggested."""

    value: str
    why: str


def repository_of(project: str, repositories: Iterable[str]) -> Suggestion | None:
    """Return the repository that a project has the name of, also after the usual names of folders; None if two may be.

    A project is a folder below the home with dashes, so it is compared with the dashed names of the repositories.
    """
    names = set(_without_folders(_dashed(project)))
    known = sorted(set(repositories))
    whole = [name for name in known if _dashed(name) in names]
    if len(whole) == 1:
        return Suggestion(whole[0], "the only repository with that name")
    last = [name for name in known if _dashed(name.rpartition("/")[2]) in names]
    return Suggestion(last[0], "the only repository with that last name") if len(last) == 1 and not whole else None


def developer_of(user: str, addresses: Mapping[str, Iterable[str]]) -> Suggestion | None:
    """Return the developer whose name, or the part of whose address before the @, is that of a user; None if two are.

    `addresses` has the e-mail addresses by developer.
    """
    by_name: defaultdict[str, set[str]] = defaultdict(set)
    for developer, known in addresses.items():
        for name in (developer, *known):
            by_name[_local(name)].add(developer)
    found = by_name.get(_local(user), set())
    return Suggestion(next(iter(found)), "the only developer with that name") if len(found) == 1 else None


def near(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that resemble a name, in any letter case, or end as it does."""
    by_lower = {each.lower(): each for each in known}
    ends = [each for lower, each in sorted(by_lower.items()) if lower.endswith(f"/{name.lower()}")]
    close = [by_lower[each] for each in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.7)]
    return list(dict.fromkeys([*ends, *close]))[:3]


def pattern(text: str) -> re.Pattern[str]:
    """Return what a project of a map matches: `*` stands for any text, and letter case does not matter."""
    return re.compile(".*".join(map(re.escape, text.lower().split("*"))), re.DOTALL)


def matching(text: str, projects: Iterable[str]) -> list[str]:
    """Return the projects that match the project of a map."""
    wanted = pattern(text)
    return [project for project in projects if wanted.fullmatch(project.lower())]


def _without_folders(name: str) -> Iterator[str]:
    """Yield a name, and what is left of it without each of the usual folders at its beginning."""
    yield name
    while found := _PREFIX.match(name):
        name = name[found.end() :]
        yield name


def _dashed(name: str) -> str:
    return _NOT_IN_PROJECTS.sub("-", name.lower()).strip("-")


def _local(address: str) -> str:
    return address.lower().partition("@")[0]
