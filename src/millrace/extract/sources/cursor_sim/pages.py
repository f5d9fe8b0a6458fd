"""One pass over one list of the source, page by page; each response is checked against its contract."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from urllib.parse import quote

from millrace.arrow import parse_instant
from millrace.errors import Incomplete, UnexpectedResponse
from millrace.extract.completeness import NewPass, Page, Position, Row
from millrace.extract.http_client import SourceClient
from millrace.tables import ChildListing, PageNumberListing

Parameters = Mapping[str, str | int]
BEGINNING, END = date(1970, 1, 1), date.max
"""The days that are asked for: histories from before git were imported, and a clock that is wrong says 1970 or 2106."""
_MORE_PAGES = 2  # than the expected rows need: the list may have grown
_ARRAY_PAGE_SIZE = 100  # the contract's maximum: the server silently reduces a larger one


def passes(
    client: SourceClient, listing: PageNumberListing, parameters: Parameters, first: Page | None = None
) -> NewPass:
    """Return a function that starts a pass over a numbered listing; its first pass may begin with the page `first`."""
    at_hand = [first] if first is not None else []

    def new_pass(position: Position | None) -> Iterator[Page]:
        number, given = (position["page"], position["given"]) if position else (1, 0)
        while True:
            page = at_hand.pop() if at_hand else numbered_page(client, listing, parameters, number)
            number, given = number + 1, given + len(page.rows)
            is_last = not page.rows or given >= (page.total or 0)
            yield Page(page.rows, page.total, None if is_last else {"page": number, "given": given})
            if is_last:
                return

    return new_pass


def numbered_page(client: SourceClient, listing: PageNumberListing, parameters: Parameters, number: int = 1) -> Page:
    """Request one page of a numbered listing; a page size in `parameters` overrides the listing's own."""
    asked = {listing.size_parameter: listing.page_size, "page": number} | dict(parameters)
    body = client.get(listing.path, asked).body
    total = _at(listing, body, listing.total)
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise UnexpectedResponse(f"{listing.path}: {listing.total} is no count")
    return Page(_rows(listing.path, _at(listing, body, listing.rows)), total)


def require_end(
    client: SourceClient,
    listing: PageNumberListing,
    parameters: Parameters,
    total: int,
    number: int,
    unknown_in: Callable[[list[Row]], int] = len,
) -> None:
    """Request the page `number`, which follows the last one; raise Incomplete when it has rows beyond `total`.

    A total may be capped, and then a list that has as many rows is short. `unknown_in` counts the rows of a page that
    were not read. Where the total has grown meanwhile the page is none beyond it: the next run reads its rows.
    """
    page = numbered_page(client, listing, parameters, number)
    more = unknown_in(page.rows) if page.rows and (page.total or 0) <= total else 0
    if more:
        raise Incomplete(
            f"{listing.path}: the source says that it has {total} rows, but page {number}, which is beyond them, has "
            f"{more} more: its total is capped, or its pages repeat rows; ask for less at a time (--since), or for a "
            "true total"
        )


