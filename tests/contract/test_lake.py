"""The guarantees of every lake: objects written once, growing generations, and no partly written object is visible."""

import base64
import contextlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.api_core.exceptions import NotFound
from google.cloud.storage import Client

from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, create_once
from millrace.lake.gcs import GcsLake
from millrace.lake.local import LocalLake

CRC_OF_123456789 = base64.b64encode(bytes.fromhex("e3069283")).decode()  # the check value of CRC-32C
FORK = multiprocessing.get_context("forkserver")


@pytest.fixture(params=["local", "gcs"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "local":
        return LocalLake(tmp_path / "lake", "lake")
    client: Client = request.getfixturevalue("cloud_storage")
    with contextlib.suppress(NotFound):
        client.get_bucket("lake").delete(force=True)
    client.create_bucket("lake")
    return GcsLake(client, "lake")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def local(folder: Path) -> LocalLake:
    return LocalLake(folder, "lake")


def names(lake: Lake, prefix: str = "") -> list[str]:
    return [stored.version.name for stored in lake.list(prefix)]


def generation(lake: Lake, name: str) -> int:
    return lake.read(name)[1].version.generation


def test_written_object_is_read_back(lake: Lake) -> None:
    stored = lake.write("a/b", b"123456789", 0)
    assert stored == StoredObject(ObjectVersion("lake", "a/b", stored.version.generation), 9, CRC_OF_123456789)
    assert lake.read("a/b") == (b"123456789", stored)


def test_a_file_is_stored_as_its_bytes_are(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456789")
    stored = lake.write("a", tmp_path / "file", 0)
    assert lake.read("a") == (b"123456789", stored)
    assert stored.crc32c == CRC_OF_123456789


def test_download_returns_bytes_size_and_checksum(lake: Lake, tmp_path: Path) -> None:
    stored = lake.write("a", b"123456789", 0)
    assert lake.download(stored.version, tmp_path / "to") == stored
    assert (tmp_path / "to").read_bytes() == b"123456789"


def test_an_object_of_no_bytes_is_an_object(lake: Lake, tmp_path: Path) -> None:
    stored = lake.write("a", b"", 0)
    assert stored.crc32c == "AAAAAA=="
    assert lake.download(stored.version, tmp_path / "to") == stored


def test_a_name_that_is_taken_is_not_created_again(lake: Lake) -> None:
    stored = lake.write("a", b"1", 0)
    with pytest.raises(ObjectExists):
        lake.write("a", b"2", 0)
    assert lake.read("a") == (b"1", stored)


def test_write_with_outdated_generation_is_refused(lake: Lake) -> None:
    first = lake.write("a", b"1", 0).version.generation
    second = lake.write("a", b"2", first).version.generation
    with pytest.raises(ObjectExists):
        lake.write("a", b"3", first)
    assert generation(lake, "a") == second


def test_missing_object_cannot_be_replaced(lake: Lake) -> None:
    with pytest.raises(ObjectExists):
        lake.write("a", b"1", 7)
    assert names(lake) == []


def test_creating_the_same_content_once_more_is_success(lake: Lake) -> None:
    first = create_once(lake, "a", b"1")
    assert create_once(lake, "a", b"1") == first


def test_creating_other_content_under_the_same_name_is_refused(lake: Lake, tmp_path: Path) -> None:
    create_once(lake, "a", b"1")
    (tmp_path / "file").write_bytes(b"2")
    with pytest.raises(ObjectExists):
        create_once(lake, "a", tmp_path / "file")


def test_generations_grow_with_every_write(lake: Lake) -> None:
    written = [lake.write("a", b"same", 0).version.generation]
    for _ in range(30):
        written.append(lake.write("a", b"same", written[-1]).version.generation)
    assert sorted(set(written)) == written


def test_a_generation_that_was_replaced_is_missing(lake: Lake, tmp_path: Path) -> None:
    first = lake.write("a", b"1", 0).version
    lake.write("a", b"2", first.generation)
    with pytest.raises(ObjectMissing):
        lake.download(first, tmp_path / "to")
    with pytest.raises(ObjectMissing):
        lake.read("a", first.generation)


def test_reading_unknown_object_raises_object_missing(lake: Lake, tmp_path: Path) -> None:
    lake.write("a/b", b"1", 0)
    for name in ("a", "b", "a/b/c", "a/" + "x" * 300):
        with pytest.raises(ObjectMissing):
            lake.read(name)
        with pytest.raises(ObjectMissing):
            lake.download(ObjectVersion("lake", name, 1), tmp_path / "to")


def test_a_listing_is_in_name_order_and_of_the_prefix_alone(lake: Lake) -> None:
    for name in ("z", "p/c/1", "p/b-c/1", "p/b/2", "p/b/1", "p/bc", "p/é", "q", "p/a"):
        lake.write(name, b"", 0)
    assert names(lake) == ["p/a", "p/b-c/1", "p/b/1", "p/b/2", "p/bc", "p/c/1", "p/é", "q", "z"]
    assert names(lake, "p/b") == ["p/b-c/1", "p/b/1", "p/b/2", "p/bc"]
    assert names(lake, "p/b/") == ["p/b/1", "p/b/2"]


@pytest.mark.parametrize("prefix", ["nowhere/", "a/b/c/", "../", "a//", "/", "a\0/"])
def test_a_listing_of_a_prefix_that_no_name_has_is_empty(lake: Lake, prefix: str) -> None:
    lake.write("a/b", b"", 0)
    assert names(lake, prefix) == []


def test_listing_shows_same_generation_and_size_as_reading(lake: Lake) -> None:
    stored = lake.write("a", b"123", 0)
    (listed,) = lake.list("")
    assert (listed.version, listed.size_bytes) == (stored.version, 3)


def test_of_eight_threads_that_create_a_name_one_wins(lake: Lake) -> None:
    def create(number: int) -> bool:
        try:
            lake.write("a", str(number).encode(), 0)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(create, range(8)))
    assert won.count(True) == 1
    assert lake.read("a")[0] == str(won.index(True)).encode()


def test_no_increment_is_lost_between_threads_that_swap(lake: Lake) -> None:
    lake.write("count", b"0", 0)

    def increment(_: int) -> None:
        while True:
            held, stored = lake.read("count")
            try:
                lake.write("count", str(int(held) + 1).encode(), stored.version.generation)
                return
            except ObjectExists:
                continue

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(increment, range(24)))
    assert lake.read("count")[0] == b"24"


# The lake in a folder: the guarantees that a platform makes for a bucket.


def _create(folder: Path, number: int) -> bool:
    try:
        LocalLake(folder, "lake").write("a", str(number).encode(), 0)
    except ObjectExists:
        return False
    return True


def test_of_four_processes_that_create_a_name_one_wins(local: LocalLake, folder: Path) -> None:
    with FORK.Pool(4) as processes:
        won = processes.starmap(_create, [(folder, number) for number in range(16)])
    assert won.count(True) == 1
    assert local.read("a")[0] == str(won.index(True)).encode()


def test_a_file_that_a_person_puts_there_is_an_object(local: LocalLake, folder: Path) -> None:
    (folder / "drop").mkdir()
    (folder / "drop/x.csv").write_bytes(b"123456789")
    (listed,) = local.list("drop/")
    assert local.read("drop/x.csv")[1] == StoredObject(listed.version, 9, CRC_OF_123456789)


def test_file_replaced_by_hand_has_new_generation_despite_same_times(
    local: LocalLake, folder: Path, tmp_path: Path
) -> None:
    first = local.write("x", b"1", 0).version
    before = (folder / "x").stat()
    (folder / "x").write_bytes(b"2")
    os.utime(folder / "x", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert generation(local, "x") > first.generation
    with pytest.raises(ObjectMissing):
        local.download(first, tmp_path / "to")


def test_each_new_version_is_announced_exactly_once(local: LocalLake) -> None:
    told: list[StoredObject] = []
    local.finalized = told.append
    first = local.write("a", b"1", 0)
    create_once(local, "a", b"1")
    with pytest.raises(ObjectExists):
        local.write("a", b"2", 0)
    second = local.write("a", b"2", first.version.generation)
    assert told == [first, second]


def test_hidden_files_are_no_objects(local: LocalLake, folder: Path) -> None:
    local.write("drop/x.csv", b"", 0)
    (folder / "drop/.x.csv.part").write_bytes(b"half")
    (folder / "drop/.git").mkdir()
    (folder / "drop/.git/y.csv").write_bytes(b"")
    assert names(local) == ["drop/x.csv"]


def test_links_and_pipes_are_not_listed(local: LocalLake, folder: Path) -> None:
    (folder / "dangling").symlink_to(folder / "nowhere")
    (folder / "up").symlink_to(folder.parent, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    assert names(local) == []


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", ".lake/lock", "a/.hidden", "a\0b"]
)
def test_a_name_that_would_leave_the_folder_or_hide_is_refused(local: LocalLake, folder: Path, name: str) -> None:
    with pytest.raises(ObjectMissing):
        local.write(name, b"1", 0)
    with pytest.raises(ObjectMissing):
        local.read(name)
    assert names(local) == []
    assert [path.name for path in folder.parent.iterdir()] == ["lake"]


def _write_endlessly(folder: Path, source: Path) -> None:
    LocalLake(folder, "lake").write("a", source, 0)


def test_of_a_writer_that_is_killed_nothing_is_seen(local: LocalLake, folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = FORK.Process(target=_write_endlessly, args=(folder, tmp_path / "pipe"))
    writer.start()
    with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
        pipe.write(b"half")
        assert names(local) == []
        writer.kill()
        writer.join()
    assert names(local) == []
    assert local.write("a", b"whole", 0).size_bytes == 5


def _write_too_much(folder: Path) -> str:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        LocalLake(folder, "lake").write("a", b"x" * 2000, 0)
    except OSError as error:
        return type(error).__name__
    return "written"


def test_a_disk_that_takes_no_more_is_an_os_error_and_leaves_nothing(local: LocalLake, folder: Path) -> None:
    with FORK.Pool(1) as process:
        assert process.apply(_write_too_much, (folder,)) == "OSError"
    assert names(local) == []
    assert {path.name for path in (folder / ".lake").iterdir()} <= {"lock"}


@pytest.fixture
def growing(folder: Path, local: LocalLake) -> Iterator[Callable[[], None]]:
    """Appends to the object `x`, as a person's slow copy does."""
    with (folder / "x").open("a", buffering=1) as file:
        yield lambda: print("x" * 200_000, file=file)


def test_a_file_that_grows_while_it_is_downloaded_is_no_longer_that_version(
    local: LocalLake, growing: Callable[[], None], tmp_path: Path
) -> None:
    growing()
    version = local.read("x")[1].version
    os.mkfifo(tmp_path / "to")
    with ThreadPoolExecutor(1) as threads:
        downloading = threads.submit(local.download, version, tmp_path / "to")
        with (tmp_path / "to").open("rb") as reader:  # download waits in open until there is a reader
            reader.read(1)  # the download has begun, and waits until more is read than a pipe holds
            time.sleep(0.05)  # a change within a tick of the kernel's clock leaves the file's times as they are
            growing()
            reader.read()
        with pytest.raises(ObjectMissing):
            downloading.result()
