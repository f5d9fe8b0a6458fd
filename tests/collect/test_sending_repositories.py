"""A repository leaves the machine only for an owner on the list, and a known one does not become unknown."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.collect.machine import Machine, Row, response
from tests.collect.test_message_rows import answer, kilo, place, put
from tests.collect.test_repositories import made, remote

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.identity import Privacy
from millrace.collect.parsers.event import merge
from millrace.collect.records import to_event
from millrace.collect.repositories import ANY, NONE, Owners

ACME = Owners(frozenset(("acme",)))
BOTH = Owners(frozenset(("acme", "other")))
AT = "2026-01-02T03:04:05Z"


@pytest.fixture
def shop(machine: Machine) -> Path:
    """A folder of acme/shop, where a session of Claude Code has one response."""
    machine.owners = ACME
    folder = machine.home / "code/shop"
    made(folder / ".git", remote())
    machine.log("claude").write_bytes(response("m1", cwd=str(folder)))
    return folder


def repositories(rows: list[Row]) -> dict[str, str | None]:
    return {row["message_id"]: row["repository"] for row in rows}


def codex(folder: Path) -> bytes:
    info = {"total_token_usage": {"input_tokens": 5, "output_tokens": 2}}
    lines = [
        {"timestamp": AT, "type": "session_meta", "payload": {"id": "S1", "cwd": str(folder)}},
        {"timestamp": AT, "type": "turn_context", "payload": {"cwd": str(folder), "model": "gpt-5"}},
        {"timestamp": AT, "type": "event_msg", "payload": {"type": "token_count", "info": info}},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_listed_owners_repository_is_sent(machine: Machine, shop: Path) -> None:
    machine.log("codex").write_bytes(codex(shop))
    assert {(row["agent"], row["repository"]) for row in machine.run()} == {
        ("claude", "acme/shop"),
        ("codex", "acme/shop"),
    }


@pytest.mark.parametrize("owners", [NONE, Owners(frozenset(("other",)))])
def test_an_owner_that_is_not_listed_is_in_no_file(machine: Machine, shop: Path, owners: Owners) -> None:
    machine.owners = owners
    assert repositories(machine.run()) == {"m1": None}
    contents = b"".join(path.read_bytes() for path in (machine.folder / "lake").rglob("*.parquet"))
    assert b"acme" not in contents


def test_nothing_of_the_remote_but_owner_and_name_is_sent_or_kept(machine: Machine, shop: Path) -> None:
    secret = "https://me:ghp_0123456789@secret-host.example.com:8443/acme/shop.git"
    (shop / ".git/config").write_text(remote(secret))
    (row,) = machine.run()
    assert row["repository"] == "acme/shop"
    kept = b"".join(path.read_bytes() for path in machine.state.rglob("*") if path.is_file())
    assert [word for word in (b"ghp_", b"secret-host", b"8443") if word in kept or word.decode() in str(row)] == []


def test_with_a_hash_key_a_repository_of_any_letter_case_has_one_hash(machine: Machine, shop: Path) -> None:
    machine.privacy = Privacy("k" * 16)
    (first,) = machine.run()
    (shop / ".git/config").write_text(remote("git@github.com:Acme/SHOP"))
    machine.log("claude", "S2").write_bytes(response("m2", cwd=str(shop)))
    second = repositories(machine.run())["m2"]
    assert first["repository"] == second
    assert str(second).startswith("h-")


def test_a_repository_that_is_gone_stays_known_when_its_log_is_read_again(machine: Machine, shop: Path) -> None:
    machine.run()
    shutil.rmtree(shop)
    machine.log("claude").write_bytes(response("m1", 9, cwd=str(shop)))
    machine.force()
    (row,) = machine.run()
    assert (row["repository"], row["output_tokens"]) == ("acme/shop", 9)


def test_a_log_that_now_names_another_folder_does_not_keep_the_repository(machine: Machine, shop: Path) -> None:
    machine.run()
    machine.log("claude").write_bytes(response("m1", cwd=str(machine.home / "code/gone")))
    assert repositories(machine.run()) == {"m1": None}


def test_a_log_that_grows_keeps_the_repository_in_which_it_began(machine: Machine, shop: Path) -> None:
    machine.run()
    shutil.rmtree(shop)
    with machine.log("claude").open("ab") as log:
        log.write(response("m2", cwd=str(shop)))
    assert repositories(machine.run()) == {"m1": "acme/shop", "m2": "acme/shop"}


def test_a_new_owner_on_the_list_names_what_was_read_before(machine: Machine, shop: Path) -> None:
    machine.owners = NONE
    machine.run()
    machine.owners = ACME
    assert repositories(machine.run()) == {"m1": "acme/shop"}
    assert machine.collect().rows == 0


def test_an_owner_that_is_listed_again_is_named_in_what_was_sent_meanwhile(machine: Machine, shop: Path) -> None:
    machine.run()
    machine.owners = NONE
    machine.log("claude", "S2").write_bytes(response("m2", cwd=str(shop)))
    assert repositories(machine.run()) == {"m1": "acme/shop", "m2": None}
    machine.owners = ACME
    assert repositories(machine.run()) == {"m1": "acme/shop", "m2": "acme/shop"}


def test_a_smaller_list_neither_reads_again_nor_sends_what_it_leaves_out(machine: Machine, shop: Path) -> None:
    machine.owners = BOTH
    machine.run()
    machine.owners = ACME
    assert machine.collect().read == 0
    machine.owners = Owners(frozenset(("other",)))
    with machine.log("claude").open("ab") as log:
        log.write(response("m2", cwd=str(shop)))
    assert repositories(machine.run())["m2"] is None


def test_what_only_a_report_has_read_is_not_sent_without_the_list(machine: Machine, shop: Path) -> None:
    machine.owners = ANY
    with closing(CheckpointStore.open(machine.state)) as store:
        machine.collector(store).read()
    machine.owners = NONE
    assert repositories(machine.run()) == {"m1": None}
    machine.owners = ACME
    assert repositories(machine.run()) == {"m1": "acme/shop"}


def test_the_repository_of_a_copy_is_that_of_the_earliest(machine: Machine, shop: Path) -> None:
    with closing(CheckpointStore.open(machine.state)) as store:
        machine.collector(store).read()
        (first,) = (to_event(row) for row in store.current())
    other = machine.home / "code/other"
    made(other / ".git", remote("gh:acme/aaa"))
    machine.log("claude", "S2").write_bytes(response("m1", at="2026-01-03T03:04:05Z", cwd=str(other)))
    assert repositories(machine.run()) == {"m1": "acme/shop"}
    unknown = replace(first, repository=None)
    assert merge(first, unknown).repository == merge(unknown, first).repository == "acme/shop"


def test_a_session_of_a_database_is_of_its_own_folder(machine: Machine, shop: Path) -> None:
    with closing(kilo(place(machine))) as database:
        database.execute("update session set directory = ?", (str(shop),))
        put(database, 1, answer(1, 10))
        machine.run()
        database.execute("insert into session values ('ses_3', null, ?)", (str(machine.home),))
        put(database, 2, answer(2, 20))
        put(database, 3, answer(3, 30), session="ses_3")
        rows = {row["request_id"]: row["repository"] for row in machine.run() if row["agent"] == "kilocode"}
    assert rows == {"msg_1": "acme/shop", "msg_2": "acme/shop", "msg_3": None}
