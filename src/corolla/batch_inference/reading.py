"""Reads the image of a row on demand: from the disk, from a shard, or from a remote address."""

from functools import partial
from pathlib import Path

from corolla.batch_inference import remote_fs as places
from corolla.batch_inference.sources import Row
from corolla.data.decoding import MAX_BYTES, ImageError
from corolla.data.image_input import ImageInput


def image_of(row: Row) -> ImageInput:
    """The predictor's input for the row: a path, or a function that returns the bytes or raises `ImageError`."""
    if not row.error and row.size < 0 and not places.protocol(row.where):
        return Path(row.where)
    return partial(content_of, row)


def content_of(row: Row) -> bytes:
    """The bytes of a row's image, at most `MAX_BYTES`; `ImageError` if they cannot be read."""
    if row.error:
        raise ImageError(row.error)
    if row.size > MAX_BYTES:
        raise ImageError(f"{row.size / 1e6:,.0f} MB, more than {MAX_BYTES / 1e6:.0f} MB are not read")
    try:
        if row.size == 0:
            content = b""
        elif places.protocol(row.where):
            content = places.content_of(row.where, row.start, row.size, MAX_BYTES)
        else:
            with Path(row.where).open("rb") as file:
                file.seek(row.start)
                content = file.read(row.size)
    except Exception as error:  # file systems raise any exception
        raise ImageError(places.reason(error, row.where)) from None
    if len(content) > MAX_BYTES:
        raise ImageError(f"more than {MAX_BYTES / 1e6:.0f} MB, which are not read")
    if len(content) < row.size:
        raise ImageError("truncated: the file ends before the image does")
    return content
