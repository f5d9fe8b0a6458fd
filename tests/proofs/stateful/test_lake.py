"""After any sequence of calls a lake equals a plain list of versions, whichever process makes the calls."""

import base64
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.proofs.stateful.effort import check

from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, create_once
from millrace.lake.local import LocalLake

Bucket = Callable[[], Lake]  # each call is another process's access to one and the same empty bucket
BucketIn = Callable[[Path], Bucket]

NAMES = st.sampled_from(["p/a", "p/b/1", "p/b-c/1", "p/bc", "q"])
CONTENTS = st.sampled_from([b"", b"1", b"2"])
PREFIXES = st.sampled_from(["", "p/", "p/b", "p/b/", "q", "nowhere/"])
AGES = st.integers(0, 2)
WRITERS = st.integers(0, 1)


def bucket_in_a_folder(folder: Path) -> Bucket:
    return lambda: LocalLake(folder / "bucket", "bucket")


class LakeMachine(RuleBasedStateMachine):
    """Two processes use one bucket. The model: the versions of each name, the newest last."""

    def __init__(self, bucket_in: BucketIn) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lake-"))
        bucket = bucket_in(self.folder)
        self.lakes = [bucket(), bucket()]
        self.versions: dict[str, list[tuple[StoredObject, bytes]]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def newest(self, name: str) -> int:
        return self.versions[name][-1][0].version.generation if name in self.versions else 0

    def generation(self, name: str, age: int) -> int:
        """Return the generation of the newest version (0), of the one before it …; of one that never was, 7."""
        held = self.versions.get(name, [])
        return held[-1 - age][0].version.generation if age < len(held) else 7

    def is_written(self, name: str, content: bytes, stored: StoredObject) -> None:
        crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
        generation = stored.version.generation
        assert stored == StoredObject(ObjectVersion("bucket", name, generation), len(content), crc32c)
        assert generation > self.newest(name)
        self.versions.setdefault(name, []).append((stored, content))

    @rule(writer=WRITERS, name=NAMES, content=CONTENTS, is_file=st.booleans())
    def write_the_newest(self, writer: int, name: str, content: bytes, is_file: bool) -> None:
        given = self.file(content) if is_file else content
        self.is_written(name, content, self.lakes[writer].write(name, given, self.newest(name)))

    @rule(writer=WRITERS, name=NAMES, content=CONTENTS, age=AGES)
    def write_over_what_is_not_the_newest(self, writer: int, name: str, content: bytes, age: int) -> None:
        expected = self.generation(name, age + 1) if name in self.versions else 7
        with pytest.raises(ObjectExists):
            self.lakes[writer].write(name, content, expected)

    @precondition(lambda self: self.versions)
    @rule(writer=WRITERS, data=st.data(), content=CONTENTS)
    def write_as_if_new_what_is_there(self, writer: int, data: st.DataObject, content: bytes) -> None:
        with pytest.raises(ObjectExists):
            self.lakes[writer].write(data.draw(st.sampled_from(sorted(self.versions))), content, 0)

    @rule(writer=WRITERS, name=NAMES, content=CONTENTS, is_file=st.booleans())
    def create_once(self, writer: int, name: str, content: bytes, is_file: bool) -> None:
        given, held = self.file(content) if is_file else content, self.versions.get(name)
        if held is None:
            self.is_written(name, content, create_once(self.lakes[writer], name, given))
        elif held[-1][1] == content:
            assert create_once(self.lakes[writer], name, given) == held[-1][0]
        else:
            with pytest.raises(ObjectExists):
                create_once(self.lakes[writer], name, given)

    @rule(reader=WRITERS, name=NAMES, age=AGES)
    def read(self, reader: int, name: str, age: int) -> None:
        lake, generation = self.lakes[reader], self.generation(name, age)
        if name in self.versions:
            stored, content = self.versions[name][-1]
            assert lake.read(name) == (content, stored)
            if age == 0:
                assert lake.read(name, generation) == (content, stored)
                return
        with pytest.raises(ObjectMissing):
            lake.read(name, generation)

    @rule(reader=WRITERS, name=NAMES, age=AGES)
    def download(self, reader: int, name: str, age: int) -> None:
        version, to = ObjectVersion("bucket", name, self.generation(name, age)), self.folder / "to"
        if name in self.versions and age == 0:
            stored, content = self.versions[name][-1]
            assert self.lakes[reader].download(version, to) == stored
            assert to.read_bytes() == content
        else:
            with pytest.raises(ObjectMissing):
                self.lakes[reader].download(version, to)

    @rule(reader=WRITERS, prefix=PREFIXES)
    def list_a_prefix(self, reader: int, prefix: str) -> None:
        listed = [(stored.version, stored.size_bytes) for stored in self.lakes[reader].list(prefix)]
        names = [name for name in sorted(self.versions) if name.startswith(prefix)]
        newest = [self.versions[name][-1][0] for name in names]
        assert listed == [(stored.version, stored.size_bytes) for stored in newest]

    @invariant()
    def both_see_the_same(self) -> None:
        one, other = (list(lake.list("")) for lake in self.lakes)
        assert one == other
        assert len(one) == len(self.versions)

    def file(self, content: bytes) -> Path:
        path = self.folder / "from"
        path.write_bytes(content)
        return path


@pytest.mark.parametrize("bucket_in", [pytest.param(bucket_in_a_folder, id="local")])
def test_any_sequence_of_calls_leaves_the_versions_that_a_list_would_hold(bucket_in: BucketIn) -> None:
    check(partial(LakeMachine, bucket_in), rounds=5, steps=40)
