"""The pipeline with one of its guards removed, one at a time: some schedule has to notice each of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.proofs.faults import careless, merge_mutants
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.simulating import Outcome, expected_of, simulate
from tests.proofs.faults.world import replaced, tiny

from millrace import runs
from millrace.build import job
from millrace.build.job import Builder
from millrace.build.lease import Lease, _Held, acquire
from millrace.extract.completeness import ListReading, Row
from millrace.lake import ObjectMissing, ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import CursorKey, FinalKey
from millrace.load import handler, sweep
from millrace.runs import Cursor, Final, TaskRecord, build_requests, completion, cursors
from millrace.warehouse.duckdb import builds as duckdb_builds, ledger
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse


def a_load_does_not_look_into_the_ledger() -> AbstractContextManager[None]:
    load = DuckDBWarehouse.load

    def mutated(self: DuckDBWarehouse, batch: Any) -> Any:
        with replaced(ledger, "find", lambda connection, version: None):
            return load(self, batch)

    return replaced(DuckDBWarehouse, "load", mutated)


def rows_and_ledger_are_two_transactions() -> AbstractContextManager[None]:
    note = ledger.note

    def mutated(connection: Any, entry: Any) -> None:
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        note(connection, entry)

    return replaced(ledger, "note", mutated)


def a_write_overwrites_whatever_is_there() -> AbstractContextManager[None]:
    write = LocalLake.write

    def mutated(self: LocalLake, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        return write(self, name, content, _generation(self, name))

    return replaced(LocalLake, "write", mutated)


@contextmanager
def as_many_rows_as_were_counted_are_enough() -> Iterator[None]:
    def mutated(self: ListReading) -> Iterator[list[Row]]:
        for page in self._new_pass(None):
            self.total += len(page.rows)
            yield page.rows

    with replaced(ListReading, "rows", mutated):
        yield


def a_run_is_final_when_somebody_looks() -> AbstractContextManager[None]:
    def mutated(lake: Any, warehouse: Any, run_id: str) -> bool:
        records = [task_id for task_id, record in runs.read_tree(lake, run_id) if record is not None]
        load_seq = max((entry.load_seq for entry in warehouse.loads_of(run_id)), default=0)
        completion._end(lake, Final(run_id, "complete", None, tuple(sorted(records)), load_seq))
        return True

    return replaced(runs, "finish_if_complete", mutated)


def a_final_object_is_written_again() -> AbstractContextManager[None]:
    def mutated(lake: Any, final: Final) -> None:
        name = str(FinalKey(final.run_id))
        lake.write(name, json.dumps(asdict(final)).encode(), if_generation=_generation(lake, name))

    return replaced(completion, "_end", mutated)


@contextmanager
def a_download_gives_whatever_is_there_now() -> Iterator[None]:
    """Remove two guards, which ask for the version of the event: at the look-up of its size, and at the read."""

    def mutated(self: LocalLake, version: ObjectVersion, to: Path) -> StoredObject:
        content, stored = self.read(version.name)
        to.write_bytes(content)
        return StoredObject(version, stored.size_bytes, stored.crc32c)

    size_is_known = replaced(handler, "_require_size", lambda lake, event, most: None)
    with size_is_known, replaced(LocalLake, "download", mutated):
        yield


def a_cursor_goes_to_whoever_ends_last() -> AbstractContextManager[None]:
    def mutated(lake: Any, record: TaskRecord, clock: Any) -> None:
        name = str(CursorKey(record.table))
        cursor = Cursor(record.since, record.extracted_at, record.counts)
        lake.write(name, json.dumps(asdict(cursor)).encode(), if_generation=_generation(lake, name))

    return replaced(cursors, "_advance_cursor", mutated)


def a_cursor_moves_before_its_run_is_final() -> AbstractContextManager[None]:
    finish = runs.finish_if_complete

    def mutated(lake: Any, warehouse: Any, run_id: str) -> bool:
        runs.advance_cursors(lake, warehouse, run_id)
        return finish(lake, warehouse, run_id)

    return replaced(runs, "finish_if_complete", mutated)


def a_lost_end_of_a_run_stays_lost() -> AbstractContextManager[None]:
    return replaced(sweep, "_advance_cursors", lambda lake, warehouse, run_id: None)


def an_overtaken_build_is_noted_and_published() -> AbstractContextManager[None]:
    return replaced(duckdb_builds, "_refuse_older", lambda connection, token: None)


def a_build_does_not_look_again_when_it_ends() -> AbstractContextManager[None]:
    def mutated(builder: Builder, retry: bool = False) -> job.Outcome:
        lease = acquire(builder.lake, builder.holder, builder.clock, builder.sleep, builder.ttl_s)
        if lease is None:
            return job.Outcome("busy")
        with builder.beating(lease):
            noted, built = job._build(builder, lease, build_requests.requested(builder.lake), None)
            if built.is_good:
                job._publish(builder, noted)
        lease.release()
        return job.Outcome("good" if built.is_good else "failed", built)

    return replaced(job, "run", mutated)


def a_lease_is_taken_from_whoever_holds_it() -> AbstractContextManager[None]:
    def mutated(lake: Any, holder: str, clock: Any, sleep: Any, ttl_s: float) -> Lease:
        return Lease(lake, holder, clock, ttl_s, _Held.read(lake))

    return replaced(job, "acquire", mutated)


def _generation(lake: Any, name: str) -> int:
    try:
        return int(lake.read(name)[1].version.generation)
    except ObjectMissing:
        return 0


_BUILDS = {"crowded builds #1": 1, "drops #1": 1, "switches #1": 1}
_SLEEPERS = _BUILDS | {"pauses #1": 2}
_PAGES = {"world #1": 3, "handlers #1": 0, "faults #1": 0, "crowded builds #1": 0}


def _doing(operation: int, **more: int) -> dict[str, int]:
    """Return the decision for the disturbance of that number in `disturbing`."""
    done = {"something is done to the machine #1": 1, "what is done to the machine #1": operation}
    return done | {f"{name.replace('_', ' ')} #1": number for name, number in more.items()}


@dataclass(frozen=True)
class Hunt:
    """Where to search for a mutant: `given` decisions make it likely to show, `seed` is known to notice it."""

    seed: int
    given: dict[str, int] = field(default_factory=dict)


CAUGHT_BY: dict[Callable[[], AbstractContextManager[None]], Hunt] = {
    a_load_does_not_look_into_the_ledger: Hunt(11),
    rows_and_ledger_are_two_transactions: Hunt(12),
    a_write_overwrites_whatever_is_there: Hunt(0),
    merge_mutants.an_older_row_wins: Hunt(11, {"more runs #1": 4, "overlaps #1": 2, "late #1": 2}),
    as_many_rows_as_were_counted_are_enough: Hunt(0, _PAGES),
    a_run_is_final_when_somebody_looks: Hunt(0),
    a_final_object_is_written_again: Hunt(0),
    a_download_gives_whatever_is_there_now: Hunt(0),
    a_cursor_goes_to_whoever_ends_last: Hunt(82),
    a_cursor_moves_before_its_run_is_final: Hunt(0),
    a_lost_end_of_a_run_stays_lost: Hunt(41, {"lost #1": 3, "drops #1": 1, "more runs #1": 0}),
    an_overtaken_build_is_noted_and_published: Hunt(3, _SLEEPERS),
    a_build_does_not_look_again_when_it_ends: Hunt(4, _BUILDS),
    a_lease_is_taken_from_whoever_holds_it: Hunt(2, _BUILDS),
    careless.what_the_ledger_lacks_is_not_looked_for: Hunt(0, _doing(0)),
    careless.a_cursor_is_believed_whatever_the_warehouse_has: Hunt(2, _doing(5)),
    careless.a_lack_of_the_machine_is_blamed_on_the_file: Hunt(0, _doing(6, for_how_long=1, at_which_calls=1)),
    careless.a_time_that_cannot_be_is_believed: Hunt(0, _doing(7, the_source_goes_on=1)),
    careless.names_of_the_engine_are_columns_like_others: Hunt(0, _doing(8, which_file=0)),
}
"""Every mutant, and a seed whose schedule notices it: the search begins there."""


def try_mutant(mutant: Callable[[], AbstractContextManager[None]], seed: int) -> Outcome:
    """Run the schedule of a seed over a mutant; the clean run's result was computed before the mutation."""
    given = {"faults of the build #1": 0} | CAUGHT_BY[mutant].given  # dbt guards nothing
    with tiny():
        expected_of(Choices.of_seed(seed, given))
        with mutant():
            outcome = simulate(Choices.of_seed(seed, given))
        if outcome.rule is not None and simulate(Choices.of_seed(seed, given)).rule is not None:
            raise AssertionError(f"seed {seed} with {given} does not hold, with or without {mutant.__name__}")
        return outcome


def hunt(mutant: Callable[[], AbstractContextManager[None]], most: int) -> tuple[int, Outcome] | None:
    """Return the first seed that notices a mutant, the known one first; None if it survives `most` of them."""
    known = CAUGHT_BY[mutant].seed
    for seed in [known, *(seed for seed in range(most) if seed != known)]:
        outcome = try_mutant(mutant, seed)
        if outcome.rule is not None:
            return seed, outcome
    return None
