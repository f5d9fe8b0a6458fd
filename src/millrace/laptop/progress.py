"""The progress of a run: one live line for each step on a terminal, plain lines in a pipe.

With --quiet only problems are shown; with --verbose plain lines, between those of the log.
"""

import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from millrace import log
from millrace.build.dbt import Node
from millrace.laptop.repositories import Repositories
from millrace.terminal import printable

_HEARTBEAT_S = 5.0
_LONG_S = 60.0


class ProgressLog(logging.Handler):
    """A log handler that shows the pipeline's records on standard error; `repositories` are those that a run reads."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._rows: Counter[str] = Counter()
        self._expected: Mapping[str, int] = {}
        self.repositories = Repositories()
        self._objects = 0
        self._said_at = time.monotonic()
        self._console = Console(stderr=True)
        self._is_quiet = log.volume() == "quiet"
        self._is_live = self._console.is_terminal and log.volume() == "normal"
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<24}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._is_live,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        logger = logging.getLogger("millrace")
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logging.getLogger("main").setLevel(logging.CRITICAL)  # functions-framework's: the answers contain it all
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        logging.getLogger("millrace").removeHandler(self)

    def say(self, line: str) -> None:
        """Print a separate line of progress."""
        if not self._is_quiet:
            self._warn(line)

    def _warn(self, line: str) -> None:
        """Print a separate line, also when the command is to be quiet."""
        if self._is_live:
            self._console.print(Text(printable(line)))
        else:
            print(printable(line), file=sys.stderr, flush=True)  # noqa: T201 the answer of a command
        self._said_at = time.monotonic()

    def expect(self, rows: Mapping[str, int]) -> None:
        """Show the progress of each table against the rows that its source has."""
        self._expected = rows

    def on_node(self, node: Node, total: int) -> None:
        """Show that dbt finished a node."""
        self._show("build", f"{node.name[:40]}", total=total, advance=1)
        if node.kind == "model" and not self._is_live:
            self.say(f"  built {node.name} in {node.seconds:.1f} s")

    def emit(self, record: logging.LogRecord) -> None:
        """Show one log record, if it is of interest to a person."""
        fields: dict[str, object] = getattr(record, "fields", {})
        table = str(fields.get("table", ""))
        match record.getMessage():
            case "asking":
                rows = f", {self._rows.total():,} of {sum(self._expected.values()):,} rows" if self._expected else ""
                self._heartbeat(f"asking {fields['path']}, {fields['requests']} requests so far{rows}")
            case "page read":
                line = self.repositories.page(fields)
                self._show(f"extract {table}", line)
                self._heartbeat(line)
            case "rows read" if self.repositories.count is None:
                self._rows[table] += int(str(fields["rows"]))
                of = f" of {self._expected[table]:,}" if table in self._expected else ""
                self._show(f"extract {table}", f"{self._rows[table]:,}{of} rows")
            case "over the rate limit" | "asked again":
                why = fields.get("problem", "over the source's rate limit")
                self._heartbeat(f"{why}, asking again in {fields['wait_s']} s")
            case "extracted" if "__" in str(fields["task_id"]):
                self._finish_repository(fields)
            case "extracted":
                self._finish(f"extract {table}", _extracted(fields))
            case "loaded":
                self._objects += 1
                self._show("load", f"{self._objects:,} objects")
            case "quarantined":
                self._warn(f"  quarantined {fields['object']}: {fields['error']}")
            case "raw table mended":
                column = f"{fields['column']} is {fields['renamed_to']} now"
                self._warn(f"  raw.{table} had a column of a name that DuckDB keeps, {column}; {fields['advice']}")
            case "unforeseen":
                frames = [line.strip() for line in str(fields["stack"]).splitlines() if line.startswith("  File ")]
                self._warn(f"  {fields['function']}: {fields['kind']}: {fields['error']}; {frames[-1]}")
            case "waiting for the source":
                self.say(f"  {fields['problem']}; {_until(float(str(fields['wait_s'])))}")
            case "waiting for the warehouse":
                self.say(f"  {fields['why']}: waiting, {fields['at_most_s']:.0f} s at most")

    def _show(self, step: str, note: str, total: int | None = None, advance: int = 0) -> None:
        step, note = printable(step), printable(note)
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=total, note=note)
        self._progress.update(self._tasks[step], note=note, total=total, advance=advance)

    def _finish(self, step: str, note: str) -> None:
        self._show(step, note, total=1, advance=1)
        if not self._is_live:
            self.say(f"  {step}: {note}")

    def _finish_repository(self, fields: Mapping[str, object]) -> None:
        """Show that a repository was read; one without news, whose window alone was noted, is not shown in a pipe."""
        name = self.repositories.name_of(str(fields["task_id"]))
        if name is not None:
            line = f"{name}: {_extracted(fields)}"
            self._show(f"extract {fields['table']}", line)
            if not self._is_live:
                self.say(f"  {line}")

    def _heartbeat(self, line: str) -> None:
        if not self._is_live and time.monotonic() - self._said_at > _HEARTBEAT_S:
            self.say(f"  {line}")


def _until(wait_s: float) -> str:
    """Return how long a wait is; a long one by the time of its end on the clock of this machine."""
    if wait_s < _LONG_S:
        return f"waiting for {wait_s:,.0f} s"
    return f"going on at {datetime.now().astimezone() + timedelta(seconds=wait_s):%H:%M}"


def _extracted(fields: Mapping[str, object]) -> str:
    parts = [f"{fields['rows']:,} rows", f"{fields['requests']:,} requests"]
    if fields["known"]:
        parts.append(f"{fields['known']:,} rows known and unchanged")
    if fields["plan"] != "bulk":
        parts.append(f"{fields['plan']} plan")
    for name, word in (("retries", "repeated"), ("rate_limited", "over the limit")):
        if fields[name]:
            parts.append(f"{fields[name]} {word}")
    if float(str(fields["waited_s"])) >= 1:
        parts.append(f"{fields['waited_s']:.0f} s waiting")
    return " · ".join(parts)
