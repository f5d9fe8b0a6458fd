"""Other counters of tokens on the homes of `tests/golden/usage-cases`, beside ours and what is right.

npm installs the newest version of each that there is for this machine into a temporary folder. They may run without a
network: prices that a counter does not bring along are then missing, and its costs are no evidence against it.
"""

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.proofs.usage_cases.building import built, costs
from tests.proofs.usage_cases.cases import CASES, Case, Counts

_NODE = 22  # codeburn asks for this one
_INSTALL_S, _RUN_S = 300.0, 120.0
_ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
_SYSTEM = f"{platform.system().lower()}-{_ARCHITECTURE}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a counter says of a home: input, cache reads, cache writes, output, and USD; a cost of None is unknown."""

    tokens: tuple[int, int, int, int]
    cost_usd: Decimal | None

    def __str__(self) -> str:
        cost = "?" if self.cost_usd is None else f"${self.cost_usd.normalize():f}"
        return f"{'/'.join(map(str, self.tokens))} {cost}"


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter: its package, its command below `node_modules`, and how its JSON is read."""

    name: str
    package: str
    command: tuple[str, ...]
    read: Callable[[Any], Said]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    cells: tuple[str, ...]

    def show(self) -> None:
        """Print it as a row of Markdown."""
        print(f"| {' | '.join(self.cells)} |", flush=True)  # noqa: T201 the command's answer


def _of_ccusage(report: Any) -> Said:
    names = ("inputTokens", "cacheReadTokens", "cacheCreationTokens", "outputTokens")
    days = report["daily"]
    return _said([[day[name] for name in names] for day in days], [day["totalCost"] for day in days])


def _of_tokscale(report: Any) -> Said:
    rows = report["entries"]
    tokens = [[row["input"], row["cacheRead"], row["cacheWrite"], row["output"] + row["reasoning"]] for row in rows]
    return _said(tokens, [row["cost"] for row in rows])


def _of_codeburn(report: Any) -> Said:
    overview = report["overview"]
    tokens = [overview["tokens"][name] for name in ("input", "cacheRead", "cacheWrite", "output")]
    return _said([tokens], [overview["cost"]])


def _said(tokens: list[list[int]], costs: list[float | None]) -> Said:
    sums = tuple(sum(column) for column in zip(*tokens, strict=True)) or (0, 0, 0, 0)
    cost = sum((Decimal(str(cost or 0)) for cost in costs), Decimal(0))
    return Said((sums[0], sums[1], sums[2], sums[3]), round(cost, 8))


COUNTERS = (
    Counter(
        "ccusage",
        f"@ccusage/ccusage-{_SYSTEM}",
        (f"@ccusage/ccusage-{_SYSTEM}/bin/ccusage", "daily", "--json", "--offline"),
        _of_ccusage,
    ),
    Counter(
        "tokscale",
        f"@tokscale/cli-{_SYSTEM}{'-gnu' * (platform.system() == 'Linux')}",
        (f"@tokscale/cli-{_SYSTEM}{'-gnu' * (platform.system() == 'Linux')}/bin/tokscale", "models", "--json"),
        _of_tokscale,
    ),
    Counter(
        "codeburn",
        "codeburn",
        ("node/bin/node", "codeburn/dist/cli.js", "report", "--format", "json", "--period", "all"),
        _of_codeburn,
    ),
)


def counters() -> Iterator[Line]:
    """Yield the table, and how many cases each counter has right: tokens, cost, both."""
    if shutil.which("npm") is None:
        yield Line(("npm is not there: no other counter can be installed",))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        versions = {counter.name: _installed(counter, folder / counter.name) for counter in COUNTERS}
        ours = _ours(folder / "ours")
        heads = ["Millrace", *(f"{counter.name} {versions[counter.name] or 'not installed'}" for counter in COUNTERS)]
        yield Line(("case", "right", *heads))
        yield Line(("---",) * (len(heads) + 2))
        points = [[0, 0, 0] for _ in heads]
        for case in CASES:
            right = _right(case)
            said = [ours[case.name], *(_run(counter, folder, case, versions[counter.name]) for counter in COUNTERS)]
            for point, one in zip(points, said, strict=True):
                marks = _marks(case, right, one)
                point[:] = (have + mark for have, mark in zip(point, (*marks, all(marks)), strict=True))
            cells = [_cell(case, right, one) for one in said]
            yield Line((case.name, str(right), *cells))
        for number, what in enumerate(("tokens right", "cost right", "both right")):
            yield Line((f"{what} of {len(CASES)}", "", *(str(point[number]) for point in points)))


def _right(case: Case) -> Said:
    counts = case.counts
    return Said(_tokens(counts), case.cost_usd)


def _tokens(counts: Counts) -> tuple[int, int, int, int]:
    return counts.input, counts.cache_read, counts.cache_write_5m + counts.cache_write_1h, counts.output


def _marks(case: Case, right: Said, said: Said | None) -> tuple[bool, bool]:
    """Return whether the tokens are right, and the cost; without an expected one, any that is not 0 is right."""
    if said is None:
        return False, False
    if right.cost_usd is None:
        is_cost = said.tokens == right.tokens and said.cost_usd != 0
    else:
        is_cost = said.cost_usd is not None and abs(said.cost_usd - right.cost_usd) < Decimal("1e-6")
    return said.tokens == right.tokens, is_cost


def _cell(case: Case, right: Said, said: Said | None) -> str:
    if said is None:
        return "-"
    return f"**{said}**" if all(_marks(case, right, said)) else str(said)


def _ours(folder: Path) -> dict[str, Said]:
    folder.mkdir()
    found = {}
    for name, rows in built(folder).items():
        known = [cost for cost in costs(rows) if cost is not None]
        is_known = len(known) == len(costs(rows)) > 0
        found[name] = Said(_tokens(Counts.of(rows)), round(sum(known, Decimal(0)), 8) if is_known else None)
    return found


def _installed(counter: Counter, folder: Path) -> str | None:
    """Install a counter; return its version, or None when there is none for this machine."""
    folder.mkdir()
    packages = [counter.package, *([f"node@{_NODE}"] if counter.command[0].startswith("node/") else [])]
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), *packages]
    try:
        subprocess.run(command, timeout=_INSTALL_S, check=True, capture_output=True)  # noqa: S603 our own words
        modules = folder / "node_modules"
        (modules / counter.command[0]).chmod(0o755)
        manifest = json.loads((modules / counter.package / "package.json").read_text())
    except (subprocess.SubprocessError, OSError):
        return None
    return str(manifest["version"])


def _run(counter: Counter, folder: Path, case: Case, version: str | None) -> Said | None:
    """Return what a counter says of a home; None when it says nothing that can be read."""
    if version is None:
        return None
    home = folder / f"{counter.name} {case.name}"
    case.write(home)
    modules = folder / counter.name / "node_modules"
    command = [str(modules / part) if (modules / part).exists() else part for part in counter.command]
    given = {name: value.replace("{home}", str(home)) for name, value in case.environment.items()}
    environment: Mapping[str, str] = {"HOME": str(home), "PATH": os.environ["PATH"], "NO_COLOR": "1"} | given
    try:
        done = subprocess.run(command, timeout=_RUN_S, check=True, capture_output=True, env=environment, cwd=home)  # noqa: S603
        return counter.read(json.loads(done.stdout))
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError):
        return None
