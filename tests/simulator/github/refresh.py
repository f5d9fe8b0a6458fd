"""Refresh the pinned schemas of GitHub: `python -m tests.simulator.github.refresh --help`.

npm downloads the two packages. Both are under the MIT licence, which is pinned with them.
"""

import argparse
import gzip
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.simulator.github.cutting import cut_schema, trim_openapi

ROOT = Path(__file__).parents[3]
PINNED = ROOT / "tests/golden/github"
SERVED = ROOT / "local/simulator/github/pinned"
GRAPHQL = "15.26.1"
OPENAPI = "23.0.2"


def main() -> None:
    """Download the packages, and write the pinned files."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.github.refresh", description=__doc__)
    parser.add_argument("--graphql", default=GRAPHQL, help="version of @octokit/graphql-schema (default %(default)s)")
    parser.add_argument("--openapi", default=OPENAPI, help="version of @octokit/openapi (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        schema, licence = _unpacked(
            folder, f"@octokit/graphql-schema@{options.graphql}", "schema.graphql", "LICENSE.md"
        )
        # A date in the header would make each refresh a change.
        (PINNED / "schema.graphql.gz").write_bytes(gzip.compress(schema, mtime=0))
        (PINNED / "LICENSE-graphql-schema.md").write_bytes(licence)
        (SERVED / "LICENSE.md").write_bytes(licence)
        (SERVED / "schema.graphql").write_text(cut_schema(schema.decode()), encoding="utf-8")
        openapi, licence = _unpacked(
            folder, f"@octokit/openapi@{options.openapi}", "generated/api.github.com.json", "LICENSE"
        )
        trimmed = json.dumps(trim_openapi(json.loads(openapi)), indent=1) + "\n"
        (PINNED / "openapi.json").write_text(trimmed, encoding="utf-8")
        (PINNED / "LICENSE-openapi").write_bytes(licence)


def _unpacked(folder: str, package: str, *names: str) -> list[bytes]:
    """Return these files of a package."""
    command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
    archive = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    with tarfile.open(Path(folder) / archive) as files:
        return [part.read() for name in names if (part := files.extractfile(f"package/{name}"))]


if __name__ == "__main__":
    main()
