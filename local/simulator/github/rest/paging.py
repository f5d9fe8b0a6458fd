"""Pages of REST by their numbers, with the Link header."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from simulator.answers import SimulatedResponse
from simulator.github.times import instant, seconds
from simulator.github.wire import Refusal, json_answer

MOST_ROWS = 100
_DEFAULT_ROWS = 30


class Parameters:
    """The query of a request: unknown names are ignored, as GitHub does."""

    def __init__(self, query: str) -> None:
        self._values = dict(parse_qsl(query, keep_blank_values=True))

    def text(self, name: str) -> str | None:
        """Return a parameter, or None."""
        return self._values.get(name) or None

    def choice(self, name: str, default: str, *allowed: str) -> str:
        """Return one of the allowed values; raises Refusal (422) for another."""
        value = self._values.get(name) or default
        if value not in (default, *allowed):
            raise Refusal(422, "Validation Failed", errors=[f"{name} must be one of {', '.join((default, *allowed))}"])
        return value

    def instant(self, name: str) -> str | None:
        """Return an instant of whole seconds with `Z`, or None; raises Refusal (422) for another text."""
        text = self.text(name)
        try:
            return instant(seconds(text)) if text else None
        except ValueError:
            message = f"expected {name} as YYYY-MM-DDTHH:MM:SSZ, got {text}"
            raise Refusal(422, "Validation Failed", errors=[message]) from None

    def number(self, name: str, default: int) -> int:
        """Return a positive number, or the default for anything else."""
        text = self._values.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and 0 < int(text) < 10**9 else default

    def page_of(
        self,
        url: str,
        rows: Sequence[Any],
        shape: Callable[[Any], Any],
        wrap: Callable[[list[Any]], Any] = list,
        headers: Mapping[str, str] | None = None,
    ) -> SimulatedResponse:
        """Return the page of the rows that is asked for; `per_page` above 100 is 100 (SOURCES §2.5)."""
        size = min(self.number("per_page", _DEFAULT_ROWS), MOST_ROWS)
        number = self.number("page", 1)
        last = max(1, -(-len(rows) // size))
        part = [shape(row) for row in rows[(number - 1) * size : number * size]]
        links = {"prev": number - 1 if number > 1 else None, "next": number + 1 if number < last else None}
        links |= {"last": last if number < last else None, "first": 1 if number > 1 else None}
        written = [f'<{self._url(url, page)}>; rel="{name}"' for name, page in links.items() if page is not None]
        link = {"Link": ", ".join(written)} if written else {}
        return json_answer(wrap(part), headers={**link, **(headers or {})})

    def _url(self, url: str, page: int) -> str:
        return f"{url}?{urlencode(self._values | {'page': page})}"
