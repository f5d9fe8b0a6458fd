"""Which pull requests of a repository were taken back, and how that is known."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from simulator.github.model import PullRequest, Repository
from simulator.truth.github.instants import happened

_BRANCH = re.compile(r"revert-(\d+)-")
_TITLE = re.compile(r'Revert "(.*)"', re.DOTALL)
_BODY = re.compile(r"\bReverts ([\w.-]+/[\w.-]+)#(\d+)\b")
_HEADLINE = re.compile(r'Revert ".*\(#(\d+)\)"')


def reverted(repository: Repository, names: Sequence[str], until: str) -> dict[int, str]:
    """Return by number how each reverted pull request is known: by head_branch, else title, else body, else headline.

    `names` are the full names that the repository has had. Only what was merged by the instant `until` reverts.
    """
    merged = [each for each in repository.pulls if (at := happened(each.merged_at)) and at <= until]
    titles: dict[str, list[PullRequest]] = defaultdict(list)
    for each in merged:
        titles[each.title].append(each)

    def by_branch() -> Iterator[int]:
        for pull in merged:
            if found := _BRANCH.match(pull.head_ref):
                yield int(found[1])

    def by_title() -> Iterator[int]:
        for pull in merged:
            if found := _TITLE.fullmatch(pull.title):
                opened_at = happened(pull.created_at) or ""
                earlier = [each for each in titles[found[1]] if each.merged_at and each.merged_at <= opened_at]
                if len(earlier) == 1:
                    yield earlier[0].number

    def by_body() -> Iterator[int]:
        known = {name.lower() for name in names}
        for pull in merged:
            yield from (int(number) for name, number in _BODY.findall(pull.body) if name.lower() in known)

    def by_headline() -> Iterator[int]:
        for commit in repository.history:
            if commit.committed_at <= until and (found := _HEADLINE.match(commit.headline)):
                yield int(found[1])

    ways: dict[str, Callable[[], Iterator[int]]] = {
        "head_branch": by_branch,
        "title": by_title,
        "body": by_body,
        "headline": by_headline,
    }
    how: dict[int, str] = {}
    for name, numbers in ways.items():
        for number in numbers():
            how.setdefault(number, name)
    return how
