"""Reads WebDataset tars: adjacent members with one key are a sample (`000123.jpg`, `000123.cls`, `000123.json`).

The key is the name up to its first dot, so that a sample may have several parts of one type (`1.left.jpg`). Other
names contain dots, too (`trip.2019.jpg`, `trip.2019.cls`): if an image and a label agree up to their last dot, they are
a separate sample. Members that are not part of a sample are reported with the reason.

The tar is untrusted: only regular files are read, none is written under its name in the tar,
and neither a header nor a member can exceed the memory limit.
"""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from corolla.data.shards.samples import MAX_IMAGE, MAX_WORD, TOO_LONG, LeftOut, Sample, Wanted
from corolla.data.vocabulary import LABEL_NAMES
from corolla.inputs.tars import DamageError, is_ordinary, members
from corolla.inputs.tree import IMAGE_SUFFIXES

IMAGES = {suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES}
_LABELS = ("cls", "json", "txt")  # the first one with a label counts
_MAX_LABEL = 2**20
_JSON_LABELS = (*LABEL_NAMES, "cls")
_MOST_PARTS = 100_000  # of one key
_MOST_WAITING = 1_000_000  # incomplete samples whose other part may follow

NO_CLASS = "it has no class: a part .cls, .json or .txt beside the image"
NO_IMAGE = "it has a class and no image"
APART = "its image and its class are not adjacent in the tar; pack it sorted by name (tar --sort=name)"


@dataclass(frozen=True, slots=True)
class Part:
    """A member that may belong to a sample, and the position of its bytes."""

    stem: str  # its name up to the last dot
    ending: str  # the rest, in lower case
    start: int
    size: int
    fault: str  # why it cannot be used, or ""


@dataclass(slots=True)
class Draft:
    """The parts with one stem, which form a sample."""

    image: Part | None = None
    labels: dict[str, Part] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)  # endings that are neither images nor labels


def read_tar(path: Path, wanted: Wanted, left: LeftOut | None = None) -> Iterator[Sample]:
    """The samples of a tar in order; raises `DamageError` where the tar is invalid.

    Incomplete samples are added to `left` at the end.
    """
    place, halves = 0, Halves()
    with path.open("rb") as file:
        try:
            for key, parts in groups(file):
                for stem, draft in drafts_of(key, parts, halves):
                    labels = {ending: content_of(file, part) for ending, part in draft.labels.items()}
                    facts = facts_of(labels.get("json", b""))
                    word = word_of(labels, facts)
                    if draft.image and word and len(word) <= MAX_WORD:
                        group = facts.get("group")
                        image = content_of(file, draft.image) if wanted(place) else None
                        yield Sample(place, stem, word, image, group if isinstance(group, str) else "")
                        place += 1
                    else:
                        halves.left[stem] = TOO_LONG if word else f"its {' and '.join(draft.labels)} names no class"
        finally:
            if left is not None:
                halves.tell(left)


@dataclass
class Halves:
    """Incomplete samples by stem, and lone labels, which are reported only if an image lacks its label."""

    left: dict[str, str] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)

    def image(self, stem: str) -> None:
        """An image without a class."""
        if len(self.left) < _MOST_WAITING:
            self.left[stem] = APART if stem in self.texts or self.left.get(stem) == NO_IMAGE else NO_CLASS

    def label(self, stem: str, draft: Draft) -> None:
        """A class without an image; a lone text may be anything, such as a list of classes or a license."""
        if self.left.get(stem) == NO_CLASS:
            self.left[stem] = APART
        elif len(self.left) + len(self.texts) >= _MOST_WAITING:
            return
        elif "cls" in draft.labels or draft.others:
            kinds = f" (only {', '.join(sorted(set(draft.others))[:5])})" if draft.others else ""
            self.left[stem] = NO_IMAGE + kinds
        else:
            self.texts.add(stem)

    def tell(self, left: LeftOut) -> None:
        """Add all of them."""
        for stem, reason in self.left.items():
            left.add(stem, reason)


