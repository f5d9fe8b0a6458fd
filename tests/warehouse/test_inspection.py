"""The process that checks untrusted files: one at a time, replaced when it dies, gone with its parent."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.warehouse.checking import children, each_reader_gets, is_running, large, opened, slow, wait_for

from millrace.errors import BadObject, TransientError
from millrace.warehouse import inspection, inspector, parquet
from millrace.warehouse.parquet import ParquetLimits

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes are found as on Linux")

LIMITS = ParquetLimits()
UNBOUNDED = ParquetLimits(expanded_bytes=1 << 50)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return _good(tmp_path / "good.parquet")


@pytest.fixture(scope="module")
def slow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slow(tmp_path_factory.mktemp("slow") / "slow.parquet")


def _good(path: Path) -> Path:
    table = pa.table({"full_name": ["o/a", "o/b"]})
    pq.write_table(table.replace_schema_metadata({b"millrace.extracted_at": b"2026-11-20T06:00:00+00:00"}), path)
    return path


def child() -> int:
    (pid,) = children()
    return pid


def test_one_process_checks_file_after_file(good: Path) -> None:
    assert parquet.check(good, LIMITS) == ("full_name",)
    first = child()
    assert parquet.check(good, LIMITS) == ("full_name",)
    assert parquet.rows_of(good, LIMITS) == 2
    assert parquet.inspect(good, LIMITS).extracted_at == datetime(2026, 11, 20, 6, tzinfo=UTC)
    assert child() == first


def test_an_extraction_time_without_a_zone_is_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"full_name": ["o/a"]}).replace_schema_metadata({"millrace.extracted_at": "2026-11-20T06:00:00"})
    pq.write_table(table, tmp_path / "naive.parquet")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parquet.inspect(tmp_path / "naive.parquet", LIMITS).extracted_at == datetime(2026, 11, 20, 6, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_this_process_never_opens_an_untrusted_file(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("opened here")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    assert parquet.check(good, LIMITS) == ("full_name",)
    assert parquet.rows_of(good, LIMITS) == 2
    assert parquet.sample(good, LIMITS)[0] == "2 rows of (full_name string)"
    with pytest.raises(AssertionError, match="opened here"):
        parquet.inspect(good, LIMITS, is_own=True)


def test_a_file_over_the_memory_limit_is_refused_after_two_attempts(
    tmp_path: Path, good: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bomb = large(tmp_path / "large.parquet")
    with pytest.raises(BadObject, match="MiB of memory") as refused:
        parquet.check(bomb, ParquetLimits(memory_bytes=300 << 20))
    assert refused.value.reason == "too_large"
    ended = [record for record in caplog.records if record.message == "the check of a file ended its process"]
    assert len(ended) == 2
    assert children() == []
    assert parquet.check(good, LIMITS) == ("full_name",)


def test_file_over_limit_only_in_used_process_is_accepted(slow_file: Path, good: Path) -> None:
    parquet.check(good, LIMITS)
    used = child()
    with each_reader_gets(signal.SIGXCPU, lambda path: path == slow_file.resolve(), times=1) as signalled:
        assert len(parquet.check(slow_file, UNBOUNDED)) == 60
    assert signalled == [used]
    assert child() != used


def test_a_file_over_the_time_limit_is_refused_after_two_attempts(
    slow_file: Path, good: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadObject, match="more than 0 seconds of processor time") as refused:
        parquet.check(slow_file, ParquetLimits(expanded_bytes=1 << 50, cpu_s=0))
    assert refused.value.reason == "too_large"
    assert len([record for record in caplog.records if "ended its process" in record.message]) == 2
    assert parquet.check(good, LIMITS) == ("full_name",)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_file_that_crashes_its_process_twice_is_unreadable(slow_file: Path, good: Path, number: int) -> None:
    with (
        each_reader_gets(number, lambda path: path == slow_file.resolve(), times=9) as signalled,
        pytest.raises(BadObject, match=f"crashes .{signal.Signals(number).name}") as refused,
    ):
        parquet.check(slow_file, UNBOUNDED)
    assert (refused.value.reason, len(signalled)) == ("unreadable", 2)
    assert parquet.check(good, LIMITS) == ("full_name",)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_externally_killed_process_raises_transient_error(slow_file: Path, good: Path, number: int) -> None:
    with (
        each_reader_gets(number, lambda path: path == slow_file.resolve(), times=9) as signalled,
        pytest.raises(TransientError, match=f"signal {number}"),
    ):
        parquet.check(slow_file, UNBOUNDED)
    assert len(signalled) == 1
    assert parquet.check(good, LIMITS) == ("full_name",)


def test_a_process_that_was_killed_between_two_files_is_replaced(good: Path) -> None:
    parquet.check(good, LIMITS)
    killed = child()
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
    assert parquet.check(good, LIMITS) == ("full_name",)
    assert child() != killed


def test_two_threads_get_the_answers_to_their_own_files(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(4)]
    for number, path in enumerate(paths):
        pq.write_table(pa.table({f"c{number}": [number]}), path)
    answers: list[tuple[int, tuple[str, ...]]] = []

    def work(number: int) -> None:
        for _ in range(25):
            answers.append((number, parquet.check(paths[number], LIMITS)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(number, (f"c{number}",)) for number in range(4) for _ in range(25)]
    assert len(children()) == 1


def run(program: str, *arguments: object) -> "subprocess.Popen[str]":
    """Start a program that has checked the first of its files."""
    begin = """
        import os, sys, resource
        from pathlib import Path
        from tests.warehouse.checking import children
        from millrace.errors import TransientError
        from millrace.warehouse import parquet
        paths = [Path(each) for each in sys.argv[1:]]
        LIMITS = parquet.ParquetLimits(expanded_bytes=1 << 50)
    """
    source = textwrap.dedent(begin) + textwrap.dedent(program)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def test_a_forked_process_has_a_child_of_its_own(good: Path) -> None:
    program = """
        parquet.check(paths[0], LIMITS)
        (first,) = children()
        forked = os.fork()
        if not forked:
            parquet.check(paths[0], LIMITS)
            (own,) = children()
            os._exit(0 if own != first else 1)
        assert os.waitpid(forked, 0)[1] == 0
        parquet.check(paths[0], LIMITS)
        assert children() == [first]
        os.fork() or os.execvp("sleep", ["sleep", "600"])  # holds what it inherited
        print(first, flush=True)
        os.kill(os.getpid(), 9)
    """
    process = run(program, good)
    assert process.stdout is not None
    first = int(process.stdout.readline())
    try:
        wait_for(lambda: not is_running(first))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_child_ends_with_its_parent(good: Path, slow_file: Path) -> None:
    program = """
        parquet.check(paths[0], LIMITS)
        print(*children(), flush=True)
        parquet.check(paths[1], LIMITS)
    """
    process = run(program, good, slow_file)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    wait_for(lambda: slow_file.resolve() in opened(pid))
    process.kill()
    process.communicate()
    wait_for(lambda: not is_running(pid))


def test_an_idle_child_ends_with_its_parent_and_leaves_no_zombie(good: Path) -> None:
    process = run("parquet.check(paths[0], LIMITS)\nprint(*children(), flush=True)", good)
    out, _ = process.communicate()
    assert process.returncode == 0
    wait_for(lambda: not is_running(int(out)))


def test_an_interrupt_ends_the_check_and_the_next_one_works(good: Path, slow_file: Path) -> None:
    program = """
        parquet.check(paths[0], LIMITS)
        print(*children(), flush=True)
        try:
            parquet.check(paths[1], LIMITS)
        except KeyboardInterrupt:
            print(len(children()), parquet.check(paths[0], LIMITS), flush=True)
    """
    process = run(program, good, slow_file)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    wait_for(lambda: slow_file.resolve() in opened(pid))
    assert os.getpgid(pid) != process.pid
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate()[0] == "0 ('full_name',)\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("which", "most"),
    [
        pytest.param("RLIMIT_AS", 64 << 20, id="no memory for a process"),
        pytest.param("RLIMIT_NOFILE", 3, id="no pipe"),
    ],
)
def test_a_machine_that_refuses_a_process_is_at_fault(good: Path, which: str, most: int) -> None:
    program = f"""
        import tests.warehouse.checking
        before = resource.getrlimit(resource.{which})
        resource.setrlimit(resource.{which}, ({most}, before[1]))
        try:
            parquet.check(paths[0], LIMITS)
        except TransientError:
            resource.setrlimit(resource.{which}, before)
            print(parquet.check(paths[0], LIMITS))
    """
    process = run(program, good)
    assert process.communicate()[0] == "('full_name',)\n"


def test_a_lack_of_memory_below_our_limit_is_the_machines(tmp_path: Path, good: Path) -> None:
    bomb = large(tmp_path / "large.parquet")
    parquet.check(good, LIMITS)
    pid = child()
    used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (used + (50 << 20), used + (50 << 20)))
    with pytest.raises(TransientError, match="the machine failed"):
        parquet.check(bomb, LIMITS)
    assert parquet.check(good, LIMITS) == ("full_name",)


@pytest.mark.parametrize("change", [{"what": "colours"}, {"limits": {"colours": 7}}])
def test_a_request_of_another_version_is_not_blamed_on_the_file(good: Path, change: dict[str, object]) -> None:
    with pytest.raises(TransientError, match="exit code 1"):
        inspection.ask({"what": "whole", "path": str(good), "limits": {}} | change, LIMITS.memory_bytes, LIMITS.cpu_s)
    assert parquet.check(good, LIMITS) == ("full_name",)


def test_memory_that_our_own_limit_refuses_is_no_fault_of_the_machine(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    table = pa.table({"full_name": pa.array(["v" * (400 << 20)])})
    pq.write_table(table, bomb, compression="zstd", use_dictionary=False, write_statistics=False)
    with pytest.raises(BadObject, match="MiB of memory") as refused:
        parquet.check(bomb, ParquetLimits(memory_bytes=160 << 20))
    assert refused.value.reason == "too_large"


def test_a_child_loads_no_engine(good: Path) -> None:
    parquet.check(good, LIMITS)
    assert "duckdb" not in Path(f"/proc/{child()}/maps").read_text()


def test_child_environment_contains_no_secret(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspection.close()
    monkeypatch.setenv("MILLRACE_SOURCE_KEY", "key_that-must-never-show")
    monkeypatch.setenv("MILLRACE_SNOWFLAKE_KEY", "key_that-must-never-show")
    parquet.check(good, LIMITS)
    assert b"must-never-show" not in Path(f"/proc/{child()}/environ").read_bytes()


def test_columns_with_long_names_make_no_long_answer(tmp_path: Path) -> None:
    pq.write_table(pa.table({f"{n}" + "x" * 10_000: [1] for n in range(290)}), tmp_path / "long.parquet")
    assert len(json.dumps(inspector._ANSWERS["whole"](tmp_path / "long.parquet", LIMITS))) < 100_000
    with pytest.raises(BadObject, match="expected a letter"):
        parquet.check(tmp_path / "long.parquet", LIMITS)


@pytest.mark.parametrize(
    ("values", "size_bytes"),
    [
        pytest.param(pa.array([1, 2, 3], pa.int8()), 24, id="numbers"),
        pytest.param(pa.nulls(3), 24, id="no values"),
        pytest.param(pa.array(["x" * 1000, "x" * 1000]).dictionary_encode(), 2016, id="a dictionary of texts"),
        pytest.param(pa.array([7, 7]).dictionary_encode(), 16, id="a dictionary of numbers"),
        pytest.param(pa.array([[None] * 5], pa.list_(pa.null())), 5 * 16 + 5 * 8, id="a list without values"),
        pytest.param(pa.array([{"a": 1, "b": [1]}]), 8 + 16 + 8, id="a struct"),
        pytest.param(pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), 16 + 8 + 8, id="a map"),
    ],
)
def test_values_count_as_if_each_stood_on_its_own(values: pa.Array, size_bytes: int) -> None:
    assert inspector._bytes_of(values) == size_bytes
