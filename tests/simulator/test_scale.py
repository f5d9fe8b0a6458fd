"""A large world stays small in memory; `make bench` measures its speed."""

import subprocess
import sys

SCRIPT = """
from datetime import UTC, datetime
from pathlib import Path
import simulator
from simulator.api import SimulatedApi
world = simulator.generate(developers=200, days=9, seed=5, velocity="high", end=datetime(2026, 11, 1, tzinfo=UTC))
api = SimulatedApi(world)
for page in range(1, 101):
    api.answer(f"/analytics/github/prs?page={page}&page_size=100", "Basic Y3Vyc29yLXNpbS1kZXYta2V5Og==")
rows = len(world.commits.rows) + len(world.pulls.rows) + len(world.reviews.rows)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(rows, int(status["VmHWM"].split()[0]) // 1024)
"""


def test_a_tenth_of_the_largest_world_takes_a_tenth_of_its_memory() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600, check=True)
    rows, peak_mb = map(int, done.stdout.split())
    assert rows > 43_000
    assert peak_mb < 100
