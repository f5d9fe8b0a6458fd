"""Refresh the incremental marts without starting dbt: run its own statements over an open connection.

dbt holds the only definition of a mart. Its target directory holds the statements that it ran last for each mart of
the materialization `affected_keys`. They depend on nothing but the warehouse, so they can be run again and again. One
transaction refreshes all marts, so that they never cover different events.
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
        """Run the scripts in order, in one transaction."""


@dataclass(frozen=True, slots=True)
class MartScripts:
    """The incremental marts in the order of their refresh, each with the statements that dbt ran."""

    marts: dict[str, str]

    @classmethod
    def of_last_build(cls, target_dir: Path) -> Self:
        """Read the scripts of the last build; ConfigError when there are none."""
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
        """Bring all marts up to date with the raw tables."""
        warehouse.run_scripts(list(self.marts.values()))


def _script(run: Path, package: str, file: str) -> str:
    return (run / package / file).read_text()
