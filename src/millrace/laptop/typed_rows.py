"""Rows that were typed, on their way into a data directory: written as a dropped file, loaded, and the marts built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from millrace import wiring
from millrace.build import job
from millrace.errors import ConfigError, Step, TerminalError, TransientError
from millrace.lake import rows as typed
from millrace.laptop.data_dir import DataDir
from millrace.laptop.in_process import Pipeline, opened
from millrace.laptop.progress import ProgressLog
from millrace.load import quarantine
from millrace.warehouse import Node
from millrace.warehouse.duckdb import builds


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of typed rows: the file, how far they are, and the nodes of a build that are not good."""

    file: str
    state: Literal["loaded", "built", "failed"]
    bad_nodes: tuple[Node, ...] = ()


def require_built(data_dir: DataDir) -> None:
    """Raise ConfigError when nothing was built in a data directory yet, as there is nothing to compare a row with."""
    if not data_dir.published.exists():
        raise ConfigError(f"nothing was built in {data_dir.root} yet", step=Step.BEGIN)


def query(data_dir: DataDir, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of one of our own queries over the published copy."""
    return builds.query(data_dir.published, sql)


def apply(data_dir: DataDir, table: str, rows: Sequence[Mapping[str, object]], *, is_built: bool) -> Applied:
    """Write, load and build; TerminalError when the load refuses the file, or has rows with a later time."""
    with ProgressLog() as watcher, data_dir.lock(), opened(data_dir) as pipeline:
        pipeline.warehouse.ensure_tables()
        file = _load(pipeline, table, rows)
        if not is_built:
            return Applied(file, "loaded")
        outcome = job.run(wiring.builder_of(data_dir.build_config(), watcher.on_node))
    if outcome.state == "busy":
        raise TransientError(
            "another process builds; the row is loaded, and its build has it or the next one", step=Step.BUILD
        )
    bad = [node for node in outcome.build.nodes if not node.is_good] if outcome.build else []
    return Applied(file, "failed" if outcome.state == "failed" else "built", tuple(bad))


def _load(pipeline: Pipeline, table: str, rows: Sequence[Mapping[str, object]]) -> str:
    stored = typed.drop(pipeline.lake, table, rows, datetime.now(UTC))
    pipeline.bus.run()
    entry = pipeline.warehouse.find(stored.version)
    name = stored.version.name
    if entry is None:
        dead = pipeline.bus.dead_letters[0].reason if pipeline.bus.dead_letters else "it is gone"
        raise TransientError(f"{name} was not loaded: {dead}", step=Step.BUILD)
    if entry.quarantine_reason is not None:
        why = quarantine.message(pipeline.quarantine, entry)
        raise TerminalError(f"{name} was quarantined: {why}", step=Step.SEE_QUARANTINE)
    if entry.rows_superseded:
        raise TerminalError(f"{name} changes nothing: an earlier row has a later time; set this machine's clock")
    return name
