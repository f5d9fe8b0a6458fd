"""Call every route of the read API with many generated parameters: see --help."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.api.conftest import build_store
from tests.api.generated import SEED, call_all, known_names

from millrace.laptop.data_dir import DataDir
from millrace.status import remedies
from millrace.wiring import api_of


def main() -> int:
    """Print the calls of each route and all failures. Return 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.api", description=__doc__)
    parser.add_argument("--examples", type=int, default=1_000, help="made-up calls of each route (default 1000)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"(default {SEED})")
    parser.add_argument("--data-dir", type=Path, help="a built data directory (default: one is built)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = DataDir(options.data_dir.resolve()) if options.data_dir else build_store(DataDir(Path(folder)))
        began = time.monotonic()
        calls = call_all(
            api_of(place.api_config(), remedies.LAPTOP), options.examples, known_names(place.published), options.seed
        )
    print(calls)  # noqa: T201 the command's output
    print(f"{time.monotonic() - began:.0f} s; seed {options.seed}")  # noqa: T201 likewise
    return 1 if calls.failures else 0


if __name__ == "__main__":
    sys.exit(main())
