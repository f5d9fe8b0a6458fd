"""Kill a real run at every step, one after the other: `make faults-kill`. A plain run follows each kill."""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.killing.killing import contents, run, unsettled


def main() -> int:
    """Kill at every step (or at every n-th, with an argument), and say how many came through."""
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean = run(folder / "clean")
        expected = contents(folder / "clean")
        killed = 0
        for step in range(1, clean.steps + 1, stride):
            data = folder / "killed"
            shutil.rmtree(data, ignore_errors=True)
            killed += run(data, step).code == -9
            finished = run(data)
            if finished.code or contents(data) != expected or unsettled(data):
                print(f"step {step}: code {finished.code}, {unsettled(data)}\n{finished.err}")  # noqa: T201
                return 1
            print(f"step {step} of {clean.steps}: killed, finished by the next run", flush=True)  # noqa: T201
    print(f"{killed} kills at {clean.steps} steps; every time the next run ended as the clean one")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
