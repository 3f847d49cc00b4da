"""Parquet and Arrow files as Hugging Face `datasets` writes them: a column of images and one of labels.

They are read with pyarrow, which `datasets` itself reads them with: a row group or a record batch can be gone to at
once, so that a training resumes in the middle of an epoch without reading what came before, and only a few images
are in the memory at a time. `datasets` in streaming mode counts rows from the beginning instead.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corolla.data.shards.samples import MAX_WORD, TOO_LONG, DamageError, LeftOut, Sample, Wanted
from corolla.data.table_columns import LABEL_NAMES
from corolla.errors import CorollaError

_IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes")
_LABEL_NAMES = (*LABEL_NAMES, "labels", "cls")
_NONE = re.compile(r"-\d+")
_ROWS = 16  # images in the memory at a time


@dataclass(frozen=True)
class Columns:
    """Where images and labels stand, and the names that numbers of classes stand for, if the file says."""

    image: str
    label: str
    names: tuple[str, ...] = ()


def columns_of(path: Path) -> Columns | None:
    """The columns of a file; None if it has none of images and labels, such as a table of paths."""
    with arrow_errors():
        return find_columns(schema_of(path))


def find_columns(schema: Any) -> Columns | None:
    """The columns by what `datasets` wrote about them, or else by their names and types."""
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
    """The labels of every piece: a row group of a Parquet file, the whole of an Arrow file; `left` gets the others."""
    with arrow_errors():
        columns = needed(path)
        if path.suffix == ".arrow":
            yield labels(batches_of(path), columns, path, 0, left)
            return
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for piece in range(file.num_row_groups):
                group = file.read_row_group(piece, columns=[columns.label], use_threads=False)
                yield labels(group.to_batches(), columns, path, piece, left)


def labels(batches: Iterable[Any], columns: Columns, path: Path, piece: int, left: LeftOut) -> Iterator[str]:
    """The words of the rows that have one."""
    row = 0
    for batch in batches:
        for number, word in enumerate(words(batch, columns)):
            if reason := no_label(word):
                left.add(row_name(row + number, piece, path), reason)
            else:
                yield word
        row += batch.num_rows


def row_name(row: int, piece: int, path: Path) -> str:
    """What a row is called, without its file."""
    return f"row {row}" if path.suffix == ".arrow" else f"row {row} of row group {piece}"


def read_columns(path: Path, piece: int, wanted: Wanted) -> Iterator[Sample]:
    """The samples of a piece; a row without a label is none."""
    with arrow_errors():
        columns, place, row = needed(path), 0, 0
        for batch in batches_of(path) if path.suffix == ".arrow" else group_batches(path, piece, columns):
            images = batch.column(columns.image)
            for number, word in enumerate(words(batch, columns)):
                if not no_label(word):
                    content = bytes_of(images[number].as_py()) if wanted(place) else None
                    yield Sample(place, f"{path.name}, {row_name(row + number, piece, path)}", word, content)
                    place += 1
            row += batch.num_rows


def group_batches(path: Path, piece: int, columns: Columns) -> Iterator[Any]:
    """A row group a few rows at a time, however large it is."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
        wanted = [columns.image, columns.label]
        yield from file.iter_batches(batch_size=_ROWS, row_groups=[piece], columns=wanted, use_threads=False)


def batches_of(path: Path) -> Iterator[Any]:
    """The record batches of an Arrow file, of either kind, mapped and not read."""
    pa = pyarrow(path)
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
    pa = pyarrow(path)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_schema(path)
    with pa.memory_map(str(path)) as source:
        try:
            return pa.ipc.open_stream(source).schema
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_file(source).schema


def needed(path: Path) -> Columns:
    """The columns of a file that must have them."""
    columns = find_columns(schema_of(path))
    if columns is None:
        raise DamageError("it has no column of images (their bytes) beside one of labels")
    return columns


def words(batch: Any, columns: Columns) -> list[str]:
    """The word of every row, "" where the cell is empty."""
    return ["" if value is None else str(value).strip() for value in batch.column(columns.label).to_pylist()]


def no_label(word: str) -> str:
    """Why a word names no class, "" if it does; a negative number is the usual sign for none."""
    if not word:
        return "it has no label"
    if _NONE.fullmatch(word):
        return f"its label is {word[:20]}, which stands for none"
    return TOO_LONG if len(word) > MAX_WORD else ""


def bytes_of(value: Any) -> bytes:
    """The file in a cell; empty if there is only a path, which may point anywhere and is not followed."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def features_of(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """What `datasets` says of the columns in a schema's metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {name: said for name, said in features.items() if isinstance(said, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def holds_files(kind: Any) -> bool:
    """Whether a column's cells are files: their bytes and a path."""
    import pyarrow as pa

    return bool(pa.types.is_struct(kind)) and any(part.name == "bytes" and is_bytes(part.type) for part in kind)


def is_bytes(kind: Any) -> bool:
    """Whether a column holds bytes."""
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))


def is_word(kind: Any) -> bool:
    """Whether a column may name classes."""
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    return pa.types.is_dictionary(kind) or any(test(kind) for test in texts)


def pyarrow(path: Path) -> Any:
    """The package, or a line that says how to get it."""
    try:
        import pyarrow
    except ImportError:
        raise CorollaError(f"reading {path} needs pyarrow: pip install 'corolla[parquet]'") from None
    return pyarrow


@contextmanager
def arrow_errors() -> Iterator[None]:
    """pyarrow's exceptions as `DamageError`; those of the operating system stay what they are."""
    try:
        yield
    except (CorollaError, DamageError, GeneratorExit):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise DamageError(str(error).splitlines()[0]) from None  # so pyarrow reports damaged pages
    except Exception as error:
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise DamageError((str(error).splitlines() or ["damaged"])[0]) from None
