"""One schedule from beginning to end: its faults are drawn, and the rules are checked afterwards."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from tests.proofs.faults import checking, dbt_sim, disturbing, source
from tests.proofs.faults.checking import Expected, Tables
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.nature import Clock, Nature, Violation
from tests.proofs.faults.scheduler import Scheduler
from tests.proofs.faults.source import GROWS, Source
from tests.proofs.faults.world import World, folder

from millrace.lake import ObjectMissing

_DATABASE = "warehouse.duckdb"
DROPPED = "drop/commits/by hand.ndjson"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a schedule: `rule` and `message` name the broken rule; `made` is the schedule itself."""

    made: dict[str, int]
    rule: str | None
    message: str
    steps: int
    faults: int
    crossed: Counter[tuple[str, str]]
    trace: list[str]


def simulate(choices: Choices) -> Outcome:
    """Run a schedule and check it."""
    scheduler_of: list[Scheduler] = []
    rule, message = None, ""
    try:
        _simulate(choices, scheduler_of)
    except Violation as violation:
        rule, message = violation.rule, str(violation)
    except Exception as error:  # noqa: BLE001 a mutant may break anything, also the checks
        rule, message = "known errors", "".join(traceback.format_exception(error)[-6:])
    (scheduler,) = scheduler_of
    return Outcome(choices.made, rule, message, scheduler.steps, scheduler.faults, scheduler.crossed, scheduler.trace)


@dataclass(frozen=True)
class Scope:
    """The scope of a schedule: the world, how many runs, how often a file is dropped, and when the world stops growing.

    A world that grows to the end is read whole only by the next run.
    """

    seed: int
    more_runs: int
    drops: int
    grows_to_the_end: bool

    @classmethod
    def of(cls, choices: Choices) -> Self:
        """Draw the scope: the first decisions of a schedule."""
        seed, more_runs = choices.draw("world", source.SEEDS), (0, 0, 0, 1, 2)[choices.draw("more runs", 5)]
        return cls(
            seed, more_runs, choices.draw("drops", 3, 0.5), bool(choices.draw("the source grows to the end", 2, 0.2))
        )

    def expected(self, with_marts: bool) -> Expected:
        """Return the result of one clean run over the final state of the source."""
        growth = self.more_runs + self.grows_to_the_end
        expected_tables(self.seed, growth + 1, self.drops)  # the source's next state, after a disturbance
        marts = expected_marts(self.seed, growth, self.drops) if with_marts else None
        return Expected(expected_tables(self.seed, growth, self.drops), marts)


def expected_of(choices: Choices) -> Expected:
    """Return the result of a clean run for a schedule, after drawing its first decisions."""
    return Scope.of(choices).expected(with_marts=Nature(choices).has_real_dbt)


def _simulate(choices: Choices, scheduler_of: list[Scheduler]) -> None:
    scope = Scope.of(choices)
    worlds: list[World] = []
    scheduler = Scheduler(choices, Clock(source.START), lambda message: worlds[0].handle(message))
    scheduler_of.append(scheduler)
    with folder() as place:
        # The engine survives every fault of a handler: it needs a file only if dbt opens it as well.
        database = place / _DATABASE if scheduler.nature.has_real_dbt else Path(":memory:")
        world = World(place, scheduler, Source(scope.seed, scheduler), database)
        worlds.append(world)
        try:
            expected = scope.expected(with_marts=scheduler.nature.has_real_dbt)
            _plan(world, choices, scope)
            scheduler.recover = world.recover
            scheduler.run()
            checking.check(world, None if scope.grows_to_the_end else expected)
            is_next_read = choices.draw("no next run", 6) == 0  # it costs a third of the time
            if is_next_read or scope.grows_to_the_end:
                with scheduler.calm():
                    world.start()
                    scheduler.run()
                checking.check(world, expected)
            if choices.draw("something is done to the machine", 2, 0.3):
                _disturb(world, choices)
                growth = scope.more_runs + scope.grows_to_the_end + choices.draw("the source goes on", 2)
                _end_as_usual(world, growth)
                checking.check_after_disturbance(world, expected_tables(scope.seed, growth, scope.drops))
        finally:
            world.warehouse.close()


