"""Git's configuration files are read as git reads them, and nothing in them is run."""

import os
from pathlib import Path

import pytest

from millrace.collect.git_config import MOST_BYTES, Entry, Reader, parse, read_text


def variables(text: str) -> list[tuple[str, str]]:
    return [(".".join(filter(None, (one.section, one.subsection, one.key))), one.value) for one in parse(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('[remote "origin"]\n\turl = a:b/c\n', [("remote.origin.url", "a:b/c")], id="a section"),
        pytest.param("[Remote.Origin]\nURL=x\n", [("remote.origin.url", "x")], id="a section in the old form"),
        pytest.param('[remote "A b"]\nurl=x', [("remote.A b.url", "x")], id="case and spaces of a subsection"),
        pytest.param('[remote "a\\"\\\\b"]\nurl=x', [('remote.a"\\b.url', "x")], id="escapes of a subsection"),
        pytest.param("[a] b = c ; d\n# e = f\n", [("a.b", "c")], id="comments, and a variable beside its section"),
        pytest.param('[a]\nb = " c # d " ; e\n', [("a.b", " c # d ")], id="quotes"),
        pytest.param('[a]\nb = c" d "e  \n', [("a.b", "c d e")], id="quotes within a value"),
        pytest.param("[a]\nb = c\\\n d\ne = f\n", [("a.b", "c d"), ("a.e", "f")], id="a value of two lines"),
        pytest.param("[a]\nb = c\\td\\\\\n", [("a.b", "c\td\\")], id="escapes of a value"),
        pytest.param("[a]\nb\nc = d\n", [("a.b", "true"), ("a.c", "d")], id="a variable without a value"),
        pytest.param("\ufeff[a]\r\nb = c\r\n", [("a.b", "c")], id="a mark and ends of lines of Windows"),
        pytest.param("[a]\nb = c\n[broken\nd = e\n", [("a.b", "c")], id="nothing after an error"),
        pytest.param("", [], id="an empty file"),
    ],
)
def test_a_file_has_the_variables_that_git_reads(text: str, expected: list[tuple[str, str]]) -> None:
    assert variables(text) == expected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "jobs/shop/.git").mkdir(parents=True)
    return tmp_path


def values(home: Path, *paths: Path) -> list[str]:
    reader = Reader(home, home / "jobs/shop/.git")
    return [entry.value for entry in reader.entries(paths, []) if entry.key != "path"]


def test_includes_are_read_in_their_place(home: Path) -> None:
    (home / "main").write_text("[a]\nb = 1\n[include]\npath = part\npath = ~/other\n[a]\nb = 4\n")
    (home / "part").write_text("[a]\nb = 2\n")
    (home / "other").write_text("[a]\nb = 3\n")
    assert values(home, home / "main") == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("gitdir:~/jobs/", True),
        ("gitdir:jobs/", True),
        ("gitdir:./jobs/**/.git", True),
        ("gitdir:shop/.git", True),
        ("gitdir:~/JOBS/", False),
        ("gitdir/i:~/JOBS/", True),
        ("gitdir:~/job?/sh*/.git", True),
        ("gitdir:~/*/.git", False),
        ("gitdir:~/home/", False),
        ("onbranch:main", False),
        ("hasconfig:remote.*.url:**", False),
        ("gitdir:", False),
    ],
)
def test_a_conditional_include_is_read_where_its_folder_matches(home: Path, condition: str, holds: bool) -> None:
    (home / "main").write_text(f'[includeIf "{condition}"]\npath = part\n')
    (home / "part").write_text("[a]\nb = 2\n")
    assert values(home, home / "main") == (["2"] if holds else [])


@pytest.mark.parametrize("condition", ["gitdir:~/jobs/", "gitdir:./jobs/"])
def test_a_condition_on_a_home_behind_a_link_holds(home: Path, condition: str) -> None:
    (home / "main").write_text(f'[includeIf "{condition}"]\npath = part\n')
    (home / "part").write_text("[a]\nb = 2\n")
    link = home / "link"
    link.symlink_to(home)
    reader = Reader(link, home.resolve() / "jobs/shop/.git")
    assert [entry.value for entry in reader.entries([link / "main"], []) if entry.key == "b"] == ["2"]


def test_a_condition_in_a_repositorys_own_file_is_not_read(home: Path) -> None:
    (home / "main").write_text('[includeIf "gitdir:**/"]\npath = part\n[include]\npath = part\n')
    (home / "part").write_text("[a]\nb = 2\n")
    reader = Reader(home, home / "jobs/shop/.git")
    assert [one.value for one in reader.entries([], [home / "main"]) if one.section == "a"] == ["2"]


def test_a_file_that_includes_itself_ends(home: Path) -> None:
    (home / "main").write_text("[a]\nb = 1\n" + "[include]\npath = main\n" * 3)
    assert 0 < len(values(home, home / "main")) <= 50


def test_the_files_of_one_repository_are_read_up_to_a_size_in_all(home: Path) -> None:
    (home / "main").write_text("[include]\npath = main\npath = main\n[a]\n" + "b\n" * (MOST_BYTES // 4))
    assert len(values(home, home / "main")) <= MOST_BYTES // 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_regular_file_of_a_sensible_size_is_not_read(home: Path) -> None:
    os.mkfifo(home / "pipe")
    (home / "large").write_text("x" * (MOST_BYTES + 1))
    (home / "link").symlink_to(home / "pipe")
    assert [read_text(home / name) for name in ("pipe", "large", "link", "missing", "work")] == [None] * 5


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="needs a kernel's log that may be read")
def test_a_file_of_the_kernel_that_would_block_is_not_read(home: Path) -> None:
    (home / "main").write_text("[include]\npath = /proc/kmsg\npath = /proc/kmsg\n[a]\nb = 1\n")
    assert "1" in values(home, home / "main")


@pytest.mark.parametrize("path", ["//host/share/config", "\\\\host\\share\\config"])
def test_a_file_of_another_machine_is_not_opened(home: Path, path: str) -> None:
    (home / "main").write_text(f'[include]\npath = "{path}"\n'.replace("\\", "\\\\"))
    assert read_text(Path(path)) is None
    assert [*Reader(home, home).entries([home / "main"], [])] == [Entry("include", "", "path", path)]
