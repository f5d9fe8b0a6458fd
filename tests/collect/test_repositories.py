"""The repository of a folder is what git would name as its remote, as `owner/name`, and only of an owner on a list."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.collect.repositories import ANY, NONE, Owners, Repositories, repository_of

ACME = Owners(frozenset(("acme",)))
SHOP = "https://github.com/acme/shop"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/shop", "acme/shop"),
        ("https://github.com/acme/shop.git", "acme/shop"),
        ("https://github.com/Acme/Shop.git/", "Acme/Shop"),
        ("https://user@github.com/acme/shop", "acme/shop"),
        ("https://x-access-token:ghp_secret@github.com/acme/shop.git", "acme/shop"),
        ("http://ghe.example.com:8443/acme/shop", "acme/shop"),
        ("git@github.com:acme/shop.git", "acme/shop"),
        ("git@work:acme/shop", "acme/shop"),
        ("work:acme/shop", "acme/shop"),
        ("git@github.com:/acme/shop.git", "acme/shop"),
        ("git@[::1]:acme/shop", "acme/shop"),
        ("ssh://git@github.com/acme/shop.git", "acme/shop"),
        ("ssh://git@ssh.github.com:443/acme/shop.git", "acme/shop"),
        ("git+ssh://git@github.com/acme/shop", "acme/shop"),
        ("git://github.com/acme/shop.git", "acme/shop"),
        ("https://github.com/octo_corp/a.b-c_d", "octo_corp/a.b-c_d"),
        ("/srv/git/acme/shop.git", None),
        ("acme/shop", None),
        ("../acme/shop", None),
        ("./acme:x/shop", None),
        ("~/acme/shop", None),
        ("file:///acme/shop", None),
        ("file://host/acme/shop", None),
        ("C:/acme/shop", None),
        ("C:\\acme\\shop", None),
        ("c:acme/shop", None),
        ("ext::sh -c touch% acme/shop", None),
        ("ext::acme/shop", None),
        ("https://gitlab.com/acme/group/shop.git", None),
        ("https://github.com/shop", None),
        ("https://github.com/acme/shop?token=secret", None),
        ("https://github.com/acme/shop#secret", None),
        ("https://github.com/acme%2Fshop/x", None),
        ("https://github.com/acme/..", None),
        ("https://github.com/acme/.git", None),
        ("https://github.com/-acme/shop", None),
        ("https://github.com/acme/sh op", None),
        ("git@host:~acme/shop", None),
        ("https://github.com/acme/" + "x" * 101, None),
        ("", None),
    ],
)
def test_each_form_of_a_url_names_its_owner_and_repository(url: str, expected: str | None) -> None:
    assert repository_of(url) == expected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def made(git_dir: Path, config: str = "", head: str = "ref: refs/heads/main") -> Path:
    """Make a folder of git's data, and return it."""
    (git_dir / "objects").mkdir(parents=True)
    (git_dir / "HEAD").write_text(head + "\n")
    (git_dir / "config").write_text(config)
    return git_dir


def remote(url: str = SHOP, name: str = "origin") -> str:
    return f'[remote "{name}"]\n\turl = {url}\n'


def found(home: Path, folder: Path | str, owners: Owners = ACME) -> str | None:
    return Repositories.of_machine(owners, home, {})(str(folder))


