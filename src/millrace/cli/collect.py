"""What the command `millrace` does on a developer's machine: read the agents' logs, and send what is new."""

import argparse
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from millrace import wiring
from millrace.collect.collector import Tick
from millrace.collect.discovery import default_state_folder
from millrace.collect.machine import Machine, platform
from millrace.collect.shipping import Shipment, ship
from millrace.collect.watcher import watch
from millrace.config import CollectConfig
from millrace.laptop.data_dir import Place


def say(line: str) -> None:
    """Answer a person."""
    print(line, flush=True)  # noqa: T201 the command's answer


def machine_of(options: argparse.Namespace, state: Path | None) -> Machine | None:
    """Return the machine of a command line; None when it is not to be collected from."""
    config = CollectConfig.from_env()
    if config.is_off:
        say("MILLRACE_COLLECT is off: nothing is read, and nothing is sent")
        return None
    told = Path(config.state) if config.state else None
    default = default_state_folder(options.home, config.environment, platform())
    agents = frozenset(options.agents) - frozenset(options.without)
    return Machine(options.home, config, agents, state or told or default)


def place_of(options: argparse.Namespace) -> Place | None:
    """Give the data directory of a command line; None when it only sends, to a lake."""
    is_collect = options.command == "collect"
    if is_collect and (options.lake or (options.data_dir is None and CollectConfig.from_env().lake)):
        return None
    return Place((options.data_dir or Path("data")).resolve())


def try_out(machine: Machine, options: argparse.Namespace) -> int:
    """Say what would be sent, and write nothing."""
    return tell_tick(machine.dry_collector().collect(since=options.since), "would send")


def send(machine: Machine, options: argparse.Namespace) -> int:
    """Read what is new and add it to the lake, once or as the logs change."""
    lake = wiring.lake_at(str(options.lake or machine.config.lake))
    with machine.collector() as collector:

        def tick(only: set[Path] | None) -> int:
            progress = Progress("read")
            found = collector.collect(only, options.since, progress.bytes)
            progress.end()
            sent = ship(machine.spool, lake, collector.collector_id)
            if options.watch and not (found.rows or found.bad_files or sent.sent or sent.waiting):
                return 0
            return tell_tick(found, "collected") | tell_shipment(sent)

        if not options.watch:
            return tick(None)
        for only in changes(machine):
            tick(only)
    return 0


def changes(machine: Machine, idle_s: float | None = None) -> Iterator[set[Path] | None]:
    """Give which logs changed, as they change (None: perhaps all); an empty set each `idle_s`. Ctrl-C ends it."""
    changes: queue.Queue[set[Path] | None] = queue.Queue()
    stop = threading.Event()

    def listen() -> None:
        for only in watch(machine.roots, stop):
            changes.put(only)

    say(f"watching the logs of {', '.join(sorted(machine.agents))}; Ctrl-C ends it")
    thread = threading.Thread(target=listen, name="watch", daemon=True)
    thread.start()
    try:
        while True:
            try:
                yield changes.get(timeout=idle_s)
            except queue.Empty:
                yield set()
    except KeyboardInterrupt:
        return
    finally:
        stop.set()
        thread.join()


def tell_tick(tick: Tick, done: str) -> int:
    """Say what a tick found; 1 when somebody has to look."""
    events = f"{tick.new:,} new events, {tick.changed:,} changed, {tick.unchanged:,} told again"
    say(f"{done} {tick.rows:,} rows: {events}; {tick.read:,} of {tick.looked_at:,} logs, {tick.lines:,} lines")
    if tick.before_since:
        say(f"{tick.before_since:,} events are older, and left for later")
    if tick.skipped:
        by_reason = ", ".join(f"{agent} {reason} {n:,}" for (agent, reason), n in sorted(tick.skipped.items()))
        say(f"lines without an event: {by_reason}")
    for path, reason in tick.bad_files.items():
        say(f"look: {path} cannot be read: {reason}")
    return 1 if tick.bad_files else 0


def tell_shipment(shipment: Shipment) -> int:
    """Say what waits; 1 when something does."""
    if shipment.waiting:
        say(f"look: {len(shipment.waiting):,} files wait to be sent: {shipment.error}; the next time sends them")
    return 1 if shipment.waiting else 0


class Progress:
    """One line that tells a person how long something will take; nothing where nobody watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._said_at = time.monotonic()
        self._steps = 0
        self._is_shown = False

    def bytes(self, done: int, total: int, path: Path) -> None:
        """Hear how much of all was read."""
        self._show(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def step(self, name: str, total: int) -> None:
        """Hear that one of so many steps was done."""
        self._steps += 1
        self._show(self._steps, total, name)

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")

    def _show(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._said_at < 0.2 or not total:
            return
        self._said_at, self._is_shown = now, True
        left_s = (now - self._started) * (total - done) / max(done, 1)
        sys.stderr.write(f"\r\x1b[K{self._what} {100 * done // total} %, {note}, about {left_s:,.0f} s left")
        sys.stderr.flush()
