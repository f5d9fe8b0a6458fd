"""Ways to list that answer from what a test wrote down, for what no server can be brought to do at will."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.extract.github import shapes

from millrace.extract.graphql import PageSize
from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.listing import Numbers, Order, Page
from millrace.extract.sources.github.long_lists import PullRequest

REPO_ID = 7


def pull(number: int, **other: Any) -> PullRequest:
    """Return a pull request of this number."""
    node = shapes.pull_request(number, fullDatabaseId=str(10_000 + number), **other)
    return PullRequest(Fields(node, "node"), is_final=True)


class Written:
    """Pages of numbers as they were written down, each with its total; then lists of numbers, and what they lead to."""

    plan = "written"
    largest = 50
    remark: str | None = None

    def __init__(
        self,
        pages: Sequence[tuple[Sequence[int], int]],
        numbers: Sequence[tuple[Sequence[int], int]] = (),
        pulls: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> None:
        self._pages = list(pages)
        self._numbers = list(numbers)
        self._pulls = pulls or {}
        self.chosen_numbers: list[str] = []

    def page(self, name: str, order: Order, after: str | None, size: PageSize) -> Page:
        """Return the next page."""
        at = int(after or 0)
        numbers, total = self._pages[at]
        next_page = str(at + 1) if at + 1 < len(self._pages) else None
        pulls = [pull(number, **self._pulls.get(number, {})) for number in numbers]
        return Page(REPO_ID, name, total, pulls[0].node.instant("updatedAt") if pulls else None, next_page, pulls)

    def numbers(self, name: str, after: str | None) -> Numbers:
        """Return the next list of numbers, which is whole."""
        numbers, total = self._numbers.pop(0)
        return Numbers(REPO_ID, total, None, {number: str(number) for number in numbers})

    def chosen(self, name: str, ids: list[str]) -> list[PullRequest]:
        """Return the pull requests of these numbers, except those that were written down as None."""
        self.chosen_numbers += ids
        return [pull(int(each)) for each in ids if self._pulls.get(int(each), {}) is not None]

    def is_unchanged(self, name: str, etag: str) -> bool:
        """Return that it is not known."""
        return False
