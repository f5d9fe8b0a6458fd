"""The user of a machine is read from its settings, and named by them."""

from pathlib import Path

import pytest

from millrace.collect.identity import Privacy, user_id


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("[user]\n\tname = Alex\n\temail = Alex@Example.com\n", id="as git writes it"),
        pytest.param('[user]\nemail="alex@example.com" ; mine\n', id="in quotes, with a comment"),
        pytest.param("[USER] EMAIL = alex@example.com\n", id="on one line, in capitals"),
        pytest.param("[user]\nemail = a@b\n[core]\n x\n[user]\nemail = alex@example.com # now\n", id="the last one"),
        pytest.param('[user "x"]\nemail=x@y\n[user]\nemail=alex@example.com\n[a]\nemail=z@y', id="of that section"),
        pytest.param("%%%\n[broken\n= 5\n[user]\nemail = alex@example.com\n", id="between what is broken"),
    ],
)
def test_the_address_is_that_of_gits_settings(tmp_path: Path, settings: str) -> None:
    (tmp_path / ".gitconfig").write_text(settings)
    assert user_id(None, tmp_path, {}) == "alex@example.com"


def test_the_other_file_of_git_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "x/git").mkdir(parents=True)
    (tmp_path / "x/git/config").write_text("[user]\nemail = alex@example.com\n")
    assert user_id(None, tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "x")}) == "alex@example.com"


def test_user_setting_overrides_git_email(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\nemail = alex@example.com\n")
    assert user_id(" Sam@Example.com", tmp_path, {}) == "sam@example.com"


def test_user_is_unknown_without_settings(tmp_path: Path) -> None:
    assert user_id(None, tmp_path, {}) is None


def test_with_a_key_a_name_is_one_that_cannot_be_read() -> None:
    hidden = Privacy("a key")
    assert hidden.named("alex@example.com") == "h-843183c335b91394"
    assert hidden.named("alex@example.com") != Privacy("another").named("alex@example.com")
    assert hidden.named(None) is None
    assert "a key" not in repr(hidden)


def test_without_a_key_a_name_stays() -> None:
    assert Privacy().named("app") == "app"
