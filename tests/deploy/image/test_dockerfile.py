"""Checks of the image's files without building it."""

import re

import pytest
from tests.deploy.image.rig import DOCKERFILE, FOLDER, MISSING, PROJECT, rig

LINES = (PROJECT / DOCKERFILE).read_text().splitlines()
FINAL = LINES[max(number for number, line in enumerate(LINES) if line.startswith("FROM")) :]


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


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    (user,) = (line.split()[1] for line in FINAL if line.startswith("USER"))
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", user)


def test_installed_packages_are_locked_and_hashed() -> None:
    installs = [line for line in LINES if re.search(r"\bpip\b.*\binstall\b", line)]
    assert len(installs) == 1
    assert "--require-hashes -r /requirements.txt" in installs[0]


def test_the_final_stage_only_takes_over_what_others_made() -> None:
    copied = [line for line in FINAL if line.startswith(("COPY", "ADD"))]
    assert all(line.startswith("COPY --from=") for line in copied)


def test_nothing_but_what_is_copied_is_in_the_context() -> None:
    ignored = (PROJECT / f"{DOCKERFILE}.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {line.split()[1] for line in LINES if line.startswith("COPY") and "--from" not in line}
    assert "*" in ignored
    assert copied == allowed


def test_dbt_parses_in_the_image_with_the_memory_that_the_job_gets() -> None:
    given = re.findall(r"MILLRACE_MEMORY\s*=\s*\"(\w+)\"", (PROJECT / "terraform" / "build.tf").read_text())
    assert set(re.findall(r"ARG MILLRACE_MEMORY=(\w+)", "\n".join(LINES))) == set(given)


def test_no_setting_of_the_image_is_a_secret() -> None:
    assert not re.search("KEY|SECRET|TOKEN|PASSWORD", "\n".join(LINES), re.IGNORECASE)
