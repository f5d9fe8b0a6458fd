"""The commands that the doctor prints for its findings, ready to paste."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from millrace.prices import RateCard, key_of, premium
from millrace.status import suggestions
from millrace.status.remedies import Location
from millrace.status.suggestions import UNKNOWN
from millrace.status.typed_prices import RATES, option
from millrace.terminal import printable

_CHOSEN = ("auto", "default")


@dataclass(frozen=True, slots=True)
class Line:
    """A command, and the reason for what it suggests; a `…` in it is what only a person knows."""

    verb: tuple[str, str]
    names: tuple[str, ...]
    options: tuple[str, ...] = ()
    why: str = ""

    def command(self, place: Location) -> str:
        """Return the command for a place, quoted for a shell."""
        options = list(self.options)
        if place.kind == "laptop" and place.data_dir is not None:
            options += ["--data-dir", str(place.data_dir)]
        is_like_option = any(name.startswith("-") for name in self.names)
        words = [*options, "--", *self.names] if is_like_option else [*self.names, *options]
        return " ".join(word if word == UNKNOWN else shlex.quote(word) for word in ("millrace", *self.verb, *words))

    def text(self, place: Location) -> str:
        """Return the line to paste."""
        return f"{self.command(place)}{f'   # {self.why}' if self.why else ''}"


def of_project(project: str, repositories: Sequence[str], claims: Sequence[str]) -> Line | None:
    """Return the line for a project of no repository; None where its name cannot be typed."""
    if len(claims) > 1:
        return _map("project", project, UNKNOWN, f"rows with {' and '.join(claims)} match it; name the one")
    found = suggestions.repository_of(project, repositories)
    if found is not None:
        return _map("project", project, found.value, found.why)
    return _map("project", project, UNKNOWN, "OWNER/NAME; no single repository has that name")


def of_user(user: str, developers: Mapping[str, Sequence[str]]) -> Line | None:
    """Return the line for a user who is no known developer; None where the name cannot be typed."""
    found = suggestions.developer_of(user, developers)
    if found is not None:
        return _map("user", user, found.value, found.why)
    return _map("user", user, UNKNOWN, "the author of pull requests that this is")


def of_price(
    card: RateCard,
    model: str | None,
    speed: str,
    region: str | None,
    context: int | None,
    gap: str | None,
    used: Sequence[str],
    first_day: object,
) -> Line | None:
    """Return the line that adds what a key lacks; None where no price helps: no model, or no tokens, in the log."""
    if not model or printable(model) != model or gap in ("no_model", "no_tokens"):
        return None
    known = card.model(model)
    if gap is None and known is not None:  # marts of an earlier version do not say what is missing
        return None
    name = known.name if known else model
    speed = known.speed or speed if known else speed
    region = premium(region)
    over = str(context or 0) if gap in ("context", "rate") else "0"
    held = _held(card, name, speed, region, over) if gap == "rate" else {}
    options = [word for kind in RATES for word in _rate(kind, held.get(f"{kind}_usd", ""), kind in used)]
    options += ["--speed", speed] if speed != "standard" else []
    options += ["--region", region] if region else []
    options += ["--context-over", over] if over != "0" else []
    options += ["--from", str(first_day)] if gap == "day" else []
    why = "the agent chose the model, so one price is a guess" if model.lower() in _CHOSEN else ""
    return Line(("prices", "add"), (name,), tuple(options), why)


def _held(card: RateCard, name: str, speed: str, region: str, over: str) -> Mapping[str, str]:
    """Return the newest price with a key, in whose place the new one will be."""
    key = (name, speed, region, over)
    fitting = [row for _, row in card.rows(name) if key_of(row)[:4] == key]
    return max(fitting, key=lambda row: row["valid_from"], default={})


def _rate(kind: str, held: str, is_used: bool) -> list[str]:
    if held:
        return [option(kind), format(Decimal(held).normalize(), "f")]
    return [option(kind), UNKNOWN] if is_used or kind in ("input", "output") else []


def _map(noun: str, key: str, value: str, why: str) -> Line | None:
    return Line(("map", noun), (key, value), why=why) if printable(key) == key else None
