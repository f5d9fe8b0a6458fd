"""The report of a run: the marts in short, one reconciliation line for each table, timings, and paths."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from millrace.build.dbt import Build
from millrace.errors import MillraceError
from millrace.laptop.data_dir import DataDir
from millrace.laptop.drops import Drop
from millrace.laptop.simulated_usage import SimulatedUsage
from millrace.runs.reconcile import Reconciliation
from millrace.status.completeness import AccountState, lines
from millrace.status.remedies import laptop, with_remedy
from millrace.terminal import printable
from millrace.warehouse.duckdb.read_only import open_read_only

_MARTS = {  # sorted by the first column, newest first, then by the third, largest first, then by the second
    "velocity": ("week", "repo_name", "total_prs", "active_developers", "avg_cycle_time_hours", "ai_line_share"),
    "developer_velocity": ("week", "repo_name", "developer", "total_prs", "total_loc", "avg_cycle_time_hours"),
    "review_costs": ("week", "repo_name", "total_prs", "reviewed_prs", "approval_rate", "estimated_review_hours"),
    "quality": ("week", "repo_name", "total_prs", "revert_rate", "bug_fix_rate", "unreviewed_prs"),
    "ai_impact": ("week", "repo_name", "ai_band", "pr_count", "avg_cycle_time_hours", "revert_rate"),
    "cost_per_merged_pr": ("week", "repo_name", "merged_prs", "developer", "cost_usd", "cost_per_merged_pr"),
    "usage_model_day": ("day", "model", "assistant_message_count", "session_count", "total_tokens", "cost_usd"),
}
_TEXTS = ("week", "day", "repo_name", "developer", "ai_band", "model")
_NAMES = ("repo_name", "developer", "model")  # a narrow table cuts these; it cuts no number, and leaves out columns
_LEAST_NAME = 12
_FEWEST = 1
_PADDING = 2
_ROWS = 3

Marts = dict[str, tuple[Sequence[str], list[tuple[Any, ...]]]]
"""The columns and rows of each mart."""


@dataclass
class Report:
    """The outcome of one command."""

    data_dir: DataDir
    run_id: str | None = None
    tables: list[Reconciliation] = field(default_factory=list)
    completeness: AccountState | None = None
    usage: SimulatedUsage | None = None
    drops: list[Drop] = field(default_factory=list)
    build: Build | None = None
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Add to the time of each step: a run of a company has the steps of each source."""
        for step, more in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + more

    @property
    def is_good(self) -> bool:
        """Whether everything reconciled, nothing was quarantined, and every dbt test passed."""
        return (
            not self.problems
            and all(line.is_balanced for line in self.tables)
            and all(drop.is_good for drop in self.drops)
            and (self.completeness is None or not self.completeness.has_to_be_looked_at)
            and (self.usage is None or self.usage.is_balanced)
            and (self.build is None or self.build.is_good)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for JSON."""
        nodes = self.build.nodes if self.build else ()
        marts = self._marts()
        return {
            "ok": self.is_good,
            "run_id": self.run_id,
            "warehouse": str(self.data_dir.warehouse),
            "published": str(self.data_dir.published),
            "tables": [line.to_json() for line in self.tables],
            "completeness": asdict(self.completeness) if self.completeness else None,
            "usage": self.usage.to_json() if self.usage else None,
            "drops": [asdict(drop) for drop in self.drops],
            "build": {
                "models": sum(node.kind == "model" for node in nodes),
                "tests": sum(node.kind in ("test", "unit_test") for node in nodes),
                "not_good": [asdict(node) for node in nodes if not node.is_good],
            },
            "marts": {name: len(rows) for name, (_, rows) in marts.items()},
            "seconds": {step: round(s, 2) for step, s in self.seconds.items()},
            "problems": self.problems,
        }

    def show(self, console: Console) -> None:
        """Print the outcome for a person."""
        for name, (columns, rows) in self._marts().items():
            console.print(_grid(name, columns, rows, console.width))
        for drop in self.drops:
            _say(console, f"{drop.file}: {drop.outcome}: {drop.detail}")
        if self.tables:
            console.print()
            _say(console, "reconciliation (rows)", "bold")
        for line in self.tables:
            _say(console, sentence(line, max(len(each.table) for each in self.tables)))
        if self.usage is not None:
            _say(console, usage_sentence(self.usage))
        if self.completeness is not None:
            for text in lines((self.completeness,)):
                _say(console, text)
        if self.tables and not any(line.inserted or line.updated for line in self.tables):
            _say(console, "nothing new: the source has no row that the warehouse does not have")
        if self.build is not None:
            console.print()
            _say(console, _built(self.build))
            for node in self.build.nodes:
                if not node.is_good:
                    _say(console, f"  {node.status}: {node.name}: {node.message}", "red")
        console.print()
        _say(console, " · ".join(f"{step} {seconds:.1f} s" for step, seconds in self.seconds.items()))
        _say(console, str(self.data_dir.published))

    def _marts(self) -> Marts:
        """Return the published marts after a build; if they cannot be read, add a problem to this report."""
        if self.build is None:
            return {}
        try:
            return _marts(self.data_dir.published)
        except MillraceError as error:
            self.problems.append(with_remedy(error, laptop(self.data_dir.root)))
            return {}


def _say(console: Console, line: str, style: str = "") -> None:
    """Print one line as `Text`: rich would read markup, links and emoji in a `str`."""
    console.print(Text(printable(line), style), soft_wrap=True)


def _marts(path: Path) -> Marts:
    """Return every mart with its main columns, newest first; none before the first good build."""
    if not path.exists():
        return {}
    with open_read_only(path, "published") as published:
        tables = published.query("select table_name from information_schema.tables where table_schema = 'mart'")
        existing = {row["table_name"] for row in tables}
        marts: Marts = {}
        for name, columns in _MARTS.items():
            if name in existing:
                order = f"{columns[0]} desc, {columns[2]} desc nulls last, {columns[1]}"
                query = f"select {', '.join(columns)} from mart.{name} order by {order}"  # noqa: S608 our own names
                marts[name] = (columns, [tuple(row.values()) for row in published.query(query)])
        return marts


def _grid(name: str, columns: Sequence[str], rows: list[tuple[Any, ...]], width: int) -> Grid:
    cells = [[_cell(value) for value in row] for row in rows[:_ROWS]]
    widths = _widths(columns, cells, width)
    more = f", the newest {_ROWS}" if len(rows) > _ROWS else ""
    left_out = [column.replace("_", " ") for column in columns[len(widths) :]]
    no_room = f"; no room for {', '.join(left_out)}" if left_out else ""
    title = f"mart.{name}: {len(rows):,} rows{more}{no_room}"
    grid = Grid(title=title, title_justify="left", title_style="bold", box=None)
    for column, size in zip(columns, widths, strict=False):
        is_text = column in _TEXTS
        head = column.replace("_", " ")
        grid.add_column(head, width=size, justify="left" if is_text else "right", style="" if is_text else "cyan")
    for row in cells:
        grid.add_row(*(Text(_cut(cell, size)) for cell, size in zip(row, widths, strict=False)))
    return grid


def _widths(columns: Sequence[str], cells: list[list[str]], width: int) -> list[int]:
    """Return the widths of the first columns, as many as fit. Only names are cut, and only heads have several lines."""
    heads = [column.split("_") for column in columns]
    needed = [max([0, *(len(row[place]) for row in cells)]) for place in range(len(columns))]
    in_a_line = [max(size, len(" ".join(head))) for size, head in zip(needed, heads, strict=True)]
    if sum(in_a_line) + _PADDING * len(columns) <= width:
        return in_a_line
    sizes = [max(size, *map(len, head)) for size, head in zip(needed, heads, strict=True)]
    names = [place for place, column in enumerate(columns) if column in _NAMES]
    least = [min(size, _LEAST_NAME) if place in names else size for place, size in enumerate(sizes)]
    while len(least) > _FEWEST and sum(least) + _PADDING * len(least) > width:
        least.pop()
    spare = width - sum(least) - _PADDING * len(least)
    for place in names:
        if place < len(least) and spare > 0:
            wider = min(spare, sizes[place] - least[place])
            least[place] += wider
            spare -= wider
    return least


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float | Decimal) else printable(value)


def sentence(line: Reconciliation, width: int = 14) -> str:
    """Return the reconciliation line of a table, from the source to the warehouse; `width` is that of its name."""
    read = f"{line.extracted:,} extracted" + (f" + {line.known:,} known" if line.known else "")
    again = f" ({line.written:,} written, some read twice)" if line.written != line.extracted else ""
    parts = [f"{line.inserted:,} inserted", f"{line.updated:,} updated", f"{line.unchanged:,} unchanged"]
    parts += [f"{n:,} {word}" for n, word in ((line.superseded, "superseded"), (line.missing, "missing")) if n]
    parts.append(f"{line.quarantined:,} quarantined")
    mark = "✓" if line.is_balanced else "✗"
    older = f"; {line.older:,} rows of this run are older than what is stored" if line.older else ""
    return f"  {mark} {line.table:<{width}} source {line.source_total:,} = {read}{again} = {' + '.join(parts)}{older}"


def usage_sentence(usage: SimulatedUsage) -> str:
    """Return the reconciliation line of usage, from the machines to the warehouse."""
    parts = [f"{usage.inserted:,} inserted", f"{usage.updated:,} updated", f"{usage.unchanged:,} unchanged"]
    parts.append(f"{usage.quarantined:,} quarantined")
    mark, bad = "✓" if usage.is_balanced else "✗", f", {usage.bad_files:,} logs unreadable" if usage.bad_files else ""
    machines = f"{usage.machines:,} machines{bad}"
    return f"  {mark} {'usage_events':<14} {machines} = {usage.events:,} new or changed = {' + '.join(parts)}"


def _built(build: Build) -> str:
    bad = [node for node in build.nodes if not node.is_good]
    verdict = "all passed" if not bad else f"{len(bad)} not good"
    return f"dbt: {build.count('model')} models, {build.count('test', 'unit_test')} tests, {verdict}"
