"""The command `millrace` in a process of its own, which writes its exit code and peak memory at its end.

`python -m bench.child FILE ARGUMENT …` writes `{"code": …, "peak_bytes": …}` to FILE.
"""

import json
import sys
from pathlib import Path

from millrace.cli import main as cli


def main(target: str, arguments: list[str]) -> int:
    """Run the command, and return its exit code. If it does not reach its end, nothing is written."""
    code = cli.main(arguments)
    Path(target).write_text(json.dumps({"code": code, "peak_bytes": peak_bytes()}))
    return code


def peak_bytes() -> int:
    """Return the peak memory of this process; `ru_maxrss` would start from its parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
    return int(kilobytes) * 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