def test_a_folder_and_those_below_it_are_of_its_repository(home: Path) -> None:
    made(home / "shop/.git", remote())
    (home / "shop/src/deep").mkdir(parents=True)
    assert [found(home, home / name) for name in ("shop", "shop/src/deep", "shop/.git")] == ["acme/shop"] * 3


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(remote(name="upstream"), "acme/shop", id="the only one"),
        pytest.param(remote("gh:acme/x", "a") + remote(), "acme/shop", id="origin of two"),
        pytest.param(remote("gh:acme/x", "a") + remote(name="b"), None, id="two, neither origin"),
        pytest.param(
            remote("gh:acme/x", "a") + remote(name="b") + '[branch "main"]\nremote = b\n',
            "acme/shop",
            id="that of the current branch",
        ),
        pytest.param(
            remote("gh:acme/x", "a") + remote(name="b") + '[branch "other"]\nremote = b\n', None, id="another branch's"
        ),
        pytest.param(remote("gh:acme/x", "a") + remote(name="b") + '[branch "main"]\nremote = .\n', None, id="itself"),
        pytest.param('[remote "origin"]\npushurl = gh:acme/x\n' + remote(name="b"), "acme/shop", id="no URL"),
        pytest.param('[remote "origin"]\nurl = gh:acme/one\nurl = gh:acme/two\n', "acme/one", id="the first URL"),
        pytest.param('[remote "origin"]\nurl = gh:acme/one\nurl =\nurl = gh:acme/two\n', "acme/two", id="a list reset"),
        pytest.param(remote("/srv/acme/shop"), None, id="a path"),
        pytest.param("", None, id="none"),
    ],
)
def test_the_remote_is_origin_or_the_only_one_or_the_branchs(home: Path, config: str, expected: str | None) -> None:
    made(home / "shop/.git", config)
    assert found(home, home / "shop") == expected


def test_a_branch_that_is_detached_follows_no_remote(home: Path) -> None:
    made(home / "shop/.git", remote("gh:acme/x", "a") + remote(name="b") + '[branch ""]\nremote = b\n', head="0" * 40)
    assert found(home, home / "shop") is None


def test_the_longest_instead_of_of_the_users_settings_counts(home: Path) -> None:
    made(home / "shop/.git", remote("gh:shop"))
    rewrites = (
        '[url "https://github.com/other/"]\n\tinsteadOf = g\n[url "https://github.com/acme/"]\n\tinsteadOf = gh:\n'
    )
    (home / ".gitconfig").write_text(rewrites)
    assert found(home, home / "shop") == "acme/shop"


def test_a_bare_repository_and_its_worktree_are_of_its_remote(home: Path) -> None:
    bare = made(home / "shop.git", remote())
    tree = bare / "worktrees/fix"
    tree.mkdir(parents=True)
    (tree / "HEAD").write_text("ref: refs/heads/fix\n")
    (tree / "commondir").write_text("../..\n")
    (home / "fix").mkdir()
    (home / "fix/.git").write_text(f"gitdir: {tree}\n")
    assert [found(home, home / name) for name in ("shop.git", "fix")] == ["acme/shop", "acme/shop"]


def test_a_submodule_is_of_its_own_remote(home: Path) -> None:
    git_dir = made(home / "shop/.git", remote())
    made(git_dir / "modules/lib", remote("git@github.com:acme/lib.git"))
    (home / "shop/lib/src").mkdir(parents=True)
    (home / "shop/lib/.git").write_text("gitdir: ../.git/modules/lib\n")
    assert found(home, home / "shop/lib/src") == "acme/lib"


def test_a_folder_without_a_repository_has_none(home: Path) -> None:
    made(home / "shop/.git", remote())
    (home / "plain/.git").mkdir(parents=True)
    (home / "torn").mkdir()
    (home / "torn/.git").write_text("gitdir: ../missing\n")
    (home / "file").write_text("x")
    absent = ["plain", "torn", "file", "shop/gone"]
    assert [found(home, home / name) for name in absent] == [None] * 4
    others = ["", "shop", "shop\0", "vscode-remote://ssh/shop", f"/{home}/shop", "\\\\host\\shop", "x" * 5000]
    assert [found(home, folder) for folder in others] == [None] * 7


@pytest.mark.parametrize(
    ("owners", "expected"),
    [(NONE, None), (Owners(frozenset(("other",))), None), (ACME, "Acme/Shop"), (ANY, "Acme/Shop")],
)
def test_only_an_owner_on_the_list_is_named(home: Path, owners: Owners, expected: str | None) -> None:
    made(home / "shop/.git", remote("git@github.com:Acme/Shop.git"))
    assert found(home, home / "shop", owners) == expected


