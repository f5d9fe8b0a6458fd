"""The rig that builds and runs images without a daemon or a registry, where it is installed."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[3]
DOCKERFILE = "jobs/dbt-runner/Dockerfile"
SCRIPT = PROJECT / "terraform" / "modules" / "image" / "build.sh"
REGISTRY = "localhost/millrace-test"
FUNCTIONS, JOB = (f"{REGISTRY}/{name}:prove" for name in ("functions", "dbt-runner"))
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


_GCLOUD = """#!/bin/sh
[ "$1" = builds ] || exit 1
for each in "$@"; do
  case "$each" in --config=*) cp "${each#--config=}" "$(dirname "$0")/config.yaml" ;; esac
done
"""
# docker, as the steps of the build use it, over the rig.
_DOCKER = """#!/bin/bash
set -eu
. "$OCIRIG/env.sh"
ocirig_conf
case "$1" in
  pull) podman image exists "localhost/${!#}" ;;
  inspect) podman image inspect --format "$3" "localhost/$4" ;;
  build)
    shift
    options=()
    while [ $# -gt 1 ]; do
      case "$1" in --file) file=$2 ;; *) options+=("$1" "$2") ;; esac
      shift 2
    done
    exec "$OCIRIG/ocibuild" "$1" "$file" "${options[@]}"
    ;;
  *) exit 2 ;;
esac
"""


def steps(folder: Path) -> list[dict[str, Any]]:
    """Return the steps of the build that Terraform's script asks Cloud Build for."""
    program = folder / "gcloud"
    program.write_text(_GCLOUD)
    program.chmod(0o755)
    settings = {"ACCOUNT": "a", "BUCKET": "b", "DATABASE": "MILLRACE", "PROJECT": "p", "REGION": "r"}
    settings |= {"ROOT": str(PROJECT)}
    settings |= {"PYTHON": "python:3.12-slim-bookworm", "REGISTRY": REGISTRY, "TAG": "prove"}
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", str(SCRIPT)], env=settings | {"PATH": path}, check=True, capture_output=True, timeout=60)
    found: list[dict[str, Any]] = yaml.safe_load((folder / "config.yaml").read_text())["steps"]
    return found


def build(folder: Path) -> str:
    """Build both images as Cloud Build would, by the steps of Terraform's script; return the line about each."""
    docker = folder / "docker"
    made = []
    for number, step in enumerate(steps(folder)):
        docker.write_text(_DOCKER)
        docker.chmod(0o755)
        script = folder / f"step-{number}"
        script.write_text(step["script"].replace("/workspace/", f"{folder}/"))
        environment = dict(each.split("=", 1) for each in step["env"])
        environment |= {"OCIRIG": str(FOLDER), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", str(script)],
            cwd=PROJECT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        if done.returncode:
            raise AssertionError(f"{done.stdout}{done.stderr}"[-3000:])
        made += [line for line in done.stdout.splitlines() if line.startswith(REGISTRY)]
    return "\n".join(made)


def image(name: str) -> dict[str, Any]:
    """Return what the store says of an image."""
    line = '. "$0/env.sh"; ocirig_conf; podman image inspect "$1"'
    done = subprocess.run(["bash", "-c", line, str(FOLDER), name], capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    return dict(found)


def run(*arguments: str, options: tuple[str, ...] = ALONE) -> Ended:
    """Run the image without network, capabilities or a root file system that it could write to."""
    return rig("ocirun", *options, *arguments)
