"""Checks of the image's files without building it."""

import re

import pytest
from tests.deploy.image.rig import DOCKERFILE, FOLDER, MISSING, PROJECT, rig

LINES = (PROJECT / DOCKERFILE).read_text().splitlines()
STARTS = {line.split()[3]: number for number, line in enumerate(LINES) if line.startswith("FROM")}
FINAL = ("functions", "job")


def stage(name: str) -> list[str]:
    """Return the lines of a stage."""
    ends = [number for number in STARTS.values() if number > STARTS[name]] or [len(LINES)]
    return LINES[STARTS[name] : min(ends)]


@pytest.mark.skipif(not FOLDER.exists(), reason=MISSING)
def test_hadolint_finds_nothing() -> None:
    found = rig("ocilint", DOCKERFILE)
    if "pip install" in found.err:
        pytest.skip(f"hadolint could not be installed: {found.err}")
    assert (found.code, found.out) == (0, "")


def test_every_stage_is_made_from_one_base_that_can_be_pinned() -> None:
    bases = {line.split()[1] for line in LINES if line.startswith("FROM")}
    stages = {line.split()[3] for line in LINES if re.match(r"FROM .* AS ", line)}
    assert bases - stages == {"${PYTHON}"}


def test_the_job_is_the_last_stage_and_so_the_default() -> None:
    assert list(STARTS)[-1] == "job"


@pytest.mark.parametrize("name", FINAL)
def test_the_image_runs_as_a_number_that_is_not_root(name: str) -> None:
    (user,) = (line.split()[1] for line in stage(name) if line.startswith("USER"))
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user)


@pytest.mark.parametrize("name", FINAL)
def test_the_image_has_a_health_check(name: str) -> None:
    assert len([line for line in stage(name) if line.startswith("HEALTHCHECK")]) == 1


def test_installed_packages_are_locked_and_hashed() -> None:
    installs = [line for line in LINES if re.search(r"\bpip\b.*\binstall\b", line)]
    assert len(installs) == 3
    assert all("--no-deps --require-hashes -r /requirements.txt" in line for line in installs)


@pytest.mark.parametrize("name", FINAL)
def test_the_final_stage_only_takes_over_what_others_made(name: str) -> None:
    copied = [line for line in stage(name) if line.startswith(("COPY", "ADD"))]
    assert all(line.startswith("COPY --from=") for line in copied)
    assert not [line for line in stage(name) if line.startswith("RUN")]


def test_every_source_that_is_copied_is_in_the_context() -> None:
    ignored = (PROJECT / f"{DOCKERFILE}.dockerignore").read_text().splitlines()
    allowed = {line[2:] for line in ignored if line.startswith("!/")}
    copied = {line.split()[1].rstrip("/") for line in LINES if line.startswith("COPY") and "--from" not in line}
    folders = {"jobs", "jobs/dbt-runner", "requirements", "src"}
    assert "/*" in ignored
    assert {f"/{folder}/*" for folder in folders} <= set(ignored)
    assert allowed == copied | folders | {DOCKERFILE, f"{DOCKERFILE}.dockerignore"}


def test_the_image_names_the_memory_that_the_job_gets() -> None:
    given = re.findall(r"MILLRACE_MEMORY\s*=\s*\"(\w+)\"", (PROJECT / "terraform" / "build.tf").read_text())
    assert set(re.findall(r"ARG MILLRACE_MEMORY=(\w+)", "\n".join(LINES))) == set(given)


def test_no_setting_of_the_image_is_a_secret() -> None:
    assert not re.search("KEY|SECRET|TOKEN|PASSWORD", "\n".join(LINES), re.IGNORECASE)