def array_passes(client: SourceClient, listing: ChildListing, path: str, expected: int | None) -> NewPass:
    """Return a function that starts a pass over a paged raw array: by the server's links, else by page number.

    `expected` may be too small by now; the total of a page is never less than the rows that the pass has yielded.
    Without links the first pass ends with a page without rows. UnexpectedResponse where a pass does not end within two
    pages more than the expected rows need.
    """
    ends: list[int] = []  # the numbers of rows after which a page had none

    def new_pass(position: Position | None) -> Iterator[Page]:
        start = position or {"page": 1, "given": 0, "link": None, "before": None, "followed": []}
        number, given, link, before = start["page"], start["given"], start["link"], start["before"]
        followed, size = set(start["followed"]), start.get("size", 1)
        while True:
            answer = client.get(path, _array_page(listing, number)) if link is None else client.get(link)
            rows = array(path, answer.body)
            digest = hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).hexdigest()
            if digest == before:  # the server does not page
                return
            given, before, link, size = given + len(rows), digest, answer.next_path, max(size, len(rows))
            if link in followed:
                raise UnexpectedResponse(f"{path}: the links from page to page lead in a circle")
            if link is not None:
                followed.add(link)
            elif not rows:
                ends.append(given)
            is_last = link is None and (not rows or bool(followed) or _is_end(given, expected, ends, len(rows)))
            if not is_last and expected is not None and number > -(-expected // size) + _MORE_PAGES:
                more = "rows on the last" if link is None else "a link to another one"
                raise UnexpectedResponse(
                    f"{path}: {number} pages, and {more}, where {expected} rows were expected: its pages repeat, or "
                    "many rows are new; run again, and if it stays so the source's count or paging is broken"
                )
            number += 1
            after: dict[str, object] = {"page": number, "given": given, "link": link, "before": before}
            after |= {"followed": sorted(followed), "size": size}
            yield Page(rows, None if expected is None else max(expected, given), None if is_last else after)
            if is_last:
                return

    return new_pass


def _is_end(given: int, expected: int | None, ends: list[int], rows: int) -> bool:
    """Return whether a pass of numbered pages has all rows that an earlier pass had to its end."""
    return bool(ends) and expected is not None and given >= max(expected, ends[-1]) and rows < _ARRAY_PAGE_SIZE


def _array_page(listing: ChildListing, number: int) -> dict[str, str | int]:
    return dict(listing.parameters) | {"page": number, "per_page": _ARRAY_PAGE_SIZE}


def array(path: str, body: object) -> list[Row]:
    """Return a body as rows; UnexpectedResponse unless it is an array of objects, or null, Go's empty one."""
    if body is not None and not isinstance(body, list):
        raise UnexpectedResponse(f"{path}: expected an array, got {_kind(body)}")
    return _rows(path, body)


def from_day(listing: PageNumberListing, day: date | None) -> dict[str, str | int]:
    """Return the parameters that leave out rows older than `day` (None: no row may be left out), and none after it.

    A listing that is narrow ends today unless it is asked for the days to come.
    """
    if listing.since is None or (day is None and not listing.is_narrow):
        return {}
    window: dict[str, str | int] = {listing.since: str(day or BEGINNING)}
    if listing.is_narrow and listing.until is not None:
        window[listing.until] = str(END)
    return window


def filled(path: str, parent: Row) -> str:
    """Put the parent's values into a path; no value can change the path around it."""
    values = {}
    for name in placeholders(path):
        text = str(parent[name])
        if any(part in ("", ".", "..") for part in text.split("/")):
            raise UnexpectedResponse(f"{path}: {text!r} cannot be part of a path")
        values[name] = quote(text, safe="/")
    return path.format(**values)


def placeholders(path: str) -> tuple[str, ...]:
    """Return the names in braces."""
    return tuple(part.partition("}")[0] for part in path.split("{")[1:])


def utc_day(value: object) -> str:
    """Return the UTC day of an RFC 3339 text as YYYY-MM-DD; `unknown` for anything else."""
    if not isinstance(value, str):
        return "unknown"
    try:
        return str(date.fromisoformat(value[:10]) if value.endswith("Z") else parse_instant(value).date())
    except ValueError:
        return "unknown"


def _at(listing: PageNumberListing, body: object, dotted: str) -> object:
    for name in dotted.split("."):
        if not isinstance(body, dict) or name not in body:
            raise UnexpectedResponse(f"{listing.path}: expected an object with {dotted}, got {_kind(body)}")
        body = body[name]
    return body


def _rows(path: str, rows: object) -> list[Row]:
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnexpectedResponse(f"{path}: expected a list of objects, got {_kind(rows)}")
    return rows


def _kind(body: object) -> str:
    if isinstance(body, dict):
        return f"an object with {', '.join(sorted(map(str, body))[:5]) or 'nothing in it'}"
    return f"a {type(body).__name__}"
