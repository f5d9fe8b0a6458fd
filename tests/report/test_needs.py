"""The report runs where only click and filelock are installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.laptop.project import PROJECT

REFUSED = (
    *("pyarrow", "google_crc32c", "google", "duckdb", "dbt", "fastapi", "requests", "rich", "watchfiles"),
    "cloudevents",
)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["daily", "session", "blocks"])
def test_report_needs_two_libraries(machine: Machine, table: str, tmp_path: Path) -> None:
    machine.log("claude").write_bytes(response("m1"))
    machine.log("codex").write_bytes(b"{}\n")
    program = f"""import sys
sys.modules.update(dict.fromkeys({REFUSED!r}))
from millrace.cli.main import main
code = main(["report", {table!r}, "--home", {str(machine.home)!r}])
known = {{"click", "filelock", "millrace", "colorama", *sys.stdlib_module_names, *{REFUSED!r}}}
loaded = {{name.partition(".")[0] for name in sys.modules}}
print("more:", sorted(name for name in loaded - known if not name.startswith("_")))
sys.exit(code)
"""
    environment = {"PYTHONPATH": str(PROJECT / "src"), "MILLRACE_COLLECT_STATE": str(tmp_path / "state")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "more: []"), done.stdout + done.stderr


def test_lock_of_the_report_has_the_libraries_of_its_group() -> None:
    lock = (PROJECT / "requirements" / "report.txt").read_text()
    names = [line.partition("==")[0] for line in lock.splitlines() if "==" in line]
    assert names == ["click", "colorama", "filelock"]
