"""The predictions as a table: one part per chunk of the list, and all parts joined into one file.

The columns are those of `corolla predict --csv`, plus `ood_score`, `labels` if a coverage
was requested, and `error`, which is null for a successful prediction. Every page of a part has a checksum.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corolla.atomic import write_with
from corolla.data.decoding import ImageError
from corolla.errors import CorollaError, needed
from corolla.inputs.items import Item
from corolla.predictor import Prediction

TOGETHER = 65_536  # rows per row group of the result
JOB = b"corolla job"  # metadata key of the job


@dataclass(frozen=True)
class Shape:
    """What determines the columns: the number of top classes, and the coverage of the conformal prediction sets."""

    top: int
    coverage: float | None


def schema_of(shape: Shape) -> Any:
    """The columns as a pyarrow schema."""
    pa = needed("pyarrow", "parquet")
    columns = [("path", pa.string()), ("label", pa.string()), ("probability", pa.float64())]
    columns += [("accepted", pa.bool_()), ("ood_score", pa.float64())]
    columns += [("labels", pa.list_(pa.string()))] if shape.coverage is not None else []
    for place in range(2, shape.top + 1):
        columns += [(f"label_{place}", pa.string()), (f"probability_{place}", pa.float64())]
    return pa.schema([*columns, ("error", pa.string())])


def table_of(rows: Sequence[Item], answers: Sequence[Prediction | ImageError], shape: Shape) -> Any:
    """The table of a chunk: one line per row, in order."""
    pa = needed("pyarrow", "parquet")
    lines = []
    for row, answer in zip(rows, answers, strict=True):
        line: dict[str, Any] = {"path": row.name}
        if isinstance(answer, ImageError):
            line["error"] = plain(answer.reason)
        else:
            line |= {"label": answer.label, "probability": answer.probability, "ood_score": answer.ood_score}
            line["accepted"] = None if answer.ood_score is None else answer.accepted
            line |= {} if answer.labels is None else {"labels": list(answer.labels)}
            for place, (label, share) in enumerate(answer.top[1:], start=2):
                line |= {f"label_{place}": label, f"probability_{place}": share}
        lines.append(line)
    return pa.Table.from_pylist(lines, schema=schema_of(shape))


def plain(text: str) -> str:
    """The text in a form that Parquet can store: a file's name may be invalid Unicode."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def write_tables(file: Path, tables: Iterable[Any], schema: Any, metadata: dict[bytes, bytes], together: int) -> None:
    """Write many tables into one Parquet file, atomically; memory holds `together` rows and a table."""
    pa, pq = needed("pyarrow", "parquet"), needed("pyarrow.parquet", "parquet")

    def write(temporary: Path) -> None:
        waiting: list[Any] = []
        # Through a Python file, so that a full disk raises the usual OSError.
        with (
            temporary.open("wb") as sink,
            pq.ParquetWriter(sink, schema.with_metadata(metadata), write_page_checksum=True) as writer,
        ):
            for table in tables:
                waiting.append(table)
                if sum(len(each) for each in waiting) >= together:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=together)
                    waiting.clear()
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=together)

    write_with(file, write)


def read_part(file: Path, job: bytes, rows: int, schema: Any) -> Any | None:
    """The table of a part, or None if it is missing, damaged, incomplete or of another job."""
    pa, pq = needed("pyarrow", "parquet"), needed("pyarrow.parquet", "parquet")
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as content:
            if (content.schema_arrow.metadata or {}).get(JOB) != job:
                return None
            table = content.read(use_threads=False)
    except (OSError, ValueError, pa.ArrowException):
        return None
    whole = table.num_rows == rows and table.schema.equals(schema)
    return table if whole else None


def job_of(file: Path) -> bytes | None:
    """The job of a finished table; None if unknown."""
    pa, pq = needed("pyarrow", "parquet"), needed("pyarrow.parquet", "parquet")
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (OSError, ValueError, pa.ArrowException):
        return None
    found = metadata.get(JOB)
    return found if isinstance(found, bytes) else None


def failures_in(file: Path) -> int:
    """The number of rows with an error in a finished table."""
    pq = needed("pyarrow.parquet", "parquet")
    with pq.ParquetFile(file) as content:
        batches = content.iter_batches(columns=["error"])
        return sum(len(batch) - int(batch.column(0).null_count) for batch in batches)


def joined(parts: Iterable[tuple[Path, int]], job: bytes, schema: Any) -> Iterator[Any]:
    """The tables of the `parts`, in order.

    A damaged part is deleted and raises an error, so that the next call computes it again.
    """
    for file, rows in parts:
        table = read_part(file, job, rows, schema)
        if table is None:
            file.unlink(missing_ok=True)
            raise CorollaError(f"{file} was damaged since it was written; run the same command again to repair it")
        yield table.replace_schema_metadata(None)
