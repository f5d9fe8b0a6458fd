"""Loads the same objects into both engines, and compares every table built from them."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.proofs.parity.comparing import Compared, Difference, compare
from tests.proofs.parity.engines import Engine, Outcome
from tests.proofs.parity.extracted import Extracted

from millrace.tables import LOAD_SEQ, TABLES

FOLLOWING = ("--select", "+config.materialized:affected_keys", "--exclude-resource-type", "test", "unit_test")
_BETWEEN = "int_pull_requests_measured"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome; `builds` by the name of the engine."""

    builds: dict[str, list[Outcome]]
    tables: tuple[Compared, ...]

    @property
    def differences(self) -> list[Difference]:
        """All differences."""
        return [each for table in self.tables for each in table.differences]

    @property
    def is_good(self) -> bool:
        """Return whether everything was built, every test passed, and every cell is the same."""
        return not self.differences and all(each.is_good for build in self.builds.values() for each in build)


def run(
    one: Engine, other: Engine, extracted: Extracted, say: Say = lambda text: None, last: tuple[str, ...] = ()
) -> Report:
    """Load and build both at the same time, then compare.

    Every round but the last builds only the incremental marts, so that they have changes to apply. The `last`
    build is of everything, unless these options of dbt leave something out.
    """

    def filled(engine: Engine) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for number, versions in enumerate(extracted.rounds, 1):
            started = time.monotonic()
            rows = engine.load(extracted.lake, versions)
            loaded = time.monotonic()
            outcomes += engine.build(*(FOLLOWING if number < len(extracted.rounds) else last))
            ended = time.monotonic()
            say(f"{engine.name}: {rows:,} rows loaded in {loaded - started:.1f} s, built in {ended - loaded:.1f} s")
        return outcomes

    with ThreadPoolExecutor(2) as pool:
        builds = dict(zip((one.name, other.name), pool.map(filled, (one, other)), strict=True))
    return Report(builds, tuple(compare_all(one, other)))


def compare_all(one: Engine, other: Engine) -> list[Compared]:
    """Compare the raw tables, the staging models, every mart, and the model of _BETWEEN."""
    raw = [
        compare(f"raw.{name}", table.key, one.rows(f"raw.{name}"), other.rows(f"raw.{name}"), without=[LOAD_SEQ])
        for name, table in TABLES.items()
    ]
    built = [compare(name, key, one.rows(name), other.rows(name)) for name, key in grains(one.manifest).items()]
    return raw + built


def grains(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Return the key of every compared table besides the raw ones, from its own test of the key."""
    nodes = manifest["nodes"]
    tests = [node for node in nodes.values() if (node.get("test_metadata") or {}).get("name") == "unique_grain"]
    keys = {node["attached_node"]: node["test_metadata"]["kwargs"]["columns"] for node in tests}
    built = {unique_id: node for unique_id, node in nodes.items() if node["resource_type"] == "model"}
    wanted = [each for each, node in built.items() if node["schema"] in ("staging", "mart") or node["name"] == _BETWEEN]
    return {f"{built[each]['schema']}.{built[each]['name']}": list(keys[each]) for each in sorted(wanted)}
