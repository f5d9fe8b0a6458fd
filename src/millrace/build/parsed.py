"""dbt's parse of the project, made before it is needed: the image of the job ships it, and a build hands it to dbt.

dbt uses a former parse only if every value of the connection is the same, also the account, the user and the host,
which no model contains. They are not known when the image is built, so dbt would parse at each start. To hand it a
manifest is documented, and then it checks nothing: https://docs.getdbt.com/reference/programmatic-invocations
So this compares all that a parse depends on: the files of the project and where they lie, the versions of dbt, the
target, and its settings but for those that appear in no model.

`python -m millrace.build.parsed FOLDER TARGET [SETTING=VALUE...]` parses the project in a folder.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from millrace.errors import TerminalError
from millrace.warehouse import DbtTarget

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DBT = ("dbt-adapters", "dbt-common", "dbt-core", "dbt-duckdb", "dbt-snowflake")
_NOT_OF_THE_PROJECT = {".user.yml", "__pycache__", "logs", "target"}
# A setting that is not listed here is taken to change the parse: one that is new can only cost time.
_IN_NO_MODEL = {
    "DBT_ENV_SECRET_MILLRACE_SNOWFLAKE_KEY",
    "MILLRACE_DUCKDB_MEMORY",
    *(
        f"MILLRACE_SNOWFLAKE_{name}"
        for name in ("ACCOUNT", "AUTHENTICATOR", "HOST", "PORT", "PROTOCOL", "ROLE", "USER", "WAREHOUSE")
    ),
}


def fingerprint(project: Path, target: DbtTarget, versions: tuple[str, ...] = ()) -> str:
    """Return the hash of all that a parse depends on; `versions` are those of dbt, by default the installed ones."""
    parts = [target.name, str(project.resolve()), *(versions or (f"{name}=={version(name)}" for name in _DBT))]
    parts += [f"{name}={value}" for name, value in sorted(target.settings.items()) if name not in _IN_NO_MODEL]
    parts += _contents(project)
    return _hash("\0".join(parts).encode())


def project_hash(project: Path) -> str:
    """Return the hash of the project's files, wherever the project lies: another one makes a build due."""
    return _hash("\0".join(_contents(project)).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _contents(project: Path) -> list[str]:
    """Return the name and the hash of each file of the project."""
    return [f"{path.relative_to(project).as_posix()} {_hash(path.read_bytes())}" for path in _files(project)]


def _files(project: Path) -> Iterator[Path]:
    """Yield the files of the project, in order."""
    for path in sorted(project.rglob("*")):
        if path.is_file() and not _NOT_OF_THE_PROJECT & set(path.relative_to(project).parts):
            yield path


def _kept(project: Path, target: DbtTarget) -> tuple[Path, Path]:
    """Return the paths of the parse and of its fingerprint."""
    folder = project / "target" / target.name
    return folder / "partial_parse.msgpack", folder / "fingerprint"


def keep(project: Path, target: DbtTarget) -> None:
    """Parse the project for a target and keep the result beside it; TerminalError when dbt cannot."""
    for name, value in target.settings.items():
        os.environ[name] = value
    from dbt.cli.main import dbtRunner  # takes seconds

    parse, of = _kept(project, target)
    with tempfile.TemporaryDirectory() as work:
        where = ["--project-dir", str(project), "--profiles-dir", str(project), "--target", target.name]
        result = dbtRunner().invoke(["--quiet", "parse", *where, "--target-path", work, "--log-path", work])
        if not result.success:
            raise TerminalError(f"dbt could not parse {project} for {target.name}: {result.exception}")
        parse.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(work, parse.name), parse)
    of.write_text(fingerprint(project, target))


def handed(project: Path, target: DbtTarget) -> "Manifest | None":
    """Return the kept parse, to be handed to dbt; None when there is none, or one of something else."""
    parse, of = _kept(project, target)
    if not of.exists() or of.read_text() != fingerprint(project, target):
        return None
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest.from_msgpack(parse.read_bytes())
    manifest.build_flat_graph()  # type: ignore[no-untyped-call] # the variable `graph`, which is not stored
    return manifest


def main(project: str, target: str, *settings: str) -> None:
    """Parse the project in a folder for a target with settings."""
    keep(Path(project).resolve(), DbtTarget(target, dict(each.split("=", 1) for each in settings)))


if __name__ == "__main__":
    main(*sys.argv[1:])
