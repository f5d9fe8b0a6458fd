"""Refresh the incremental marts without starting dbt: by its own statements, over a connection that is open.

dbt is the only definition of a mart. What it ran last for each mart of the materialization `affected_keys` lies in its
target directory, and depends on nothing but the warehouse: it may be run again and again. All marts are refreshed in
one transaction, so that they never tell of different events.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from millrace.errors import ConfigError, Step


class Scripted(Protocol):
    """A warehouse that runs dbt's statements."""

    def run_scripts(self, scripts: Sequence[str]) -> None:
        """Run them in their order, in one transaction."""


@dataclass(frozen=True, slots=True)
class MartScripts:
    """The incremental marts in the order in which they are refreshed, and of each what dbt ran."""

    marts: dict[str, str]

    @classmethod
    def of_last_build(cls, target_dir: Path) -> Self:
        """Read what the last build left; ConfigError when none did."""
        try:
            manifest = json.loads((target_dir / "manifest.json").read_bytes())
            nodes = [
                node for node in manifest["nodes"].values() if node["config"].get("materialized") == "affected_keys"
            ]
            nodes.sort(key=lambda node: (bool(node["config"].get("follows")), node["name"]))
            run = target_dir / "run"
            return cls({node["name"]: _script(run, node["package_name"], node["original_file_path"]) for node in nodes})
        except (OSError, ValueError, KeyError) as error:
            said = f"{target_dir} holds no build of the usage marts ({error})"
            raise ConfigError(said, step=Step.REBUILD) from error

    def refresh(self, warehouse: Scripted) -> None:
        """Bring all of them up to what is loaded."""
        warehouse.run_scripts(list(self.marts.values()))


def _script(run: Path, package: str, file: str) -> str:
    return (run / package / file).read_text()
