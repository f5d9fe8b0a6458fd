"""One pass over one list of the source, page by page; each response is checked against its contract."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from urllib.parse import quote

from millrace.arrow import parse_instant
from millrace.errors import UnexpectedResponse
from millrace.extract.completeness import NewPass, Page, Position, Row
from millrace.extract.http_client import SourceClient
from millrace.tables import ChildListing, PageNumberListing

Parameters = Mapping[str, str | int]
BEGINNING = date(2005, 1, 1)  # no date of a git host is older than git
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


def array_passes(client: SourceClient, listing: ChildListing, path: str, expected: int | None) -> NewPass:
    """Return a function that starts a pass over a paged raw array: by the server's links, else by page number.

    `expected` may be too small by now; the total of a page is never less than the rows that the pass has yielded.
    """

    def new_pass(position: Position | None) -> Iterator[Page]:
        start = position or {"page": 1, "given": 0, "link": None, "before": None, "followed": []}
        number, given, link, before = start["page"], start["given"], start["link"], start["before"]
        followed = set(start["followed"])
        while True:
            answer = client.get(path, _array_page(listing, number)) if link is None else client.get(link)
            rows = array(path, answer.body)
            digest = hashlib.sha256(repr(rows).encode("utf-8", "surrogatepass")).hexdigest()
            if digest == before:  # the server does not page
                return
            given, before, link = given + len(rows), digest, answer.next_path
            if link is not None:
                if link in followed:
                    raise UnexpectedResponse(f"{path}: the links from page to page lead in a circle")
                followed.add(link)
            else:
                number += 1
            is_full = expected is not None and given >= expected and len(rows) < _ARRAY_PAGE_SIZE
            is_last = link is None and (not rows or is_full)
            after = {"page": number, "given": given, "link": link, "before": before, "followed": sorted(followed)}
            yield Page(rows, None if expected is None else max(expected, given), None if is_last else after)
            if is_last:
                return

    return new_pass


def _array_page(listing: ChildListing, number: int) -> dict[str, str | int]:
    return dict(listing.parameters) | {"page": number, "per_page": _ARRAY_PAGE_SIZE}


def array(path: str, body: object) -> list[Row]:
    """Return a body as rows; UnexpectedResponse unless it is an array of objects."""
    if not isinstance(body, list):
        raise UnexpectedResponse(f"{path}: expected an array, got {_kind(body)}")
    return _rows(path, body)


def from_day(listing: PageNumberListing, day: date | None) -> dict[str, str | int]:
    """Return the parameter that leaves out rows older than `day` (None: no row may be left out)."""
    if listing.since is None or (day is None and not listing.is_narrow):
        return {}
    return {listing.since: str(day or BEGINNING)}


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
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnexpectedResponse(f"{path}: expected a list of objects, got {_kind(rows)}")
    return rows


def _kind(body: object) -> str:
    if isinstance(body, dict):
        return f"an object with {', '.join(sorted(map(str, body))[:5]) or 'nothing in it'}"
    return f"a {type(body).__name__}"
