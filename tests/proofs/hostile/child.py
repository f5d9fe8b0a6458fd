"""Load one object, and a good one after it, with the real adapters in a process of its own; print the cost.

python -m tests.proofs.hostile.child <folder with lake, quarantine and warehouse> <name of the object>
"""

import json
import sys
import time
from pathlib import Path

from millrace import log
from millrace.bus.events import ObjectFinalized
from millrace.lake import names
from millrace.lake.local import LocalLake
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.wiring import RequestedBuilds


def main(folder: Path, name: str) -> dict[str, object]:
    lake, quarantine = (LocalLake(folder / each, each) for each in ("lake", "quarantine"))
    (stored,) = lake.list(name)
    good = lake.write("drop/repos/good.ndjson", b'{"full_name": "good"}', 0)
    with DuckDBWarehouse(folder / "warehouse.duckdb") as warehouse:
        loader = Loader(lake, quarantine, warehouse, RequestedBuilds())
        began = time.monotonic()
        handler.answer(loader, ObjectFinalized(stored.version, None))
        seconds = time.monotonic() - began
        handler.answer(loader, ObjectFinalized(good.version, None))
        entry, beside = warehouse.find(stored.version), warehouse.find(good.version)
    assert entry is not None
    assert beside is not None
    assert beside.rows_inserted == 1
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]  # ru_maxrss starts from the parent's
    why = quarantine.read(f"{names.quarantine_name(stored.version)}.json")[0] if entry.quarantine_reason else b"{}"
    return {
        "reason": entry.quarantine_reason,
        "message": json.loads(why).get("message"),
        "rows": entry.rows_read,
        "peak_mb": int(peak) // 1024,
        "seconds": seconds,
    }


if __name__ == "__main__":
    log.start()
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
