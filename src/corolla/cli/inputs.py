"""Resolves the PATH arguments of `corolla predict RUN` to images, in order."""

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from corolla.cli.download import download
from corolla.cli.failures import say
from corolla.cli.output import print_json
from corolla.data.decoding import MAX_BYTES, ImageError, check_header, read_image
from corolla.data.tree import files_below
from corolla.errors import CorollaError
from corolla.paths import word as at_home
from corolla.progress import Progress

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
DOWNLOADS = 8  # at a time


@dataclass(frozen=True)
class Input:
    """One image to predict: its `name` in the output, and its path or why it is not available."""

    name: str
    path: Path | None = None
    error: str = ""


def none_readable(failures: Sequence[tuple[str, str]]) -> CorollaError:
    """The error if none of the images could be read, from the name and the reason of each."""
    if len(failures) == 1:
        return CorollaError("cannot read {}: {}".format(*failures[0]))
    return CorollaError(f"none of the {len(failures)} images could be read")


def refuse_unreadable(inputs: Sequence[Input], json: bool) -> None:
    """`CorollaError` if no input is an image by its first bytes, reported in the same way as after a prediction.

    This avoids loading a model that has nothing to predict.
    """
    failures: list[tuple[str, str]] = []
    for item in inputs:
        reason = item.error
        try:
            if item.path is not None:
                check_header(item.path)
        except ImageError as error:
            reason = error.reason
        if not reason:
            return
        failures.append((item.name, reason))
    for name, reason in failures if len(failures) > 1 else ():
        say(f"cannot read {name}: {reason}")
    if json:
        print_json([{"path": name, "error": reason} for name, reason in failures])
    raise none_readable(failures)


def gather(words: Sequence[str], scratch: Path, progress: Progress) -> list[Input]:
    """All images that the words name; images from URLs and standard input are stored in `scratch`.

    A word is the path of a file or of a folder (all files in it and its subfolders), a pattern with `*`, `?` or `[`,
    an http(s) URL, or `-` for standard input. A path that does not exist becomes an input with an error.
    """
    if list(words).count("-") > 1:
        raise CorollaError("standard input can be read once; give - once")
    inputs: list[Input] = []
    for word in words:
        inputs += from_stdin(scratch) if word == "-" else expand(word)
    return fetch_all(inputs, scratch, progress)


@contextmanager
def scratch_for(words: Sequence[str]) -> Iterator[Path]:
    """The folder for `gather`; it is created only for URLs and standard input, since files need no writable disk."""
    if not any(word == "-" or ADDRESS.match(word) for word in words):
        yield Path(os.devnull)
        return
    with TemporaryDirectory(prefix="corolla-") as folder:
        yield Path(folder)


def expand(word: str) -> Iterator[Input]:
    """The images of one path, pattern or URL; a URL is not fetched yet."""
    word = at_home(word)
    path = Path(word)
    if ADDRESS.match(word):
        yield Input(word)
    elif path.is_dir():
        yield from in_folder(path)
    elif not path.exists() and glob.has_magic(word):
        found = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        if not found:
            yield Input(word, error="no file matches this pattern")
        for name in found:
            yield from in_folder(Path(name)) if Path(name).is_dir() else [Input(name, Path(name))]
    else:
        yield Input(word, path)


def in_folder(folder: Path) -> Iterator[Input]:
    """Every file of a folder and its subfolders, as `corolla train` would find them in a class folder."""
    empty = True
    for file in files_below(folder):
        empty = False
        yield Input(str(file), file)
    if empty:
        yield Input(str(folder), error="the folder holds no files")


def from_stdin(scratch: Path) -> list[Input]:
    """Standard input: the bytes of one image or, if they are text, one path or URL per line."""
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return [Input("-", error=f"more than {MAX_BYTES // 10**6} MB on standard input")]
    try:
        read_image(content)
    except ImageError as error:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return [Input("-", error=error.reason)]
        names = [name for name in (text.split("\0") if "\0" in text else text.splitlines()) if name.strip()]
        return [found for name in names for found in expand(name)] or [Input("-", error=error.reason)]
    file = scratch / "stdin"
    file.write_bytes(content)
    return [Input("-", file)]


def fetch_all(inputs: Sequence[Input], scratch: Path, progress: Progress) -> list[Input]:
    """The same inputs, with URLs downloaded into `scratch`, a few at a time."""
    result = list(inputs)
    places = [place for place, item in enumerate(result) if item.path is None and not item.error]

    def fetch(place: int) -> Input:
        item, file = result[place], scratch / str(place)
        try:
            download(item.name, file)
        except ImageError as error:
            return replace(item, error=error.reason)
        return replace(item, path=file)

    if len(places) == 1:  # without a thread Ctrl-C ends it at once
        result[places[0]] = fetch(places[0])
    elif places:
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for done, (place, item) in enumerate(zip(places, pool.map(fetch, places), strict=True), start=1):
                result[place] = item
                progress.stage("downloading", done, len(places))
    return result