def test_without_owners_nothing_is_read(home: Path) -> None:
    made(home / "shop/.git", remote())
    with events("open", "os.listdir", "os.scandir") as seen:
        assert found(home, home / "shop", NONE) is None
    assert seen == []


def test_a_strangers_settings_run_no_program(home: Path) -> None:
    hostile = "[core]\n\tfsmonitor = touch ran\n\tsshCommand = touch ran\n\thooksPath = .\n[alias]\n\tx = !touch ran\n"
    made(home / "shop/.git", hostile + remote("ext::sh -c touch% ran", "a") + remote())
    with events("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork") as seen:
        assert found(home, home / "shop") == "acme/shop"
    assert seen == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["config", "HEAD", "commondir"])
def test_a_pipe_in_place_of_a_file_does_not_block(home: Path, name: str) -> None:
    git_dir = made(home / "shop/.git", remote("gh:acme/x", "a") + remote(name="b"))
    (git_dir / name).unlink(missing_ok=True)
    os.mkfifo(git_dir / name)
    assert found(home, home / "shop") is None


@pytest.mark.parametrize("place", ["//host/share", "\\\\host\\share"])
def test_a_pointer_to_another_machine_is_not_followed(home: Path, place: str) -> None:
    (home / "shop").mkdir()
    (home / "shop/.git").write_text(f"gitdir: {place}\n")
    with events("open") as seen:
        assert found(home, home / "shop") is None
    assert [path for path in seen if "host" in path] == []


def test_a_folder_is_looked_up_once(home: Path) -> None:
    git_dir = made(home / "shop/.git", remote())
    repositories = Repositories.of_machine(ACME, home, {})
    assert repositories(str(home / "shop")) == "acme/shop"
    (git_dir / "config").write_text(remote("gh:acme/other"))
    assert repositories(str(home / "shop")) == "acme/shop"
    assert repositories.among(ACME)(str(home / "shop")) == "acme/other"


def test_another_process_gets_the_same_repositories(home: Path) -> None:
    repositories = Repositories.of_machine(ACME, home, {})
    assert pickle.loads(pickle.dumps(repositories)) == repositories  # noqa: S301 its own bytes


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("folder", ["clone", "clone/src", "tree", "clone/lib"])
def test_git_itself_names_the_same_repository(home: Path, folder: str) -> None:
    def git(*words: str, at: Path = home) -> str:
        own = {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"]
        run = subprocess.run(["git", *who, *words], cwd=at, env=own, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    for name in ("lib", "clone"):
        git("init", "-q", name)
        git("commit", "-q", "--allow-empty", "-m", "x", at=home / name)
    (home / "clone/src").mkdir()
    git("submodule", "--quiet", "add", str(home / "lib"), "lib", at=home / "clone")
    git("remote", "set-url", "origin", "gh:lib", at=home / "clone/lib")
    git("remote", "add", "origin", "git@work:acme/shop.git", at=home / "clone")
    git("worktree", "add", "-q", str(home / "tree"), at=home / "clone")
    git("config", "--global", "url.https://github.com/acme/.insteadOf", "gh:")
    url = git("ls-remote", "--get-url", "origin", at=home / folder)
    assert found(home, home / folder) == repository_of(url) == ("acme/lib" if folder == "clone/lib" else "acme/shop")


_watched: list[tuple[frozenset[str], list[str]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    for names, seen in _watched:
        if event in names:
            seen.append(f"{event} {arguments[:1]}")


sys.addaudithook(_hear)


@contextmanager
def events(*names: str) -> Iterator[list[str]]:
    """Yield the events of the interpreter with one of these names, while the block runs."""
    seen: list[str] = []
    _watched.append((frozenset(names), seen))
    try:
        yield seen
    finally:
        _watched.pop()
