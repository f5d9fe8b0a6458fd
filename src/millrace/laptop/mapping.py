"""`millrace map` on a data directory: what is refused, what a row would change, and what it has changed."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Literal

from millrace.errors import ConfigError, Step
from millrace.laptop import typed_rows
from millrace.laptop.data_dir import DataDir
from millrace.status import maps, suggestions
from millrace.status.maps import Amount, Change, MapKind, check_words, total
from millrace.warehouse import Node


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change did: the usage that has the value now, or lost it, and what did not get it."""

    state: Literal["loaded", "built", "failed"]
    got: Amount
    warnings: tuple[str, ...] = ()
    is_disputed: bool = False
    bad_nodes: tuple[Node, ...] = ()


def plan(data_dir: DataDir, kind: MapKind, key: str, value: str | None, *, force: bool) -> Change:
    """Return the change, under the known spelling of the value; ConfigError says what is wrong with it."""
    key, value = check_words(kind, key, value)
    typed_rows.require_built(data_dir)
    query = partial(typed_rows.query, data_dir)
    known, used = list(maps.known(query, kind)), maps.used(query, kind)
    names = [each.name for each in used]
    found = set(kind.matching(key, names))
    matched = tuple(each for each in used if each.name in found)
    if value is None:
        own = {row.key.lower() for row in maps.rows(query, kind) if row.origin == "file"}
        if key.lower() not in own and not force:
            near = _near(key, own)
            raise ConfigError(f"no file maps the {kind.noun} {key!r}{near}", step=Step.SEE_MAPS)
        return Change(kind, key, None, matched=matched)
    warnings = []
    if not matched:
        warnings.append(f"no usage has the {kind.noun} {key!r}{_near(key, names)}; it is mapped when some comes")
    value, warning = _known_value(kind, value, known, force=force)
    return Change(kind, key, value, tuple(warnings + ([warning] if warning else [])), matched)


def apply(data_dir: DataDir, change: Change, *, is_built: bool) -> Effect:
    """Write, load and build a change, and return what it did."""
    applied = typed_rows.apply(data_dir, change.kind.table, [change.row], is_built=is_built)
    if applied.state != "built":
        return Effect(applied.state, total(()), change.warnings, bad_nodes=applied.bad_nodes)
    query, kind = partial(typed_rows.query, data_dir), change.kind
    names = {each.name for each in change.matched}
    now = [each for each in maps.used(query, kind) if each.name in names]
    kept = [each for each in now if each.value not in (None, change.value)]
    disputed = [each for each in now if each.value is None and change.value is not None]
    rows = maps.rows(query, kind) if disputed else []
    warnings = [f"{each.name} keeps the {kind.value_noun} {each.value}: a closer row has it" for each in kept]
    for each in disputed:
        others = " and ".join(maps.claims(kind, rows, each.name))
        warnings.append(f"{each.name} has no {kind.value_noun}: rows with {others} match it")
    got = total(each for each in now if each.value == change.value)
    return Effect("built", got, (*change.warnings, *warnings), bool(disputed))


def _known_value(kind: MapKind, value: str, known: list[str], *, force: bool) -> tuple[str, str | None]:
    """Return a value as it is known, and a warning if it is not; ConfigError for one that cannot be right."""
    by_lower = {each.lower(): each for each in known}
    if value.lower() in by_lower:
        return by_lower[value.lower()], None
    near = _near(value, known)
    if kind is maps.USERS and not force:
        has = f"no pull request has the developer {value!r}" if known else "no pull request is known here"
        raise ConfigError(f"{has}{near}; --force maps to it all the same")
    if kind is maps.PROJECTS and known and all("/" in each for each in known) and not _is_full(value) and not force:
        raise ConfigError(
            f"expected a repository like {known[0]}, got {value!r}{near}; --force maps to it all the same"
        )
    if not known:
        return value, None
    return value, f"no {kind.value_noun} {value!r} is known here{near}; its pull requests may come later"


def _is_full(repository: str) -> bool:
    owner, slash, name = repository.partition("/")
    return bool(owner and slash and name) and "/" not in name and " " not in repository


def _near(name: str, known: Collection[str]) -> str:
    return maps.did_you_mean(suggestions.near(name, known))
