"""A wheel holds the package and the user's folders, and names its owner; an sdist builds the same wheel."""

import email
import re
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from tests.deploy.packages.packaging import PROJECT, build

NEEDED = (
    "millrace/api/definitions.json",
    "millrace/api/page/app.js",
    "millrace/api/page/index.html",
    "millrace/api/page/style.css",
    "millrace/project/functions/extract/main.py",
    "millrace/project/functions/load/main.py",
    "millrace/project/jobs/dbt-runner/dbt/dbt_project.yml",
    "millrace/project/jobs/dbt-runner/dbt/profiles.yml",
    "millrace/prices.py",
    "millrace/project/jobs/dbt-runner/dbt/seeds/usage_model_aliases.csv",
    "millrace/project/jobs/dbt-runner/dbt/seeds/usage_model_rules.csv",
    "millrace/project/jobs/dbt-runner/dbt/seeds/usage_prices.csv",
    "millrace/project/jobs/dbt-runner/dbt/seeds/usage_prices_second.csv",
    "millrace/project/local/simulator/__main__.py",
    "millrace/py.typed",
)


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def in_the_checkout() -> dict[str, Path]:
    """Return the files that belong in a wheel, by their name in it."""
    package = [path for path in (PROJECT / "src" / "millrace").rglob("*") if path.is_file()]
    folders = [path for name in ("jobs/dbt-runner/dbt", "local/simulator") for path in (PROJECT / name).rglob("*.*")]
    users = [*PROJECT.glob("functions/*/main.py"), *(path for path in folders if path.is_file())]
    named = {path.relative_to(PROJECT / "src").as_posix(): path for path in package}
    named |= {f"millrace/project/{path.relative_to(PROJECT).as_posix()}": path for path in users}
    return {name: path for name, path in named.items() if not re.search(r"/__pycache__/|/dbt/(target|logs)/", name)}


def test_wheel_holds_the_package_and_the_users_folders(wheel: Path) -> None:
    held = contents(wheel)
    assert set(NEEDED) <= held.keys()
    assert held == {name: path.read_bytes() for name, path in in_the_checkout().items()}


def test_wheel_has_every_kind_of_file_that_terraform_packs(wheel: Path) -> None:
    (kinds,) = re.findall(r'"src/millrace/\*\*/\*\.\{([\w,]+)\}"', (PROJECT / "terraform" / "images.tf").read_text())
    package = [name for name in contents(wheel) if not name.startswith("millrace/project/")]
    assert {name.rpartition(".")[2] for name in package} == set(kinds.split(","))


def test_sdist_builds_the_same_wheel_in_a_used_checkout(built: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (project,) = tmp_path.iterdir()
    dbt = project / "jobs" / "dbt-runner" / "dbt"
    (dbt / ".user.yml").write_text("id: 1\n")
    for leftover in (dbt / "target" / "manifest.json", dbt / "logs" / "dbt.log", project / "local/emulators/a.py"):
        leftover.parent.mkdir()
        leftover.touch()
    build(project, tmp_path / "again")
    (again,) = (tmp_path / "again").glob("*.whl")
    assert contents(again) == contents(wheel)


def test_metadata_names_the_distribution_and_never_its_namesake(metadata: Message) -> None:
    assert metadata["Name"] == "millrace-elt"
    required = metadata.get_all("Requires-Dist", [])
    assert [each for each in required if re.match(r"millrace(?!-elt\b)", each, re.IGNORECASE)] == []
    assert any(each.startswith("click") and "extra" not in each for each in required)


def test_metadata_and_wheel_carry_the_licence(wheel: Path, metadata: Message) -> None:
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
        assert archive.read(name) == (PROJECT / "LICENSE").read_bytes()


def test_version_is_the_newest_of_the_changelog(metadata: Message) -> None:
    dated = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert metadata["Version"] == dated[0]
