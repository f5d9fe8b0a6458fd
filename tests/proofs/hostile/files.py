"""Hostile files, created when they are needed: small on disk, large in their contents."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MEGA = 1_000_000
MEGABYTE = b"x" * (1 << 20)

Make = Callable[[Path], Path]


def parquet(table: pa.Table | dict[str, object], **options: object) -> bytes:
    """Return a Parquet file as bytes."""
    sink = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), sink, **options)
    return sink.getvalue()


def repeated(value: str, times: int) -> pa.DictionaryArray:
    """Return an array that repeats a text and stores it once."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), times), pa.array([value]))


def dictionary_bomb(path: Path, column: str = "full_name", groups: int = 50) -> Path:
    """50 million rows of one text of 1 kB: 50 GB in 5 MB."""
    return _write(path, ({column: repeated("x" * 1000, MEGA)} for _ in range(groups)))


def wide_bomb(path: Path, rows: int = MEGA, columns: int = 60) -> Path:
    """A million rows of 60 columns that repeat 100 bytes: 6 GB."""
    one = repeated("y" * 100, rows)
    return _write(path, [{"full_name": one} | {f"c{n}": one for n in range(columns - 1)}])


def list_bomb(path: Path, items: int = 20 * MEGA) -> Path:
    """One row with a list of 20 million numbers, all of them 0."""
    offsets = pa.array([0, items], pa.int32())
    numbers = pa.repeat(pa.scalar(0, pa.int64()), items)
    return _write(path, [{"full_name": pa.array(["a"]), "more": pa.ListArray.from_arrays(offsets, numbers)}])


def list_of_texts_bomb(path: Path) -> Path:
    """Ten rows with lists of a million texts of 1 kB each: 10 GB."""
    offsets = pa.array([0, MEGA], pa.int32())
    texts = pa.ListArray.from_arrays(offsets, repeated("z" * 1000, MEGA))
    row = {"repo_name": pa.array(["a"]), "number": pa.array([1]), "labels": texts}
    return _write(path, (row for _ in range(10)))


def text_within_few_rows_bomb(path: Path) -> Path:
    """Two thousand rows of one text of 8 MB: 16 GB, under the limit of a file, but all of it at once."""
    return _write(path, [{"full_name": repeated("w" * (8 << 20), 2000)}])


def many_row_groups(path: Path) -> Path:
    """60,000 row groups of one row."""
    pq.write_table(pa.table({"full_name": ["a"] * 60_000}), path, row_group_size=1, write_statistics=False)
    return path


def long_text(path: Path, size_bytes: int = 100 << 20) -> Path:
    """One text of 100 MB, which compresses to almost nothing."""
    pq.write_table(pa.table({"full_name": ["v" * size_bytes]}), path, compression="zstd", use_dictionary=False)
    return path


def many_columns(count: int = 10_000) -> bytes:
    """A file with 10,000 columns."""
    return parquet({"full_name": ["a"]} | {f"c{n}": [1] for n in range(count)})


def lying_about_rows() -> bytes:
    """Pages with a million values under a footer that claims ten rows."""
    return _under_another_footer(
        parquet({"full_name": ["a"] * MEGA}, write_statistics=False),
        parquet({"full_name": ["a"] * 10}, write_statistics=False),
    )


def lying_about_sizes() -> bytes:
    """A page that unpacks to 200 MB under a footer that claims a few bytes."""
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    return _under_another_footer(
        parquet({"full_name": ["u" * (200 << 20)]}, **options), parquet({"full_name": ["u" * 100]}, **options)
    )


def too_deep(levels: int) -> bytes:
    """A column of lists in lists."""
    value: object = 1
    kind = pa.int64()
    for _ in range(levels):
        value, kind = [value], pa.list_(kind)
    return parquet(pa.table({"full_name": ["a"], "more": pa.array([value], kind)}))


def schema_without_end(levels: int) -> bytes:
    """A footer with a schema of groups in groups, made by hand: no writer produces it."""
    leaf = b"\x15\x02\x25\x00\x18\x01x\x00"
    elements = [b"\x35\x00\x18\x01g\x15\x02\x00"] * (levels + 1) + [leaf]
    footer = b"\x15\x02\x19\xfc" + _varint(len(elements)) + b"".join(elements) + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def invalid_utf8() -> bytes:
    """A text column with bytes that are no text."""
    text = pa.array([b"\xff\xfe\x80"], pa.binary()).view(pa.string())
    return parquet(pa.table({"full_name": text}), use_dictionary=False)


