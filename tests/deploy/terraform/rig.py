"""Run Terraform over a copy of the project: with emulated providers if their rig is installed, otherwise as it is."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
RIG = Path(os.environ.get("TFRIG", PROJECT.parent / "shared" / "tools" / "tfrig"))
PLAIN_WORD = f"no terraform with reachable providers, and no rig with stand-ins in {RIG} (TFRIG names another folder)"
_NEEDED = ("terraform", "functions", "jobs", "src", "requirements")
_LEFT_OUT = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__", "target", "logs")
SETTINGS = {
    "TF_VAR_project_id": "acme-millrace",
    "TF_VAR_snowflake_account": "acme-millrace",
    "TF_VAR_source_key": "key-of-the-source",
    "TF_VAR_source_url": "https://source.example",
}
_GCLOUD = '#!/bin/sh\necho "$@" >>"$(dirname "$0")/called"\ncase "$*" in *describe*) exit 1 ;; esac\n'


def has_rig() -> bool:
    """Return whether Terraform can run with emulated providers here."""
    return (RIG / "tfcheck").exists() and shutil.which("terraform") is not None


@cache
def _emulated() -> dict[str, str]:
    """Return the variables by which terraform finds the emulated providers."""
    if not has_rig():
        return {}
    command = [sys.executable, str(RIG / "tfcheck"), "env"]
    exports = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(shlex.split(line)[1].split("=", 1) for line in exports)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the files that Terraform reads, to be run, or to be broken first."""

    folder: Path

    @classmethod
    def into(cls, folder: Path, hollow: bool = False) -> "Copy":
        """Copy the project's files, and put a gcloud beside them that only records its calls.

        In a hollow copy, each file of an image holds only its path, which takes less time.
        """
        for name in _NEEDED:
            shutil.copytree(PROJECT / name, folder / name, ignore=_LEFT_OUT)
        if hollow:
            packed = [path for name in _NEEDED[1:] for path in (folder / name).rglob("*") if path.is_file()]
            for path in packed:
                path.write_text(path.relative_to(folder).as_posix())
        (folder / "bin").mkdir()
        (folder / "bin" / "gcloud").write_text(_GCLOUD)
        (folder / "bin" / "gcloud").chmod(0o755)
        return cls(folder)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace a text that must be in the file."""
        path = self.folder / "terraform" / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def check(self, *options: str, folder: str = "terraform") -> subprocess.CompletedProcess[str]:
        """Run the rig's check of a root module; its exit code is 0 when nothing was found."""
        command = [sys.executable, str(RIG / "tfcheck"), folder, "--root", ".", "--strict", *options]
        return self._run(*command)

    def terraform(self, *arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """Run terraform itself, with emulated providers if their rig is installed, and without one of the settings."""
        return self._run("terraform", "-chdir=terraform", *arguments, timeout_s=900, without=without)

    def script(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a script that runs terraform."""
        return self._run(*command, timeout_s=900)

    def changes(self, plan: str) -> dict[str, Any]:
        """Return the planned changes of a saved plan, by address."""
        shown = json.loads(self.terraform("show", "-json", plan).stdout)
        return {each["address"]: each for each in shown["resource_changes"] if each["mode"] == "managed"}

    def plan(self, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """Return the ended check of the rig, and the plan that it made."""
        path = self.folder / "plan.json"
        checked = self.check("--plan-json", str(path), "--graph", str(self.folder / "plan.dot"), *options)
        return checked, json.loads(path.read_text()) if path.exists() else {}

    def waits_for(self) -> dict[str, set[str]]:
        """Return all that each resource of the last plan depends on, without the keys of instances."""
        edges: dict[str, set[str]] = {}
        for after, before in re.findall(r'^  "([^"]+)" -> "([^"]+)";$', (self.folder / "plan.dot").read_text(), re.M):
            edges.setdefault(after, set()).add(before)

        @cache
        def everything(name: str) -> frozenset[str]:
            return frozenset().union(*({each} | everything(each) for each in edges.get(name, ())))

        return {name: set(everything(name)) for name in edges}

    def gcloud_calls(self) -> list[str]:
        """Return the recorded calls of gcloud."""
        called = self.folder / "bin" / "called"
        return called.read_text().splitlines() if called.exists() else []

    def _run(self, *command: str, timeout_s: float = 300, without: str = "") -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **_emulated(), **SETTINGS, "PATH": path}
        environment.pop(without, None)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout_s
        )
