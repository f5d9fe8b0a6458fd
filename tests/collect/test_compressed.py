"""A rollout of Codex counts once, compressed or not; a torn or endless one is named, and stops no other log."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest
from tests.collect.machine import Machine, response

from millrace.collect.compressed import decompressed

UUID = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
NAME = f"rollout-2026-01-02T03-04-05-{UUID}"


def rollout(turns: int, session: str = UUID) -> bytes:
    def line(kind: str, payload: object, second: int = 0) -> bytes:
        at = f"2026-01-02T03:{second // 60:02}:{second % 60:02}Z"
        return json.dumps({"timestamp": at, "type": kind, "payload": payload}).encode() + b"\n"

    lines = [line("session_meta", {"id": session, "cwd": "/home/ada/shop"}), line("turn_context", {"model": "gpt-5"})]
    for turn in range(1, turns + 1):
        usage = {"input_tokens": 10 * turn, "output_tokens": turn, "total_tokens": 11 * turn}
        lines.append(line("event_msg", {"type": "token_count", "info": {"total_token_usage": usage}}, turn))
    return b"".join(lines)


def zst(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def noise(size: int) -> bytes:
    """Return a text that cannot be compressed to less than half."""
    return random.Random(1).randbytes(size).hex().encode()  # noqa: S311 test data


def tokens(machine: Machine) -> list[int]:
    return [row["output_tokens"] for row in machine.run()]


def test_compressed_rollout_is_read_with_the_session_of_its_name(machine: Machine) -> None:
    machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst").write_bytes(zst(rollout(3)))
    rows = machine.run()
    assert [(row["session_id"], row["output_tokens"]) for row in rows] == [(UUID, 1)] * 3
    assert machine.collect().read == 0


def test_compressed_rollout_beside_the_plain_one_is_not_read(machine: Machine) -> None:
    log = machine.log("codex", NAME)
    log.write_bytes(rollout(2))
    log.with_name(log.name + ".zst").write_bytes(zst(rollout(2)))
    result = machine.collect()
    assert (result.looked_at, result.new) == (1, 2)


@pytest.mark.parametrize("is_moved", [False, True])
def test_rollout_that_is_compressed_is_neither_gone_nor_doubled(machine: Machine, is_moved: bool) -> None:
    log = machine.log("codex", NAME)
    log.write_bytes(rollout(2))
    machine.run()
    folder = machine.home / ".codex/archived_sessions" if is_moved else log.parent
    folder.mkdir(exist_ok=True)
    log.with_name(log.name + ".zst").write_bytes(zst(rollout(3)))
    log.unlink()
    log.with_name(log.name + ".zst").rename(folder / (log.name + ".zst"))
    result = machine.collect()
    assert (result.gone, result.new, result.unchanged) == ({}, 1, 2)
    assert machine.collect().gone == {}
    log.write_bytes(rollout(4))  # the session is resumed
    (folder / (log.name + ".zst")).unlink()
    result = machine.collect()
    assert (result.gone, result.new) == ({}, 1)
    assert tokens(machine) == [1, 1, 1, 1]


def test_compressed_rollout_that_is_moved_is_not_read_again(machine: Machine) -> None:
    log = machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst")
    log.write_bytes(zst(rollout(2)))
    machine.run()
    folder = machine.home / ".codex/archived_sessions"
    folder.mkdir()
    log.rename(folder / log.name)
    result = machine.collect()
    assert (result.gone, result.read) == ({}, 0)


def test_frames_after_each_other_are_one_log(machine: Machine) -> None:
    whole = rollout(5)
    log = machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst")
    log.write_bytes(b"".join(zst(whole[place : place + 97]) for place in range(0, len(whole), 97)))
    assert tokens(machine) == [1] * 5


def test_last_line_without_its_end_counts(machine: Machine) -> None:
    machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst").write_bytes(zst(rollout(2)[:-1]))
    assert tokens(machine) == [1, 1]


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_torn_frame_is_named_and_no_other_log_stopped(machine: Machine, kept: float) -> None:
    whole = zst(rollout(1) + noise(400_000) + b"\n")
    log = machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst")
    log.write_bytes(whole[: max(int(len(whole) * kept), 3)])
    machine.log("claude").write_bytes(response("m1"))
    result = machine.collect()
    assert list(result.bad_files) == [log]
    assert "torn or invalid" in result.bad_files[log]
    assert result.new == (2 if kept > 0.1 else 1)
    log.write_bytes(whole)
    assert machine.collect().bad_files == {}
    assert len(machine.run()) == 2


@pytest.mark.parametrize("content", [b"not compressed\n", b"\x28\xb5\x2f\xfd", zst(b"x\n") + b"garbage"])
def test_content_that_is_not_compressed_is_named(machine: Machine, content: bytes) -> None:
    log = machine.log("codex", NAME).with_name(f"{NAME}.jsonl.zst")
    log.write_bytes(content)
    assert list(machine.collect().bad_files) == [log]


def test_what_expands_without_measure_ends_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    path.write_bytes(zst(b"\n" * (2 << 20)))
    with path.open("rb") as file:
        *pieces, error = decompressed(file, 1 << 16, free_bytes=1 << 20)
    assert str(error) == "the compressed log expands beyond the limit"
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) <= 1 << 20
    with path.open("rb") as file:
        *_, error = decompressed(file, 1 << 16, most_bytes=1000)
    assert str(error) == "the compressed log expands beyond the limit"


def test_pieces_are_no_larger_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "log.zst"
    path.write_bytes(zst(noise(1 << 20)))
    with path.open("rb") as file:
        sizes = [len(piece) for piece in decompressed(file, 1 << 16) if isinstance(piece, bytes)]
    assert sum(sizes) == 2 << 20
    assert max(sizes) <= (1 << 16) + 4096
