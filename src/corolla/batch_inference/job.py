"""The job: the list of its images and its model, saved before the first prediction.

Both are in a folder beside the result, with a part of the predictions for each chunk of the list. A later call, in
another process, on another machine or with another engine, computes the missing parts if its arguments are the same.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from corolla.atomic import write_json
from corolla.batch_inference.model import threads_for
from corolla.batch_inference.parts import (
    JOB,
    TOGETHER,
    Shape,
    job_of,
    joined,
    plain,
    read_part,
    schema_of,
    write_tables,
)
from corolla.errors import CorollaError, first_line, needed
from corolla.host import processors
from corolla.inputs.items import Item

FORMAT = 1
CHUNK = 256  # rows; a multiple of a predictor's batch, so that a chunk's predictions do not depend on its worker
ENDING = ".unfinished"
PLAN, LIST, LOCK, JOINED = "plan.json", "list.parquet", "lock", "joined.parquet"
# What may differ between two commands, and its name in messages.
FACTS = {
    "corolla": "version of corolla",
    "model": "model",
    "computed": "way of computing",
    "sources": "images",
    "top": "--top",
    "coverage": "--coverage",
}


@dataclass(frozen=True)
class Job:
    """The folder of a job whose list is complete."""

    folder: Path
    rows: int
    chunk: int
    threads: int  # CPU threads per predictor, which affect the last digits
    shape: Shape
    key: bytes  # a hash of the job's plan

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return -(-self.rows // self.chunk)

    def length(self, number: int) -> int:
        """The number of rows of a chunk; only the last may have fewer."""
        return min(self.chunk, self.rows - number * self.chunk)

    def part(self, number: int) -> Path:
        """The file of a chunk's predictions."""
        return self.folder / f"part-{number:06d}.parquet"

    def read(self, number: int) -> list[Item]:
        """The rows of a chunk."""
        pa, pq = needed("pyarrow", "parquet"), needed("pyarrow.parquet", "parquet")
        file = self.folder / LIST
        try:
            known = footer(file, file.stat().st_mtime_ns)
            with pq.ParquetFile(file, metadata=known, page_checksum_verification=True) as content:
                lines = content.read_row_group(number, use_threads=False).to_pylist()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CorollaError(
                f"cannot read {file}: {first_line(error)}; delete {self.folder} to start again"
            ) from None
        return [Item(**line | {"where": os.fsdecode(line["where"])}) for line in lines]

    def missing(self) -> list[int]:
        """The chunks without a complete part."""
        schema = schema_of(self.shape)
        return [
            number
            for number in range(self.chunks)
            if read_part(self.part(number), self.key, self.length(number), schema) is None
        ]

    def kept(self) -> int:
        """The number of rows in the finished parts."""
        return sum(self.length(number) for number in range(self.chunks) if self.part(number).exists())

    def write(self, number: int, table: Any) -> None:
        """Write a chunk's predictions atomically."""
        write_tables(self.part(number), [table], table.schema, {JOB: self.key}, self.chunk)

    def finish(self, out: Path) -> None:
        """Join all parts into one file, then delete the folder."""
        schema = schema_of(self.shape)
        parts = [(self.part(number), self.length(number)) for number in range(self.chunks)]
        tables = joined(parts, self.key, schema)
        whole = self.folder / JOINED
        write_tables(whole, tables, schema, {JOB: self.key}, TOGETHER)
        whole.replace(out)
        self.remove()

    def remove(self) -> None:
        """Delete the folder; the plan last, so that an interrupted deletion can be resumed."""
        for file in sorted(self.folder.iterdir(), key=lambda file: file.name == PLAN):
            if file.name != LOCK:
                file.unlink(missing_ok=True)


@lru_cache(2)
def footer(file: Path, changed: int) -> Any:
    """The Parquet footer of a list; for millions of rows it takes longer to read than a chunk."""
    return needed("pyarrow.parquet", "parquet").read_metadata(file)


