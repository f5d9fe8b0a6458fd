"""The command `millrace` in a process of its own, which notes at its end what it took.

`python -m bench.child FILE ARGUMENT …` writes `{"code": …, "peak_bytes": …}` to FILE.
"""

import json
import sys
from pathlib import Path

from millrace.cli import main as cli


def main(target: str, arguments: list[str]) -> int:
    """Run the command, and return its exit code; when it does not come to its end, nothing is noted."""
    code = cli.main(arguments)
    Path(target).write_text(json.dumps({"code": code, "peak_bytes": _peak_bytes()}))
    return code


def _peak_bytes() -> int:
    """Return the most memory that this process had; `ru_maxrss` would start from its parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
    return int(kilobytes) * 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