def groups(file: BinaryIO) -> Iterator[tuple[str, list[Part]]]:
    """The adjacent parts of each key; raises `DamageError` after the parts before the damage."""
    key, parts, damage = "", [], None  # type: str, list[Part], DamageError | None
    try:
        for member in members(file):
            folder, slash, base = member.name.rpartition("/")
            name = folder + slash + base.partition(".")[0]
            if name != key or len(parts) >= _MOST_PARTS:
                if parts:
                    yield key, parts
                key, parts = name, []
            parts.append(part_of(member))
    except DamageError as error:
        damage = error
    if parts:
        yield key, parts
    if damage:
        raise damage


def part_of(member: tarfile.TarInfo) -> Part:
    """A member as a part, with the reason if it is an unusable image or label."""
    folder, slash, base = member.name.rpartition("/")
    stem, dot, ending = base.rpartition(".")
    ending = ending.lower() if dot else ""
    most = MAX_IMAGE if ending in IMAGES else _MAX_LABEL
    fault = ""
    if not is_ordinary(member):
        fault = f"its {ending} is a link or not a file"
    elif not 0 <= member.size <= most:
        fault = f"its {ending} has {member.size:,} bytes, more than {most:,}"
    return Part(folder + slash + (stem if dot else base), ending, member.offset_data, member.size, fault)


def drafts_of(key: str, parts: Sequence[Part], halves: Halves) -> Iterator[tuple[str, Draft]]:
    """The samples among the parts of one key, each with an image and labels; `halves` gets the incomplete ones."""
    found: dict[str, Draft] = {}
    for part in parts:
        draft = found.setdefault(part.stem, Draft())
        if part.ending not in IMAGES and part.ending not in _LABELS:
            draft.others.append(part.ending)
        elif part.fault:
            draft.faults.append(part.fault)
        elif part.ending in IMAGES:
            draft.image = draft.image or part
        else:
            draft.labels[part.ending] = part
    for stem, draft in [*found.items()]:  # 1.jpg and 1.jpg.cls
        if draft.image and not draft.labels and (named := found.get(f"{stem}.{draft.image.ending}")):
            draft.labels, named.labels = named.labels, {}
    images = [stem for stem, draft in found.items() if draft.image]
    own = found.get(key)
    if own and own.labels and len(images) == 1 and not found[images[0]].labels:  # 1.photo.jpg and 1.cls
        own.image = found.pop(images[0]).image
    whole = [(stem, draft) for stem, draft in found.items() if draft.image and draft.labels]
    yield from whole
    if any(stem == key for stem, _ in whole):
        return  # all other parts with this key belong to it
    if own and own.labels and len(images) > 1 and not whole:
        halves.left[key] = f"its class is beside {len(images)} images, none of which is named {key}.jpg"
        return
    for stem, draft in found.items():
        if draft.image and draft.labels:
            continue
        if draft.faults:
            halves.left[stem] = draft.faults[0]
        elif draft.image:
            halves.image(stem)
        elif draft.labels:
            halves.label(stem, draft)


def content_of(file: BinaryIO, part: Part) -> bytes:
    """The bytes of a member."""
    file.seek(part.start)
    content = file.read(part.size)
    if len(content) < part.size:
        raise DamageError("it is truncated")
    return content


def word_of(labels: dict[str, bytes], facts: dict[str, object]) -> str:
    """The class in the labels; "" if they have none."""
    said = next((facts[name] for name in _JSON_LABELS if isinstance(facts.get(name), str | int)), "")
    words = {
        "cls": labels.get("cls", b"").decode("utf-8", "replace"),
        "json": str(said),
        "txt": labels.get("txt", b"").decode("utf-8", "replace"),
    }
    return next((words[name].strip() for name in _LABELS if words[name].strip()), "")


def facts_of(text: bytes) -> dict[str, object]:
    """The content of a JSON member, if it is an object."""
    try:
        facts = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