def unknown_codec() -> bytes:
    """A footer that names an unknown compression."""
    content = parquet({"full_name": ["a"]}, compression="zstd", write_statistics=False)
    zstd, unheard_of = b"full_name\x15\x0c", b"full_name\x15\x62"  # numbers 6 and 49, after the path of the column
    assert content.count(zstd) == 1
    return content.replace(zstd, unheard_of)


def encrypted() -> bytes:
    """The two ways in which an encrypted file begins and ends."""
    content = parquet({"full_name": ["a"]})
    return b"PARE" + content[4:-4] + b"PARE"


def bytes_of(make: Callable[[], bytes]) -> Make:
    """Return a function that writes a file of these bytes."""

    def write(path: Path) -> Path:
        path.write_bytes(make())
        return path

    return write


def text(head: bytes, filling: bytes, times: int, tail: bytes = b"") -> Make:
    """Return a function that writes a file with a head, a filling again and again, and a tail."""

    def write(path: Path) -> Path:
        with path.open("wb") as file:
            file.write(head)
            for _ in range(times):
                file.write(filling)
            file.write(tail)
        return path

    return write


def _under_another_footer(pages: bytes, other: bytes) -> bytes:
    length = int.from_bytes(pages[-8:-4], "little") + 8
    footer = other[-int.from_bytes(other[-8:-4], "little") - 8 :]
    return pages[:-length] + footer


def _write(path: Path, batches: Iterable[dict[str, pa.Array]]) -> Path:
    writer = None
    for columns in batches:
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="none", write_statistics=False)
        writer.write_table(table, row_group_size=len(table))
    assert writer is not None
    writer.close()
    return path


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


BOMBS: dict[str, tuple[str, Make]] = {
    "50 GB behind one value of a dictionary": ("repos/a.parquet", dictionary_bomb),
    "6 GB behind 60 dictionaries": ("repos/a.parquet", wide_bomb),
    "one list of 20 million numbers": ("repos/a.parquet", list_bomb),
    "10 GB in lists of one text": ("pull_requests/a.parquet", list_of_texts_bomb),
    "16 GB within 2,000 rows": ("repos/a.parquet", text_within_few_rows_bomb),
    "60,000 row groups": ("repos/a.parquet", many_row_groups),
    "10,000 columns": ("repos/a.parquet", bytes_of(many_columns)),
    "a text of 100 MB in Parquet": ("repos/a.parquet", long_text),
    "a page of 200 MB under a footer of 100 bytes": ("repos/a.parquet", bytes_of(lying_about_sizes)),
    "a million values under a footer of ten": ("repos/a.parquet", bytes_of(lying_about_rows)),
    "a schema of 100,000 levels": ("repos/a.parquet", bytes_of(lambda: schema_without_end(100_000))),
    "a footer of 40 MB": ("repos/a.parquet", text(b"PAR1", MEGABYTE, 40, (40 << 20).to_bytes(4, "little") + b"PAR1")),
    "a line of 100 MB": ("repos/a.ndjson", text(b'{"full_name": "', MEGABYTE, 100, b'"}\n')),
    "a cell of 100 MB": ("repos/a.csv", text(b"full_name\n", MEGABYTE, 100, b"\n")),
    "a cell of 100 MB on a million lines": ("repos/a.csv", text(b'full_name\n"', b"x" * 99 + b"\n", 1_000_000, b'"\n')),
    "100 million quotes": ("repos/a.csv", text(b"full_name\n", b'"' * (1 << 20), 100)),
    "a quote too many after 50,000 lines": ("repos/a.csv", text(b"full_name\n", b'""""\n', 50_000, b'"\n')),
    "a header of 200,000 columns": ("repos/a.csv", text(b"full_name", b",a", 200_000, b"\n1\n")),
    "900,000 brackets": ("repos/a.ndjson", text(b'{"x": ', b"[", 900_000)),
    "2.8 million empty lists on a line": (
        "repos/a.ndjson",
        text(b'{"full_name":"a","x":[', b"[],", 2_790_000, b"[]]}\n"),
    ),
    "800,000 fields of one name": (
        "repos/a.ndjson",
        text(b'{"full_name": "a", "x": {', b'"a":1,"b":1,', 400_000, b'"a":1}}\n'),
    ),
}
"""The name of each case, its file name below `drop/`, and the function that writes it."""
