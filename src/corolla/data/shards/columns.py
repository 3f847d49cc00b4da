"""Reads Parquet and Arrow files of Hugging Face `datasets`: a column of images and one of labels.

They are read with pyarrow, as in `datasets`: it can seek to a row group or a record batch,
so that training resumes in the middle of an epoch without reading the earlier part, and only a few images
are in memory at a time. `datasets` in streaming mode skips rows from the beginning instead.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corolla.data.shards.samples import MAX_WORD, TOO_LONG, LeftOut, Sample, Wanted
from corolla.data.vocabulary import LABEL_NAMES
from corolla.errors import CorollaError, needed
from corolla.inputs.tars import DamageError

_IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes")
_LABEL_NAMES = (*LABEL_NAMES, "labels", "cls")
_NONE = re.compile(r"-\d+")
_ROWS = 16  # images in memory at a time


@dataclass(frozen=True)
class Columns:
    """The columns of images and labels, and the class names of numeric labels, if the file has them."""

    image: str
    label: str
    names: tuple[str, ...] = ()


def columns_of(path: Path) -> Columns | None:
    """The columns of a file; None if it lacks images or labels, such as a table of paths."""
    with arrow_errors():
        return find_columns(schema_of(path))


def find_columns(schema: Any) -> Columns | None:
    """The columns by the metadata of `datasets`, otherwise by their names and types."""
    features = features_of(schema.metadata or {})
    images = [name for name in schema.names if features.get(name, {}).get("_type") == "Image"]
    images += [name for name in schema.names if holds_files(schema.field(name).type)]
    images += [name for name in _IMAGE_NAMES if name in schema.names and is_bytes(schema.field(name).type)]
    images = [name for name in images if holds_files(kind := schema.field(name).type) or is_bytes(kind)]
    labels = [name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
    labels += [name for name in _LABEL_NAMES if name in schema.names]
    labels = [name for name in labels if is_word(schema.field(name).type)]
    if not images or not labels:
        return None
    names = features.get(labels[0], {}).get("names")
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return Columns(images[0], labels[0], tuple(names) if named and names else ())


def read_words(path: Path, left: LeftOut) -> Iterator[Iterator[str]]:
    """The labels of every piece (a Parquet row group, a whole Arrow file); `left` gets the rows without one."""
    with arrow_errors():
        columns = columns_in(path)
        if path.suffix == ".arrow":
            yield labels(batches_of(path), columns, path, 0, left)
            return
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for piece in range(file.num_row_groups):
                group = file.read_row_group(piece, columns=[columns.label], use_threads=False)
                yield labels(group.to_batches(), columns, path, piece, left)


def labels(batches: Iterable[Any], columns: Columns, path: Path, piece: int, left: LeftOut) -> Iterator[str]:
    """The labels of the rows that have one."""
    row = 0
    for batch in batches:
        for number, word in enumerate(words(batch, columns)):
            if reason := no_label(word):
                left.add(row_name(row + number, piece, path), reason)
            else:
                yield word
        row += batch.num_rows


def row_name(row: int, piece: int, path: Path) -> str:
    """The name of a row, without its file."""
    return f"row {row}" if path.suffix == ".arrow" else f"row {row} of row group {piece}"


def read_columns(path: Path, piece: int, wanted: Wanted) -> Iterator[Sample]:
    """The samples of a piece; a row without a label is not a sample."""
    with arrow_errors():
        columns, place, row = columns_in(path), 0, 0
        for batch in batches_of(path) if path.suffix == ".arrow" else group_batches(path, piece, columns):
            images = batch.column(columns.image)
            for number, word in enumerate(words(batch, columns)):
                if not no_label(word):
                    content = bytes_of(images[number].as_py()) if wanted(place) else None
                    yield Sample(place, f"{path.name}, {row_name(row + number, piece, path)}", word, content)
                    place += 1
            row += batch.num_rows


def group_batches(path: Path, piece: int, columns: Columns) -> Iterator[Any]:
    """A row group in batches of a few rows."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
        wanted = [columns.image, columns.label]
        yield from file.iter_batches(batch_size=_ROWS, row_groups=[piece], columns=wanted, use_threads=False)


def batches_of(path: Path) -> Iterator[Any]:
    """The memory-mapped record batches of an Arrow file, in file or stream format."""
    pa = needed("pyarrow", "parquet", f"reading {path}")
    with pa.memory_map(str(path)) as source:
        try:
            yield from pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            source.seek(0)
            file = pa.ipc.open_file(source)
            for number in range(file.num_record_batches):
                yield file.get_batch(number)


def schema_of(path: Path) -> Any:
    """The schema of a Parquet or Arrow file."""
    pa = needed("pyarrow", "parquet", f"reading {path}")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_schema(path)
    with pa.memory_map(str(path)) as source:
        try:
            return pa.ipc.open_stream(source).schema
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_file(source).schema


def columns_in(path: Path) -> Columns:
    """The columns of a file; raises `DamageError` if it lacks them."""
    columns = find_columns(schema_of(path))
    if columns is None:
        raise DamageError("it does not have a column of images (their bytes) and one of labels")
    return columns


def words(batch: Any, columns: Columns) -> list[str]:
    """The label of every row, "" for an empty cell."""
    return ["" if value is None else str(value).strip() for value in batch.column(columns.label).to_pylist()]


def no_label(word: str) -> str:
    """Why a label is not a class, "" if it is one; a negative number usually means no label."""
    if not word:
        return "it has no label"
    if _NONE.fullmatch(word):
        return f"its label is {word[:20]}, which means no label"
    return TOO_LONG if len(word) > MAX_WORD else ""


def bytes_of(value: Any) -> bytes:
    """The file in a cell; empty if it has only a path, which is untrusted and not followed."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def features_of(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """The features that `datasets` stores in a schema's metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: said for name, said in features.items() if isinstance(said, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def holds_files(kind: Any) -> bool:
    """Whether a column's cells are structs of bytes and a path."""
    import pyarrow as pa

    return bool(pa.types.is_struct(kind)) and any(part.name == "bytes" and is_bytes(part.type) for part in kind)


def is_bytes(kind: Any) -> bool:
    """Whether a column holds bytes."""
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))


def is_word(kind: Any) -> bool:
    """Whether a column may contain class labels."""
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    return pa.types.is_dictionary(kind) or any(test(kind) for test in texts)


@contextmanager
def arrow_errors() -> Iterator[None]:
    """Turn pyarrow's exceptions into `DamageError`; exceptions of the operating system pass unchanged."""
    try:
        yield
    except (CorollaError, DamageError, GeneratorExit):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise DamageError(str(error).splitlines()[0]) from None  # how pyarrow reports damaged pages
    except Exception as error:
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise DamageError((str(error).splitlines() or ["damaged"])[0]) from None
