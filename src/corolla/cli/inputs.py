"""The images that the PATH arguments of `predict` and `explain` name, each as a file on this machine's disk."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from corolla.cli.failures import say
from corolla.cli.output import print_json
from corolla.data.decoding import ImageError, check_header, read_image
from corolla.errors import CorollaError
from corolla.inputs.errors import InputError
from corolla.inputs.items import MAX_BYTES, Item, items_of, store
from corolla.paths import word as at_home
from corolla.progress import Progress

AT_A_TIME = 8  # images that are fetched


def none_readable(failures: Sequence[tuple[str, str]]) -> CorollaError:
    """The error if none of the images could be read, from the name and the reason of each."""
    if len(failures) == 1:
        return CorollaError("cannot read {}: {}".format(*failures[0]))
    return CorollaError(f"none of the {len(failures)} images could be read")


def refuse_unreadable(items: Sequence[Item], json: bool) -> None:
    """`CorollaError` if no item is an image by its first bytes, reported in the same way as after a prediction.

    This avoids loading a model that has nothing to predict.
    """
    failures: list[tuple[str, str]] = []
    for item in items:
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


@contextmanager
def scratch_folder() -> Iterator[Callable[[], Path]]:
    """A function that returns a temporary folder; its first call creates it, since files need no writable disk."""
    with ExitStack() as stack:
        yield cache(lambda: Path(stack.enter_context(TemporaryDirectory(prefix="corolla-"))))


def gather(words: Sequence[str], scratch: Callable[[], Path], progress: Progress) -> list[Item]:
    """All images that the words name, in order, each a file on this machine's disk or an item with an error.

    `corolla.inputs.items` says what a word may be; here it may also be `-`, for standard input. Images that are not
    files of their own, such as those of a URL or a tar shard, are stored in the folder that `scratch` returns.
    """
    if list(words).count("-") > 1:
        raise CorollaError("standard input can be read once; give - once")
    items: list[Item] = []
    for word in words:
        items += from_stdin(scratch) if word == "-" else resolved(word)
    return fetched(items, scratch, progress)


def resolved(word: str) -> list[Item]:
    """The images of a word; if it has none, an item with the reason."""
    items: list[Item] = []
    try:
        for item in items_of(word):
            items.append(item)  # those before an error stay
    except (CorollaError, OSError) as error:
        items.append(Item(at_home(word), error=reason_of(error)))
    return items


def from_stdin(scratch: Callable[[], Path]) -> list[Item]:
    """Standard input: the bytes of one image or, if they are text, one word per line."""
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return [Item("-", error=f"more than {MAX_BYTES // 10**6} MB on standard input")]
    try:
        read_image(content)
    except ImageError as error:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return [Item("-", error=error.reason)]
        names = [name for name in (text.split("\0") if "\0" in text else text.splitlines()) if name.strip()]
        return [item for name in names for item in resolved(name)] or [Item("-", error=error.reason)]
    file = scratch() / "stdin"
    file.write_bytes(content)
    return [Item("-", str(file))]


def fetched(items: Sequence[Item], scratch: Callable[[], Path], progress: Progress) -> list[Item]:
    """The same items; the images that are not files of their own are stored as files, a few at a time."""
    result = list(items)
    places = [place for place, item in enumerate(result) if item.path is None and not item.error]
    if not places:
        return result
    folder = scratch()

    def fetch(place: int) -> Item:
        item, file = result[place], folder / str(place)
        try:
            store(item, file)
        except (InputError, OSError) as error:
            return replace(item, error=reason_of(error))
        return Item(item.name, str(file))

    if len(places) == 1:  # without a thread Ctrl-C ends it at once
        result[places[0]] = fetch(places[0])
        return result
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for done, (place, item) in enumerate(zip(places, pool.map(fetch, places), strict=True), start=1):
            result[place] = item
            progress.stage("fetching", done, len(places))
    return result


def reason_of(error: CorollaError | OSError) -> str:
    """Why an item cannot be read, without its name where the error knows it."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return error.reason if isinstance(error, InputError) else str(error)
