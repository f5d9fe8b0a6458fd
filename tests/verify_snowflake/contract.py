"""The contract suite of the warehouse, run by pytest in a process of its own against the database."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from tests.verify_snowflake.checking import Unexpected
from tests.verify_snowflake.place import Place, environment

SUITE = (
    "test_warehouse.py",
    "test_warehouse_order.py",
    "test_warehouse_snowflake.py",
    "test_bundle.py",
    "test_stamps.py",
    "test_build_log.py",
)
_TESTS = Path(__file__).parents[1]
_SHOWN = 20


def suite(place: Place) -> Iterator[str]:
    """Run the suite; say how many tests passed, and which were skipped for which reason."""
    found = place.folder / "contract.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not proof", "-p", "tests.verify_snowflake.contract_plugin"]
    command += [f"--junitxml={found}", *(str(_TESTS / "contract" / name) for name in SUITE)]
    done = subprocess.run(
        command, cwd=_TESTS.parent, env=environment(place.address), capture_output=True, text=True, check=False
    )
    if not found.exists():
        raise Unexpected(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}")
    cases = list(ElementTree.parse(found).iter("testcase"))  # noqa: S314 pytest wrote it just now
    skipped = Counter(each.attrib["message"] for case in cases for each in case.iter("skipped"))
    failed = [_named(case) for case in cases if case.find("failure") is not None or case.find("error") is not None]
    yield f"{len(cases) - len(failed) - skipped.total()} of {len(cases)} tests passed"
    for reason, count in skipped.items():
        yield f"{count} skipped: {reason}"
    for name in failed[:_SHOWN]:
        yield f"failed: {name}"
    if failed or done.returncode not in (0, 1):
        raise Unexpected(f"{len(failed)} tests failed, pytest ended with {done.returncode}; the first is {failed[:1]}")


def _named(case: ElementTree.Element) -> str:
    said = next((part.attrib.get("message", "") for part in case if part.tag in ("failure", "error")), "")
    return f"{case.attrib['name']}: {said.splitlines()[0] if said else ''}"
