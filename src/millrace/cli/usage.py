"""What the command `millrace` does with a data directory: the whole road on this machine, down to the marts."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date

from millrace import wiring
from millrace.build import job
from millrace.build.dbt import Node
from millrace.build.refresh import MartScripts
from millrace.cli.collect import Progress, changes, say, tell_shipment, tell_tick
from millrace.collect.checkpoints import Store
from millrace.collect.collector import Collector
from millrace.collect.machine import Machine
from millrace.errors import ConfigError, MillraceError, Step
from millrace.laptop.data_dir import Place
from millrace.laptop.usage_pipeline import Cycle, Follower
from millrace.status import remedies, usage_checks
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

_PUBLISH_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Road:
    """The whole road on this machine."""

    place: Place
    warehouse: DuckDBWarehouse
    collector: Collector
    follower: Follower

    def build(self, anew: bool = False) -> job.Outcome:
        """Let dbt build and test all that is due; afterwards its scripts can refresh the usage marts."""
        progress = Progress("build")

        def hear(node: Node, total: int) -> None:
            progress.step(node.name, total)

        outcome = job.run(wiring.builder_of(self.place.build_config(), hear), force=True, anew=anew)
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
        warehouse = wiring.duckdb_at(load.warehouse, load.memory)
        stack.callback(warehouse.close)
        warehouse.ensure_tables()
        collector = stack.enter_context(machine.collector())
        follower = Follower(collector, machine.spool, wiring.loader_of(load), warehouse)
        yield Road(place, warehouse, collector, follower)


def collect(machine: Machine, place: Place, options: argparse.Namespace) -> int:
    """Read what is new, load it, and build the marts; once, or as the logs change."""
    with road(machine, place) as way:
        return _watch(way, machine, options.since) if options.watch else _collect(way, options.since)


def _collect(road: Road, since: date | None) -> int:
    progress = Progress("read")
    cycle = road.follower.cycle(since=since, hear=progress.bytes)
    progress.end()
    code = tell_tick(cycle.tick, "collected") | tell_shipment(cycle.shipment) | _tell_loads(cycle)
    if cycle.inserted + cycle.updated == 0 and road.warehouse.last_builds(1):
        say("nothing new")
        return code
    return code | _tell_build(road.build(), road.place)


def _watch(road: Road, machine: Machine, since: date | None) -> int:
    _collect(road, since)
    if road.follower.scripts is None:
        outcome = road.build()
        if outcome.state == "failed":
            return _tell_build(outcome, road.place)
    is_published, published_at = True, time.monotonic()
    for only in changes(machine, idle_s=_PUBLISH_EVERY_S):
        if only != set():
            try:
                cycle = road.follower.cycle(only, since)
            except (MillraceError, OSError) as error:
                print(f"error: {error}; it is tried again", file=sys.stderr)  # noqa: T201 the command's answer
                continue
            if cycle.inserted + cycle.updated:
                is_published = False
                spent = ", ".join(f"{step} {s * 1000:.0f}" for step, s in cycle.seconds.items())
                say(f"{cycle.inserted:,} events inserted, {cycle.updated:,} updated (ms: {spent})")
            for path, reason in cycle.tick.bad_files.items():
                say(f"look: {path} cannot be read: {reason}")
        if not is_published and time.monotonic() - published_at >= _PUBLISH_EVERY_S:
            road.publish()
            is_published, published_at = True, time.monotonic()
    if not is_published:
        road.publish()
    return 0


def backfill(machine: Machine, place: Place, options: argparse.Namespace) -> int:
    """Read all logs, load all that is in the lake, refresh all marts, and say how it went."""
    with road(machine, place) as way:
        if options.force:
            way.collector.force()
        progress = Progress("read")
        cycle = way.follower.cycle(hear=progress.bytes)
        progress.end()
        outcome = way.build(anew=options.force)
        code = tell_tick(cycle.tick, "read") | tell_shipment(cycle.shipment) | _tell_loads(cycle)
        built = outcome.build.seconds if outcome.build else 0.0
        for step, seconds in (cycle.seconds | {"marts": built}).items():
            say(f"  {step:<8} {seconds:8.1f} s")
        if way.follower.scripts is not None:
            marts = way.follower.scripts.marts
            counts = {mart: way.warehouse.query(f"SELECT count(*) FROM mart.{mart}")[0][0] for mart in marts}  # noqa: S608
            say("marts: " + ", ".join(f"{mart} {rows:,}" for mart, rows in counts.items()))
        return code | _tell_build(outcome, place)


def doctor(place: Place) -> int:
    """Say what somebody should look at; 1 when there is something."""
    if not place.published.exists():
        raise ConfigError(f"nothing was built in {place.root} yet", step=Step.BEGIN)
    load = place.load_config()
    warehouse = wiring.duckdb_at(load.warehouse, load.memory)
    skipped: Counter[tuple[str, str]] = Counter()
    for state in sorted(place.collector.glob("**/state.sqlite")):
        with closing(Store.copy(state.parent)) as store:
            skipped.update(store.skipped())
    diagnosis = usage_checks.diagnose(warehouse.query_published, skipped)
    for line in usage_checks.lines(diagnosis, remedies.laptop(place.root)):
        say(line)
    return 0 if diagnosis.is_well else 1


def _tell_loads(cycle: Cycle) -> int:
    unchanged = sum(entry.rows_unchanged + entry.rows_superseded for entry in cycle.loads)
    set_aside = [entry for entry in cycle.loads if entry.quarantine_reason is not None]
    rows = f"{cycle.inserted:,} inserted, {cycle.updated:,} updated, {unchanged:,} known"
    say(f"loaded {len(cycle.loads):,} files: {rows}")
    for entry in set_aside:
        say(f"look: {entry.version.name} is in quarantine: {entry.quarantine_reason}")
    return 1 if set_aside else 0


def _tell_build(outcome: job.Outcome, place: Place) -> int:
    bad = [node for node in outcome.build.nodes if not node.is_good] if outcome.build else []
    for node in bad:
        say(f"look: {node.name}: {node.message}")
    say(f"look: {len(bad)} nodes of the build are not good" if bad else str(place.published))
    return 1 if outcome.state == "failed" else 0
