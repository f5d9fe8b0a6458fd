"""The rig that builds and runs images without a daemon or a registry, where it is installed."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
DOCKERFILE = "jobs/dbt-runner/Dockerfile"
SCRIPT = PROJECT / "terraform" / "modules" / "image" / "build.sh"
IMAGE = "localhost/millrace-dbt-runner-test"
ALONE = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges")  # noqa: S108
FOLDER = Path(os.environ.get("OCIRIG", PROJECT.parent / "shared" / "tools" / "ocirig"))
MISSING = f"there is no ocirig in {FOLDER}; OCIRIG may name another folder"


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code and the output of a program."""

    code: int
    out: str
    err: str


def rig(tool: str, *arguments: str) -> Ended:
    """Run one of the rig's tools to its end."""
    line = [str(FOLDER / tool), *arguments]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=900)
    return Ended(done.returncode, done.stdout, done.stderr)


def run(*arguments: str, options: tuple[str, ...] = ALONE) -> Ended:
    """Run the image without network, capabilities or a root file system that it could write to."""
    return rig("ocirun", *options, *arguments)
