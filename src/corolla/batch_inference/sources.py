"""The words of a job: refused before the model is loaded, identified in the plan, and checked when an image is lost."""

from collections.abc import Iterable
from pathlib import Path

from corolla.cache import sha256_of
from corolla.errors import CorollaError, needed
from corolla.inputs.items import existing, is_table
from corolla.inputs.patterns import is_pattern
from corolla.inputs.remote import WEB, is_there, local_path, protocol, reason


def refuse_missing(word: str) -> None:
    """Raise `CorollaError` for a word that can have no images, as far as that is known without a network."""
    if word == "-":
        raise CorollaError("standard input cannot be read twice; write the paths into a table, and give that")
    if protocol(word) in WEB:
        needed("aiohttp", "http")
    existing(word)


def identity(word: str) -> str:
    """An identifier of a word, independent of the working folder; for a table, with a hash of its content."""
    whole = absolute(word)
    if protocol(word) or not is_table(word) or not Path(whole).is_file():
        return whole
    return f"{whole} {sha256_of(Path(whole))}"


def absolute(word: str) -> str:
    """The word, independent of the working folder."""
    return word if protocol(word) else str(Path(word).absolute())


def check_there(words: Iterable[str]) -> None:
    """Raise `CorollaError` if a folder, a shard or an address has vanished during reading."""
    for word in words:
        if protocol(word) in WEB:
            continue  # a web address is one image, and its row has the error
        try:
            path = local_path(word)
            if path is None:
                there = is_pattern(word) or is_there(word)
            else:
                empty = path.is_dir() and not any(path.iterdir())  # an unmounted mount point
                there = (path.exists() and not empty) or is_pattern(str(path))
        except CorollaError:
            raise
        except Exception as error:
            raise CorollaError(f"cannot reach {word} any more: {reason(error, word)}") from None
        if not there:
            raise CorollaError(f"{word} is not there any more; bring it back")
