"""A run as it goes on: what changed since the last look, until its final object is there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from millrace.errors import TransientError
from millrace.lake import Lake, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import account_of
from millrace.runs import Final, TaskRecord, read_final
from millrace.tables import CURSOR_SIM, children_of

Say = Callable[[str], None]
POLL_S = 5.0


@dataclass
class Watched:
    """A run, its records so far, and the versions of its objects that were reported."""

    lake: Lake
    run_id: str
    records: dict[str, TaskRecord] = field(default_factory=dict)
    final: Final | None = None
    _seen: dict[str, int] = field(default_factory=dict)

    def news(self) -> Iterator[str]:
        """Yield a line for each object of the run that is new or was replaced."""
        begin = f"runs/{self.run_id}/"
        for stored in list(self.lake.list(begin)):
            name, generation = stored.version.name, stored.version.generation
            if self._seen.get(name) == generation:
                continue
            self._seen[name] = generation
            folder, _, task = name.removeprefix(begin).removesuffix(".json").rpartition("/")
            try:
                if line := self._line(name, folder, task):
                    yield line
            except ObjectMissing:
                continue
            except Damaged as error:
                yield str(error)

    def _line(self, name: str, folder: str, task: str) -> str | None:
        if folder == "tasks":
            record = TaskRecord.parse(self.lake.read(name)[0], name)
            self.records[task] = record
            return (
                f"{task}: recorded: {record.rows:,} rows written, {record.known:,} known, {record.requests:,} requests"
            )
        if task == "final" and not folder:
            self.final = read_final(self.lake, self.run_id)
        if folder not in ("progress", "failures"):
            return None
        describe = _LINES[folder]
        return parsed(self.lake.read(name)[0], name, lambda fields: describe(task, fields))

    def waiting(self) -> list[str]:
        """Return the tables without a record."""
        known = [each.name for each in children_of(None, "github")] if account_of(self.run_id) else list(CURSOR_SIM)
        known += [child for record in self.records.values() for child in record.children if child not in known]
        return [name for name in known if name not in self.records]


def _progress(task: str, fields: dict[str, Any]) -> str:
    done, total = int(fields["lists_done"]), fields.get("lists_total")
    lists = f"{done:,}" if total is None else f"{done:,} of {int(total):,}"
    rows = "" if fields.get("rows") is None else f", {int(fields['rows']):,} rows"
    return f"{task}: {lists} lists read{rows}"


def _failure(task: str, fields: dict[str, Any]) -> str:
    return f"{task}: an attempt failed: {fields['kind']}: {fields['message']}"


_LINES: dict[str, Callable[[str, dict[str, Any]], str]] = {"progress": _progress, "failures": _failure}


def watch(run: Watched, until: float, clock: Callable[[], float], sleep: Callable[[float], None], say: Say) -> None:
    """Report a run until its final object is there; TransientError when it is not, at the time `until`."""
    while True:
        for line in run.news():
            say(line)
        if run.final is not None:
            return
        if clock() >= until:
            waiting = f"no record of {', '.join(run.waiting())}" if run.waiting() else "its parts are not all loaded"
            raise TransientError(f"run {run.run_id} has not ended in time: {waiting}")
        sleep(POLL_S)
