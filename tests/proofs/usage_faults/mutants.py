"""The usage pipeline with one of its guards removed, one at a time: some schedule has to notice each of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlglot import exp, parse_one
from tests.proofs.faults.merge_mutants import an_older_row_wins
from tests.proofs.faults.mutants import rows_and_ledger_are_two_transactions
from tests.proofs.faults.world import replaced
from tests.proofs.usage_faults.simulating import Outcome, simulate
from tests.proofs.usage_faults.template import Template

from millrace.build.refresh import MartScripts
from millrace.collect import billing, chunks, collector, event_rows, outbox, records, rereading, shipping
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import Collector
from millrace.collect.event_rows import EventRows
from millrace.collect.parsers import claude, codex
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, Reading
from millrace.load import recovery
from millrace.warehouse.duckdb import ledger
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse


@contextmanager
def _without(mart: str, kind: type[exp.Expr], table: str) -> Iterator[None]:
    """Leave out the statements of a mart's script on a table."""

    def is_left_out(name: str, statement: str) -> bool:
        return name.split()[0] == mart and _does(statement, kind) and _written(statement) == table

    def mutated(self: MartScripts, to: Any) -> None:
        left = {name: statement for name, statement in self.marts.items() if not is_left_out(name, statement)}
        assert len(left) == len(self.marts) - 1, f"{mart} has another script by now"
        refresh(MartScripts(left), to)

    refresh = MartScripts.refresh
    with replaced(MartScripts, "refresh", mutated):
        yield


@cache
def _parsed(statement: str) -> exp.Expr:
    return parse_one(statement, dialect="duckdb")


def _does(statement: str, kind: type[exp.Expr]) -> bool:
    return isinstance(_parsed(statement), kind)


def _written(statement: str) -> str:
    """Return the table that a statement changes: the first that it names."""
    table = _parsed(statement).this.find(exp.Table)
    assert table is not None
    return str(table.name)


def keys_that_an_event_leaves_are_not_noted() -> AbstractContextManager[None]:
    return _without("usage_events", exp.Insert, "usage_old_keys")


def affected_rows_of_the_fact_are_not_deleted() -> AbstractContextManager[None]:
    return _without("usage_events", exp.Delete, "usage_events")


def affected_rows_of_a_mart_are_not_deleted() -> AbstractContextManager[None]:
    return _without("usage_daily", exp.Delete, "usage_daily")


def a_mart_forgets_its_watermark() -> AbstractContextManager[None]:
    return _without("usage_session", exp.Update, "mart_watermarks")


def _committed(groups: Callable[[Sequence[str]], Iterator[Sequence[str]]]) -> AbstractContextManager[None]:
    run = DuckDBWarehouse.run_scripts

    def mutated(self: DuckDBWarehouse, scripts: Sequence[str]) -> None:
        for group in groups(scripts):
            run(self, group)

    return replaced(DuckDBWarehouse, "run_scripts", mutated)


def a_watermark_is_written_before_the_rows() -> AbstractContextManager[None]:
    def groups(scripts: Sequence[str]) -> Iterator[Sequence[str]]:
        made = [script for script in scripts if _does(script, exp.Create)]
        last = [script for script in scripts if _does(script, exp.Update)]
        yield [*made, *last]
        yield [script for script in scripts if script not in (*made, *last)]

    return _committed(groups)


def each_mart_is_a_transaction_of_its_own() -> AbstractContextManager[None]:
    def groups(scripts: Sequence[str]) -> Iterator[Sequence[str]]:
        group = []
        for script in scripts:
            group.append(script)
            if _does(script, exp.Update):
                yield group
                group = []

    return _committed(groups)


@contextmanager
def events_are_merged_by_the_last() -> Iterator[None]:
    with (
        replaced(billing, "merge", lambda one, other: other),
        replaced(event_rows, "merge", lambda one, other: other),
    ):
        yield


@contextmanager
def the_state_is_committed_before_the_file_exists() -> Iterator[None]:
    put, late = outbox.put, list[Callable[[], Path]]()

    def mutated(folder: Path, number: int, content: bytes) -> Path:
        late.append(partial(put, folder, number, content))
        return folder / "late"

    commit = CheckpointStore.commit

    def commit_first(self: CheckpointStore) -> None:
        files = late.copy()
        late.clear()
        commit(self)
        for file in files:
            file()

    with replaced(outbox, "put", mutated), replaced(CheckpointStore, "commit", commit_first):
        yield


def a_stopped_tick_leaves_its_files() -> AbstractContextManager[None]:
    return replaced(Collector, "_tidy", lambda self: None)