@contextmanager
def open_job(
    out: Path, facts: dict[str, Any], shape: Shape, chunk: int, listing: Callable[[], Iterable[Item]]
) -> Iterator[tuple[Job, bool]]:
    """The job of a result, new or resumed, and whether the result is already finished.

    Locks the job. `CorollaError` if another process holds it, if another job started there, or if the
    result exists.
    """
    folder = folder_of(out)
    refuse_existing(out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise CorollaError(f"another process is working in {folder}; wait until it has ended") from None
    try:
        check_foreign(folder)
        work = restored(folder, facts, shape) if (folder / PLAN).exists() else None
        if out.exists() and (work is None or job_of(out) != work.key):
            raise CorollaError(f"{out} is there; choose another name or delete it")
        if out.exists() and work is not None:
            work.remove()
            yield work, True
        else:
            yield work or planned(folder, facts, shape, chunk, listing()), False
    finally:
        tidy(folder)  # while the lock is held
        lock.release()
        tidy(folder)  # Windows does not delete what is open


def tidy(folder: Path) -> None:
    """Delete the folder if nothing but the lock is in it."""
    with suppress(OSError):
        if all(file.name == LOCK for file in folder.iterdir()):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


def folder_of(out: Path) -> Path:
    """The folder of the job of a result."""
    return out.with_name(out.name + ENDING)


def refuse_existing(out: Path) -> None:
    """Raise `CorollaError` if the result exists, unless its job still needs to be cleaned up."""
    if out.exists() and not folder_of(out).is_dir():
        raise CorollaError(f"{out} is there; choose another name or delete it")


def check_foreign(folder: Path) -> None:
    """Raise `CorollaError` for files that are not from a job; deletes the temporary files of a killed job."""
    ours = {PLAN, LIST, LOCK, JOINED}
    for file in folder.iterdir():
        if file.name.startswith(".") and file.suffix in (".parquet", ".json"):
            file.unlink(missing_ok=True)
        elif file.name not in ours and not file.name.startswith((".", "part-")):
            raise CorollaError(f"{folder} holds {file.name}, which no job wrote; move it or choose another name")


def planned(folder: Path, facts: dict[str, Any], shape: Shape, chunk: int, rows: Iterable[Item]) -> Job:
    """Write the list, then the plan; without the plan, the rest of the folder is ignored."""
    for left in folder.glob("part-*.parquet"):
        left.unlink()
    count = write_list(folder / LIST, rows, chunk)
    plan = {"format": FORMAT, **facts, "rows": count, "chunk": chunk, "threads": threads_for(processors())}
    write_json(folder / PLAN, plan)
    return Job(folder, count, chunk, plan["threads"], shape, key_of(plan))


def write_list(file: Path, rows: Iterable[Item], chunk: int) -> int:
    """Write the rows, one row group per chunk, and return their number."""
    pa = needed("pyarrow", "parquet")
    columns = [("name", pa.string()), ("where", pa.binary()), ("start", pa.int64()), ("size", pa.int64())]
    schema = pa.schema([*columns, ("error", pa.string())])
    count = 0

    def tables() -> Iterator[Any]:
        nonlocal count
        lines: list[dict[str, Any]] = []
        for row in rows:
            told = {"name": plain(row.name), "where": os.fsencode(row.where), "error": plain(row.error)}
            lines.append({"start": row.start, "size": row.size} | told)
            if len(lines) == chunk:
                count += len(lines)
                yield pa.Table.from_pylist(lines, schema=schema)
                lines = []
        if lines:
            count += len(lines)
            yield pa.Table.from_pylist(lines, schema=schema)

    write_tables(file, tables(), schema, {}, chunk)
    return count


def restored(folder: Path, facts: dict[str, Any], shape: Shape) -> Job:
    """The job in a folder; `CorollaError` if its arguments differ."""
    try:
        plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        rows, chunk, threads = int(plan["rows"]), int(plan["chunk"]), int(plan["threads"])
        if plan["format"] != FORMAT or rows < 0 or chunk < 1 or threads < 1:
            raise ValueError("it was written by another version of corolla")
        differing = [name for key, name in FACTS.items() if plan[key] != facts[key]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorollaError(f"cannot read {folder / PLAN}: {error}; delete {folder} to start again") from None
    if differing:
        raise CorollaError(
            f"{folder} was started with another {' and another '.join(differing)}; run that command again, "
            f"or delete {folder} to start again"
        )
    return Job(folder, rows, chunk, threads, shape, key_of(plan))


def key_of(plan: dict[str, Any]) -> bytes:
    """A hash of a whole plan."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode("utf-8")).hexdigest().encode("ascii")
