"""What `millrace collect` prints about the logs: what was found in them, and where it looked when nothing was."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millrace.cli import output
from millrace.cli.output import ATTENTION, DONE, say

if TYPE_CHECKING:
    from millrace.collect.checkpoints import CheckpointStore
    from millrace.collect.collector import CollectResult
    from millrace.collect.discovery import UnreadStore
    from millrace.collect.machine import Machine
    from millrace.collect.shipping import UploadResult

_LAST_DAYS = 7
_MOST_NAMED = 10


def nothing_to_read(machine: "Machine", as_json: bool) -> bool:
    """Return whether no agent has a log and nothing was counted before; then print the places that were looked at."""
    roots = machine.roots()
    if any(True for root in roots for _ in root.logs(lambda error: None)):
        return False
    if next(machine.dry_collector().store.current(), None) is not None:
        return False
    from millrace.collect.discovery import places as places_of

    places, unread = places_of(roots), unread_of(machine)
    if as_json:
        looked_at = [asdict(place) | {"path": str(place.path)} for place in places]
        output.say_json({"found": False, "looked_at": looked_at, "not_read": unread_json(unread)})
        return True
    say("no log of a coding agent was found; these places were looked at:")
    for place in places:
        sign, state = ("✓", "no log in it") if place.exists else ("–", "not there")  # noqa: RUF001 no minus
        say(f"  {sign} {place.agent:<8} {_short(place.path, machine.home)} ({state})")
    show_unread(unread)
    say("look: nothing was counted; for logs elsewhere use --home, or set CLAUDE_CONFIG_DIR or CODEX_HOME")
    return True


def _short(path: Path, home: Path) -> str:
    """Return a path with `~` for the home."""
    return f"~/{path.relative_to(home.resolve())}" if path.is_relative_to(home.resolve()) else str(path)


def unread_of(machine: "Machine") -> "list[UnreadStore]":
    """Return the known stores that exist on a machine and are not read."""
    from millrace.collect.discovery import unread
    from millrace.collect.machine import platform

    return unread(machine.home, machine.config.environment, platform())


def show_unread(unread: "list[UnreadStore]") -> None:
    """Print the stores of agents that exist and are not read."""
    for store in unread:
        say(f"not read: {store.agent} has {store.path}: {store.why}")


def unread_json(unread: "list[UnreadStore]") -> list[dict[str, str]]:
    """Return them for JSON."""
    return [{"agent": store.agent, "path": str(store.path), "why": store.why} for store in unread]


def show_news(result: "CollectResult", machine: "Machine") -> None:
    """Print which stores are not read, where something is new, and that usage has no user, where none is known."""
    if result.new:
        show_unread(unread_of(machine))
    if machine.user_id is None:
        say("look: git's settings have no e-mail, so this usage has no user; set MILLRACE_COLLECT_USER to have one")


def show_table(store: "CheckpointStore", typed: Path) -> None:
    """Print what was used on the last days of this machine's time zone, at typed prices too."""
    from millrace.prices import RateCard
    from millrace.report import tables

    for line in tables.daily(store, tables.local_zone(), _LAST_DAYS, RateCard.load(typed)).splitlines():
        say(line)


def to_json(result: "CollectResult", machine: "Machine", store: "CheckpointStore", typed: Path) -> dict[str, Any]:
    """Return a result for JSON, with the numbers of the last days."""
    from millrace.prices import RateCard
    from millrace.report import tables

    days = tables.daily_rows(store, tables.local_zone(), _LAST_DAYS, RateCard.load(typed))
    return counts(result) | {"user": machine.user_id, "not_read": unread_json(unread_of(machine)), "days": days}


def counts(result: "CollectResult") -> dict[str, Any]:
    """Return the counts of a result for JSON."""
    fields = asdict(result)
    fields["skipped"] = {f"{agent} {reason}": n for (agent, reason), n in result.skipped.items()}
    for name in ("bad_files", "gone", "torn", "gone_rules"):
        fields[name] = {str(path): found for path, found in fields[name].items()}
    return fields


def code(result: "CollectResult") -> int:
    """Return the exit code for a result."""
    return ATTENTION if result.bad_files else DONE


def show(result: "CollectResult", done: str) -> int:
    """Print what a run of the collector found, and return the exit code for it."""
    events = f"{result.new:,} new events, {result.changed:,} changed, {result.unchanged:,} reported again"
    say(f"{done} {result.rows:,} rows: {events}; {result.read:,} of {result.looked_at:,} logs, {result.lines:,} lines")
    if result.before_since:
        say(f"{result.before_since:,} events are older, and left for later")
    if result.withdrawn:
        say(f"{result.withdrawn:,} events were withdrawn: by the rules of this version their logs do not make them")
    if result.skipped:
        by_reason = ", ".join(f"{agent} {reason} {n:,}" for (agent, reason), n in sorted(result.skipped.items()))
        say(f"lines without an event: {by_reason}")
    show_bad_files(result)
    return code(result)


def show_bad_files(result: "CollectResult") -> None:
    """Print which logs could not be read, or not to their end."""
    for path, reason in result.bad_files.items():
        say(f"look: {path} cannot be read: {reason}")
    gone, torn, old = result.gone, result.torn, result.gone_rules
    _show_some(gone, "a log is gone, and {n:,} bytes of it were read: {path}", "are gone")
    _show_some(torn, "{path} ends in {n:,} bytes that are no complete line; they count once they are", "end so")
    _show_some(
        old,
        "a log is gone or was rewritten, and its events stay as version {n} of the rules counted them: {path}",
        "are of older rules",
    )


def _show_some(found: Mapping[Path, int], text: str, what: str) -> None:
    for path, n in islice(found.items(), _MOST_NAMED):
        say("look: " + text.format(n=n, path=path))
    if len(found) > _MOST_NAMED:
        say(f"look: {len(found) - _MOST_NAMED:,} more logs {what}; --json names each")


def show_upload(upload: "UploadResult") -> int:
    """Print how many files wait to be sent, and return the exit code for it."""
    if upload.waiting:
        say(f"look: {len(upload.waiting):,} files wait to be sent: {upload.error}; the next time sends them")
    return ATTENTION if upload.waiting else DONE
