"""The distribution is `millrace-elt`: `millrace` in the package index is another project."""

import re
import tomllib

import pytest
from tests.deploy.packages.packaging import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
HELP = sorted([PROJECT / "Makefile", *PROJECT.glob("src/**/*.py"), *PROJECT.glob("src/**/*.html")])

# Neither name may be installed from an index: one is another project, the other is free for anyone to register.
# A path (`.[collect]`, `dist/millrace_elt-0.2.0-py3-none-any.whl`) installs the local files, which is right.
FROM_AN_INDEX = re.compile(
    r"""\b(?:install|uvx|pipx\s+run|uv\s+(?:add|tool\s+run)|--(?:from|with))(?:\s+-\S+)*\s+["']?millrace(?:-elt)?(?![\w/-])"""
)
# A line of a lock, or a requirement of pyproject.toml.
ANOTHER_PROJECT = re.compile(r"""^\s*["']?millrace\s*(?:[\[=<>~!@;]|$)""", re.IGNORECASE)


def test_no_document_installs_the_project_from_an_index() -> None:
    offenders = [
        (path.relative_to(PROJECT).as_posix(), found[0])
        for path in PAGES + HELP
        for found in FROM_AN_INDEX.finditer(path.read_text())
    ]
    assert offenders == []


def test_no_lock_names_the_project_or_its_namesake() -> None:
    offenders = [
        (path.name, line)
        for path in sorted((PROJECT / "requirements").iterdir())
        for line in path.read_text().splitlines()
        if re.match(r"millrace\b", line, re.IGNORECASE)
    ]
    assert offenders == []


def test_no_requirement_names_the_namesake() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras = declared["project"]["optional-dependencies"].values()
    requirements = [each for group in (declared["project"]["dependencies"], *extras) for each in group]
    assert [each for each in requirements if ANOTHER_PROJECT.match(each)] == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("pip install millrace", id="plain"),
        pytest.param("python -m pip install -U 'millrace[collect]'", id="option and extra"),
        pytest.param("uvx millrace run", id="uvx"),
        pytest.param("uvx --from millrace-elt millrace", id="uvx from"),
        pytest.param("pipx install millrace==0.2.0", id="version"),
        pytest.param("uv tool install millrace-elt", id="our own name, which is not registered"),
    ],
)
def test_an_installation_from_an_index_is_found(line: str) -> None:
    assert FROM_AN_INDEX.search(line)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("pip install '.[collect]'", id="checkout"),
        pytest.param("pip install millrace_elt-0.2.0-py3-none-any.whl", id="wheel"),
        pytest.param("pip install millrace/dist/x.whl", id="path"),
        pytest.param("millrace collect --with millrace-logs", id="another word"),
    ],
)
def test_an_installation_by_path_is_allowed(line: str) -> None:
    assert not FROM_AN_INDEX.search(line)
