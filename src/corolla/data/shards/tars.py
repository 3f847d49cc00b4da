"""WebDataset tars: the members of one key, side by side, are a sample (`000123.jpg`, `000123.cls`, `000123.json`).

Nothing about a tar is trusted. Only ordinary files are looked at, none is ever written under the name that it has in
there, and neither a header nor a member can make the reader take more memory than its limit.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from corolla.data.listing import is_noise
from corolla.data.rows import LABEL_NAMES
from corolla.data.shards.headers import headers, is_ordinary
from corolla.data.shards.samples import MAX_PICTURE, MAX_WORD, DamageError, Sample, Wanted

PICTURES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "avif"}
_LABELS = ("cls", "json", "txt")  # the first that says something counts
_MAX_LABEL = 2**20
_JSON_LABELS = (*LABEL_NAMES, "cls")


def read_tar(path: Path, wanted: Wanted) -> Iterator[Sample]:
    """The samples of a tar in their order; raises `DamageError` where it does not go on as a tar."""
    place, key, picture = 0, "", None  # type: int, str, bytes | None
    has_picture, labels = False, {}  # type: bool, dict[str, bytes]
    damage: DamageError | None = None
    with path.open("rb") as file:
        try:
            for member in members(file):
                _, dot, suffix = member.name.rpartition("/")[2].partition(".")
                name, suffix = member.name.removesuffix(dot + suffix), suffix.lower()
                if name != key:
                    if has_picture and (sample := sample_of(place, key, picture, labels)):
                        yield sample
                        place += 1
                    key, picture, has_picture, labels = name, None, False, {}
                if suffix in PICTURES and not has_picture and member.size <= MAX_PICTURE:
                    picture = content_of(file, member) if wanted(place) else None
                    has_picture = True
                elif suffix in _LABELS and member.size <= _MAX_LABEL:
                    labels[suffix] = content_of(file, member)
        except DamageError as error:
            damage = error
    if has_picture and (sample := sample_of(place, key, picture, labels)):
        yield sample
    if damage:
        raise damage


def members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The headers of ordinary files, one after another."""
    for member in headers(file):
        if is_ordinary(member) and not is_noise(member.name.rpartition("/")[2]):
            yield member


def content_of(file: BinaryIO, member: tarfile.TarInfo) -> bytes:
    """The bytes of a member."""
    file.seek(member.offset_data)
    content = file.read(member.size)
    if len(content) < member.size:
        raise DamageError("it is cut short")
    return content


def sample_of(place: int, key: str, picture: bytes | None, labels: dict[str, bytes]) -> Sample | None:
    """A sample, if its labels name a class."""
    facts = facts_of(labels.get("json", b""))
    said = next((facts[name] for name in _JSON_LABELS if isinstance(facts.get(name), str | int)), "")
    words = {
        "cls": labels.get("cls", b"").decode("utf-8", "replace"),
        "json": str(said),
        "txt": labels.get("txt", b"").decode("utf-8", "replace"),
    }
    word = next((words[name].strip() for name in _LABELS if words[name].strip()), "")
    if not word or len(word) > MAX_WORD:
        return None
    group = facts.get("group")
    return Sample(place, key, word, picture, group if isinstance(group, str) else "")


def facts_of(text: bytes) -> dict[str, object]:
    """What a JSON member says, if it is an object."""
    try:
        facts = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