def _disturb(world: World, choices: Choices) -> None:
    """Disturb the machine."""
    with world.scheduler.calm():
        said = disturbing.disturb(world, choices)
    world.scheduler.trace.append(said)
    world.scheduler.crossed[disturbing.OPERATION, said.partition(":")[0]] += 1


def _end_as_usual(world: World, growth: int) -> None:
    """Let a day pass with a sweep, and one more run."""
    with world.scheduler.calm():
        while world.source.number < growth:
            _grow(world)()
        world.scheduler.pass_time(disturbing.AFTERWARDS.total_seconds())
        for act in (world.sweep, world.start, world.sweep):
            act()
            world.scheduler.run()


def _plan(world: World, choices: Choices, scope: Scope) -> None:
    """Put runs on the agenda, growth of the source between them, and files that a person drops in between."""
    agenda = world.scheduler.agenda
    drops = [(f"a file is dropped, version {number + 1}", _drop(world, number + 1)) for number in range(scope.drops)]
    if world.scheduler.nature.is_crowded:
        world.scheduler.meanwhile.extend(drops)
        drops = []
    for number in range(scope.more_runs + 1):
        if number:
            agenda.append((GROWS, _grow(world)))
            agenda.extend(drops[number - 1 : number])
        agenda.append(("a run is due", world.start))
        if choices.draw("a sweep between", 2, 0.2):
            agenda.append(("a sweep is due", world.sweep))
    if scope.grows_to_the_end:
        agenda.append((GROWS, _grow(world)))
    agenda.extend(drops[scope.more_runs :])


def _grow(world: World) -> Callable[[], None]:
    def grow() -> None:
        world.scheduler.pass_time(source.GROWTH.total_seconds())
        world.source.grow()

    return grow


def _drop(world: World, number: int) -> Callable[[], None]:
    """Write the file, or write it again: each version has one row more, and other values in all of them."""
    rows = [
        {
            "commitHash": f"dropped-{row}",
            "userId": "somebody",
            "repoName": "by/hand",
            "totalLinesAdded": 100 * number + row,
            "commitTs": "2026-11-15T10:00:00Z",
            "_extracted_at": f"2026-11-15T1{number}:00:00Z",
        }
        for row in range(number)
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()

    def drop() -> None:
        try:
            generation = world.raw_lake.read(DROPPED)[1].version.generation
        except ObjectMissing:
            generation = 0
        world.raw_lake.write(DROPPED, content, generation)

    return drop


@cache
def expected_tables(seed: int, growth: int, drops: int) -> Tables:
    """Return the raw tables after one clean run over a source that has stopped growing."""
    with _clean_run(seed, growth, drops) as world:
        return checking.tables_of(world)


@cache
def expected_marts(seed: int, growth: int, drops: int) -> dbt_sim.Marts:
    """Return the marts that dbt builds from them."""
    with _clean_run(seed, growth, drops) as world:
        dbt = dbt_sim.Project(world)
        dbt.build()
        return dbt_sim.read(world.engine.query, dbt)


@contextmanager
def _clean_run(seed: int, growth: int, drops: int) -> Iterator[World]:
    clock = Clock(source.START + growth * source.GROWTH)
    scheduler = Scheduler(Choices.of_schedule({}), clock, lambda message: world.handle(message))
    with folder() as place, scheduler.calm():
        world = World(place, scheduler, Source(seed, None, growth), place / _DATABASE)
        for number in range(drops):
            _drop(world, number + 1)()
        world.start()
        scheduler.run()
        try:
            yield world
        finally:
            world.warehouse.close()