def stamps_are_what_the_clock_says() -> AbstractContextManager[None]:
    to_parquet = records.to_parquet

    def mutated(rows: Any, collector_id: str, user_id: Any, privacy: Any, owners: Any, stamp: datetime) -> bytes:
        return to_parquet(rows, collector_id, user_id, privacy, owners, clock[-1].astimezone(UTC))

    clock: list[datetime] = []
    init = Collector.__init__

    def listening(self: Collector, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        now = self._now

        def heard() -> datetime:
            clock.append(now())
            return clock[-1]

        self._now = heard

    @contextmanager
    def both() -> Iterator[None]:
        with replaced(records, "to_parquet", mutated), replaced(Collector, "__init__", listening):
            yield

    return both()


def a_file_is_deleted_before_it_is_sent() -> AbstractContextManager[None]:
    send = shipping._send

    def mutated(file: Path, lake: Any, name: str) -> Any:
        content = file.read_bytes()
        file.unlink()
        try:
            return send(content, lake, name)  # type: ignore[arg-type]
        finally:
            if not file.exists():
                file.touch()  # so that the caller can delete it
                file.write_bytes(b"")

    return replaced(shipping, "_send", mutated)


@contextmanager
def a_torn_line_counts_as_read() -> Iterator[None]:
    def reader(read: Any) -> Any:
        def mutated(content: bytes, state: LogState, caps: Any = PARSER_LIMITS) -> Reading:
            reading: Reading = read(content, state, caps)
            offset = state.offset_bytes + len(content)
            return replace(reading, state=replace(reading.state, offset_bytes=offset))

        return mutated

    agents = {name: replace(AGENTS[name], read=reader(module.read)) for name, module in _LINES.items()}
    before = {name: AGENTS[name] for name in _LINES}
    AGENTS.update(agents)
    try:
        yield
    finally:
        AGENTS.update(before)


_LINES = {"claude": claude, "codex": codex}


@contextmanager
def a_log_that_was_cut_is_read_on() -> Iterator[None]:
    with (
        replaced(chunks, "_tail_of", lambda file, known: b""),
        replaced(collector, "has_only_changed", lambda before, seen: False),
    ):
        yield


def a_log_that_is_read_anew_is_merged() -> AbstractContextManager[None]:
    with_ = event_rows._with

    def mutated(event: Any, stored: Any, read: tuple[int, int, int, int]) -> Any:
        return with_(event, None if stored is None else (*stored[: billing.READING], read[2], stored[-1]), read)

    return replaced(event_rows, "_with", mutated)


def of_two_tasks_only_one_is_heard() -> AbstractContextManager[None]:
    return replaced(billing, "merged", lambda rows: rows[0][: billing.EVENT])


def copies_of_a_response_are_not_resolved() -> AbstractContextManager[None]:
    return replaced(billing, "resolve", list)


def what_does_not_exist_is_not_withdrawn() -> AbstractContextManager[None]:
    return replaced(EventRows, "_pending_withdrawals", lambda self, since: iter(()))


def what_a_log_does_not_make_any_more_stays() -> AbstractContextManager[None]:
    return replaced(EventRows, "drop_unmade", lambda self: None)


def a_log_that_was_rewritten_withdraws_its_history() -> AbstractContextManager[None]:
    return replaced(rereading, "_is_still_there", lambda prior, path, agent: True)


def a_log_is_not_read_again_by_newer_rules() -> AbstractContextManager[None]:
    log_at = CheckpointStore.log_at

    def mutated(self: CheckpointStore, path: bytes) -> Any:
        known = log_at(self, path)
        return None if known is None else replace(known, rules=99)

    return replaced(CheckpointStore, "log_at", mutated)


def a_load_does_not_look_into_the_ledger() -> AbstractContextManager[None]:
    @contextmanager
    def mutant() -> Iterator[None]:
        load = DuckDBWarehouse.load

        def mutated(self: DuckDBWarehouse, batch: Any) -> Any:
            with replaced(ledger, "find", lambda connection, version: None):
                return load(self, batch)

        with replaced(DuckDBWarehouse, "load", mutated), replaced(DuckDBWarehouse, "find", lambda *_: None):
            yield

    return mutant()


def what_was_lost_is_not_swept() -> AbstractContextManager[None]:
    return replaced(recovery, "recover", lambda lake, bus, warehouse: [])


Mutant = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Hunt:
    """A schedule: a seed, and which of its steps (None: all)."""

    seed: int
    only: frozenset[int] | None = None


CAUGHT_BY: dict[Mutant, Hunt] = {
    keys_that_an_event_leaves_are_not_noted: Hunt(2),
    affected_rows_of_the_fact_are_not_deleted: Hunt(2),
    affected_rows_of_a_mart_are_not_deleted: Hunt(2),
    a_mart_forgets_its_watermark: Hunt(0),
    a_watermark_is_written_before_the_rows: Hunt(0),
    each_mart_is_a_transaction_of_its_own: Hunt(16),
    events_are_merged_by_the_last: Hunt(0),
    the_state_is_committed_before_the_file_exists: Hunt(9),
    a_stopped_tick_leaves_its_files: Hunt(1),
    stamps_are_what_the_clock_says: Hunt(2),
    a_file_is_deleted_before_it_is_sent: Hunt(2),
    a_torn_line_counts_as_read: Hunt(0),
    a_log_that_was_cut_is_read_on: Hunt(20),
    a_log_that_is_read_anew_is_merged: Hunt(20),
    of_two_tasks_only_one_is_heard: Hunt(201, frozenset({10, 14, 28, 36})),
    copies_of_a_response_are_not_resolved: Hunt(2),
    what_does_not_exist_is_not_withdrawn: Hunt(6),
    what_a_log_does_not_make_any_more_stays: Hunt(6),
    a_log_that_was_rewritten_withdraws_its_history: Hunt(2),
    a_log_is_not_read_again_by_newer_rules: Hunt(6),
    a_load_does_not_look_into_the_ledger: Hunt(0),
    rows_and_ledger_are_two_transactions: Hunt(7),
    an_older_row_wins: Hunt(17),
    what_was_lost_is_not_swept: Hunt(20),
}
"""Every mutant, and a schedule that notices it."""


def hunt(mutant: Mutant, seeds: range, template: Template) -> Outcome | None:
    """Return the first outcome that notices a mutant, that of the known seed first; None if it survives."""
    known = CAUGHT_BY[mutant]
    for tried in [known, *(Hunt(seed) for seed in seeds)]:
        with mutant():
            outcome = simulate(tried.seed, template, tried.only)
        if outcome.rule is not None:
            return outcome
    return None
