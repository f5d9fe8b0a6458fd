"""What the command `millrace` does: collect once or on and on, backfill, and the doctor."""

import argparse
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from millrace import adapters, builds, doctoring
from millrace.building import Node
from millrace.collect import locking
from millrace.collect.collecting import Collector, Tick
from millrace.collect.homes import Platform, Root, default_state_folder, discover
from millrace.collect.identity import Privacy, user_id
from millrace.collect.shipping import Shipment, ship
from millrace.collect.store import Store
from millrace.collect.watching import watch
from millrace.config import CollectConfig
from millrace.errors import ConfigError, MillraceError
from millrace.following import Cycle, Follower
from millrace.lake import Lake
from millrace.place import Place
from millrace.refreshing import MartScripts
from millrace.warehouse.duckdb import DuckDBWarehouse

_PUBLISH_EVERY_S = 2.0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 the command's answer


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine whose logs are read, and where the collector keeps what it knows of them."""

    home: Path
    config: CollectConfig
    agents: frozenset[str]
    state: Path

    @classmethod
    def of(cls, options: argparse.Namespace, state: Path | None) -> "Machine | None":
        """Give the machine of a command line; None when it is not to be collected from."""
        config = CollectConfig.from_env()
        if config.is_off:
            _say("MILLRACE_COLLECT is off: nothing is read, and nothing is sent")
            return None
        told = Path(config.state) if config.state else None
        default = default_state_folder(options.home, config.environment, _platform())
        agents = frozenset(options.agents) - frozenset(options.without)
        return cls(options.home, config, agents, state or told or default)

    @property
    def spool(self) -> Path:
        """Where files wait to be sent."""
        return self.state / "spool"

    def roots(self) -> list[Root]:
        """Give the places where the agents keep logs, also those that do not exist yet."""
        return discover(self.home, self.config.environment, _platform(), self.agents)

    @contextmanager
    def collector(self) -> Iterator[Collector]:
        """Give the collector, and keep others of this state out."""
        with locking.holding(self.state), closing(Store.open(self.state)) as store:
            yield self._collector(store, self.spool)

    def dry_collector(self) -> Collector:
        """Give a collector that writes nothing."""
        return self._collector(Store.copy(self.state), None)

    def _collector(self, store: Store, files: Path | None) -> Collector:
        who = user_id(self.config.user, self.home, self.config.environment)
        return Collector(store, files, self.roots, who, Privacy(self.config.hash_key))


def _platform() -> Platform:
    return "darwin" if sys.platform == "darwin" else "win32" if sys.platform == "win32" else "linux"


@dataclass(frozen=True, slots=True)
class Road:
    """The whole road on this machine."""

    place: Place
    warehouse: DuckDBWarehouse
    collector: Collector
    follower: Follower

    def build(self, anew: bool = False) -> builds.Outcome:
        """Let dbt build and test all that is due; afterwards its scripts can refresh the usage marts."""
        progress = Progress("build")

        def hear(node: Node, total: int) -> None:
            progress.step(node.name, total)

        outcome = builds.run(adapters.builder_of(self.place.build_config(), hear), force=True, anew=anew)
        progress.end()
        if outcome.state != "failed":
            self.follower.scripts = MartScripts.of_last_build(self.place.dbt)
        return outcome

    def publish(self) -> None:
        """Let readers see the usage marts as they are."""
        for build in self.warehouse.last_builds(1):
            self.warehouse.publish(build)


@contextmanager
def road(machine: Machine, place: Place) -> Iterator[Road]:
    """Give the road; while it is used, no run, no build and no other collector uses the data directory."""
    with ExitStack() as stack:
        stack.enter_context(place.alone())
        load = place.load_config()
        warehouse = adapters.duckdb_at(load.warehouse, load.memory)
        stack.callback(warehouse.close)
        warehouse.ensure_tables()
        collector = stack.enter_context(machine.collector())
        follower = Follower(collector, machine.spool, adapters.loader_of(load), warehouse)
        yield Road(place, warehouse, collector, follower)


def collect(options: argparse.Namespace) -> int:
    """Read what is new and add it to the lake; with a data directory, down to the marts."""
    lake = options.lake or (CollectConfig.from_env().lake if options.data_dir is None else None)
    place = None if lake else Place((options.data_dir or Path("data")).resolve())
    machine = Machine.of(options, place.collector if place else None)
    if machine is None:
        return 0
    if options.dry_run:
        return _tell_tick(machine.dry_collector().collect(since=options.since), "would send")
    if lake or place is None:
        return _send(machine, adapters.lake_at(str(lake)), options)
    with road(machine, place) as way:
        return _watch_road(way, machine) if options.watch else _collect_road(way)


def _send(machine: Machine, lake: Lake, options: argparse.Namespace) -> int:
    with machine.collector() as collector:

        def tick(only: set[Path] | None) -> int:
            progress = Progress("read")
            found = collector.collect(only, options.since, progress.bytes)
            progress.end()
            sent = ship(machine.spool, lake, collector.collector_id)
            if only is None and not options.watch:
                return _tell_tick(found, "collected") | _tell_shipment(sent)
            if found.rows or found.bad_files or sent.sent or sent.waiting:
                _tell_tick(found, "collected")
                _tell_shipment(sent)
            return 0

        if not options.watch:
            return tick(None)
        _say(f"watching the logs of {', '.join(sorted(machine.agents))}; Ctrl-C ends it")
        for only in _changes(machine):
            tick(only)
    return 0


def _collect_road(road: Road) -> int:
    progress = Progress("read")
    cycle = road.follower.cycle(hear=progress.bytes)
    progress.end()
    code = _tell_tick(cycle.tick, "collected") | _tell_shipment(cycle.shipment) | _tell_loads(cycle)
    if cycle.inserted + cycle.updated == 0 and road.warehouse.last_builds(1):
        _say("nothing new")
        return code
    return code | _tell_build(road.build(), road.place)


def _watch_road(road: Road, machine: Machine) -> int:
    _collect_road(road)
    if road.follower.scripts is None:
        outcome = road.build()
        if outcome.state == "failed":
            return _tell_build(outcome, road.place)
    _say(f"watching the logs of {', '.join(sorted(machine.agents))}; Ctrl-C ends it")
    is_published, published_at = True, time.monotonic()
    for only in _changes(machine, idle_s=_PUBLISH_EVERY_S):
        if only != set():
            try:
                cycle = road.follower.cycle(only)
            except (MillraceError, OSError) as error:
                print(f"error: {error}; it is tried again", file=sys.stderr)  # noqa: T201 the command's answer
                continue
            if cycle.inserted + cycle.updated:
                is_published = False
                spent = ", ".join(f"{step} {s * 1000:.0f}" for step, s in cycle.seconds.items())
                _say(f"{cycle.inserted:,} events inserted, {cycle.updated:,} updated (ms: {spent})")
            for path, reason in cycle.tick.bad_files.items():
                _say(f"look: {path} cannot be read: {reason}")
        if not is_published and time.monotonic() - published_at >= _PUBLISH_EVERY_S:
            road.publish()
            is_published, published_at = True, time.monotonic()
    if not is_published:
        road.publish()
    return 0


def _changes(machine: Machine, idle_s: float | None = None) -> Iterator[set[Path] | None]:
    """Give which logs changed, as they change (None: perhaps all); an empty set each `idle_s`. Ctrl-C ends it."""
    changes: queue.Queue[set[Path] | None] = queue.Queue()
    stop = threading.Event()

    def listen() -> None:
        for only in watch(machine.roots, stop):
            changes.put(only)

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


def backfill(options: argparse.Namespace) -> int:
    """Read all logs, load all that is in the lake, refresh all marts, and say how it went."""
    place = Place((options.data_dir or Path("data")).resolve())
    machine = Machine.of(options, place.collector)
    if machine is None:
        return 0
    with road(machine, place) as way:
        if options.force:
            way.collector.force()
        progress = Progress("read")
        cycle = way.follower.cycle(hear=progress.bytes)
        progress.end()
        outcome = way.build(anew=options.force)
        code = _tell_tick(cycle.tick, "read") | _tell_shipment(cycle.shipment) | _tell_loads(cycle)
        built = outcome.build.seconds if outcome.build else 0.0
        for step, seconds in (cycle.seconds | {"marts": built}).items():
            _say(f"  {step:<8} {seconds:8.1f} s")
        if way.follower.scripts is not None:
            marts = way.follower.scripts.marts
            counts = {mart: way.warehouse.query(f"SELECT count(*) FROM mart.{mart}")[0][0] for mart in marts}  # noqa: S608
            _say("marts: " + ", ".join(f"{mart} {rows:,}" for mart, rows in counts.items()))
        return code | _tell_build(outcome, place)


def doctor(options: argparse.Namespace) -> int:
    """Say what somebody should look at; 1 when there is something."""
    place = Place((options.data_dir or Path("data")).resolve())
    if not place.published.exists():
        raise ConfigError(f"nothing was built in {place.root} yet; type: make run, or: millrace collect")
    load = place.load_config()
    warehouse = adapters.duckdb_at(load.warehouse, load.memory)
    skipped: Counter[tuple[str, str]] = Counter()
    for state in sorted(place.collector.glob("**/state.sqlite")):
        with closing(Store.copy(state.parent)) as store:
            skipped.update(store.skipped())
    diagnosis = doctoring.diagnose(warehouse.query_published, skipped)
    for line in doctoring.lines(diagnosis):
        _say(line)
    return 0 if diagnosis.is_well else 1


def _tell_tick(tick: Tick, done: str) -> int:
    events = f"{tick.new:,} new events, {tick.changed:,} changed, {tick.unchanged:,} told again"
    _say(f"{done} {tick.rows:,} rows: {events}; {tick.read:,} of {tick.looked_at:,} logs, {tick.lines:,} lines")
    if tick.before_since:
        _say(f"{tick.before_since:,} events are older, and left for later")
    if tick.skipped:
        by_reason = ", ".join(f"{agent} {reason} {n:,}" for (agent, reason), n in sorted(tick.skipped.items()))
        _say(f"lines without an event: {by_reason}")
    for path, reason in tick.bad_files.items():
        _say(f"look: {path} cannot be read: {reason}")
    return 1 if tick.bad_files else 0


def _tell_shipment(shipment: Shipment) -> int:
    if shipment.waiting:
        _say(f"look: {len(shipment.waiting):,} files wait to be sent: {shipment.error}; the next time sends them")
    return 1 if shipment.waiting else 0


def _tell_loads(cycle: Cycle) -> int:
    unchanged = sum(entry.rows_unchanged + entry.rows_superseded for entry in cycle.loads)
    set_aside = [entry for entry in cycle.loads if entry.quarantine_reason is not None]
    rows = f"{cycle.inserted:,} inserted, {cycle.updated:,} updated, {unchanged:,} known"
    _say(f"loaded {len(cycle.loads):,} files: {rows}")
    for entry in set_aside:
        _say(f"look: {entry.version.name} is in quarantine: {entry.quarantine_reason}")
    return 1 if set_aside else 0


def _tell_build(outcome: builds.Outcome, place: Place) -> int:
    bad = [node for node in outcome.build.nodes if not node.is_good] if outcome.build else []
    for node in bad:
        _say(f"look: {node.name}: {node.message}")
    _say(f"look: {len(bad)} nodes of the build are not good" if bad else str(place.published))
    return 1 if outcome.state == "failed" else 0


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
