"""The results of an audit as values, from which the page, the table of decisions and the JSON are made."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from corolla.audit.images import KINDS, Look
from corolla.audit.labels import LabelCheck
from corolla.data.hints import class_hints, named_like_placeholder
from corolla.data.manifest import SPLITS, Example, Skipped

REPEATED = 3  # copies of one file that make it look like a placeholder
PLAIN = 0.85  # fraction of an image in one color: text on a background, hardly a photograph
RARE = 0.02  # fraction of all images: if there are more, they are drawings or objects on white
UNEVEN = 3.0  # ratio of the largest class to the smallest


@dataclass(frozen=True, slots=True)
class AuditedImage:
    """One readable image; `left_out` is the reason if the user's own table leaves it out."""

    example: Example
    look: Look
    left_out: str = ""

    @property
    def path(self) -> str:
        """Relative to the data's root, with forward slashes."""
        return self.example.path


@dataclass(frozen=True)
class Copies:
    """Images of the same photograph, ordered by path; `exact` if their files have the same bytes."""

    images: tuple[AuditedImage, ...]
    exact: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """Their labels; more than one is a contradiction."""
        return tuple(sorted({image.example.label for image in self.images}))

    @property
    def splits(self) -> tuple[str, ...]:
        """Their splits; more than one is a leak."""
        there = {image.example.split for image in self.images}
        return tuple(split for split in SPLITS if split in there)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "paths": [image.path for image in self.images],
            "labels": list(self.labels),
            "splits": list(self.splits),
            "across_classes": len(self.labels) > 1,
            "across_splits": len(self.splits) > 1,
        }


@dataclass(frozen=True, eq=False)
class Findings:
    """All findings of an audit of `source`. Images are ordered by path."""

    source: str
    root: Path
    classes: tuple[str, ...]  # all classes of the data, also without a readable image
    images: tuple[AuditedImage, ...]  # all readable ones, including those that the user's table leaves out
    unreadable: tuple[tuple[Example, str], ...]  # labeled files, and why each cannot be read
    unusable: tuple[Skipped, ...]  # files and rows without a label
    refusal: str  # why `corolla train` would reject this data; "" if it would not
    exact: tuple[Copies, ...]
    near: tuple[Copies, ...]  # at least two in a set have different bytes
    groups: tuple[tuple[str, tuple[str, ...]], ...]  # the user's groups that are in more than one split
    labels: LabelCheck | None  # None: no weights were given
    notes: tuple[str, ...] = ()  # warnings about the whole set

    @property
    def name(self) -> str:
        """The name of the data: the last part of its path."""
        place = Path(self.source).resolve()
        return "/".join(place.parts[-2:] if place.suffix else place.parts[-1:])

    @cached_property
    def used(self) -> tuple[AuditedImage, ...]:
        """The images that training would use."""
        return tuple(image for image in self.images if not image.left_out)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits of the data, if it has any."""
        there = {image.example.split for image in self.used}
        return tuple(split for split in SPLITS if split in there)

    @cached_property
    def counts(self) -> Counter[tuple[str, str]]:
        """Image counts by class and split ("" without splits)."""
        return Counter((image.example.label, image.example.split) for image in self.used)

    def total(self, label: str) -> int:
        """The number of images of a class."""
        return sum(self.counts[label, split] for split in ("", *SPLITS))

    @cached_property
    def imbalance(self) -> float | None:
        """The size ratio of the largest class to the smallest; None if a class is empty."""
        totals = [self.total(label) for label in self.classes]
        fewest = min(totals, default=0)
        return max(totals) / fewest if fewest else None

    def odd(self, kind: str) -> list[tuple[AuditedImage, str]]:
        """The used images of a kind of `corolla.audit.images.KINDS`, each with its details."""
        if kind == "placeholder":
            return self.placeholders
        return [(image, odd[kind]) for image in self.used if kind in (odd := image.look.oddities())]

    @cached_property
    def placeholders(self) -> list[tuple[AuditedImage, str]]:
        """Images that may be placeholders for a missing one, each with the evidence.

        By name; by several copies of one file; and, if these are rare, by an almost uniform color.
        """
        found = {p.path: (p, "by its name") for p in self.used if named_like_placeholder(p.path)}
        for copies in self.exact:
            same = [image for image in copies.images if not image.left_out]
            if len(same) >= REPEATED:
                found |= {p.path: (p, f"the same file {len(same):,} times") for p in same if p.path not in found}
        plain = [p for p in self.used if p.look.plain >= PLAIN and not p.look.blank]
        if len(plain) <= RARE * len(self.used):
            found |= {p.path: (p, f"{p.look.plain:.0%} of it is one color") for p in plain if p.path not in found}
        return sorted(found.values(), key=lambda pair: pair[0].path)

    def to_json(self) -> dict[str, Any]:
        """As plain values: the output of `corolla audit --json` and the content of `audit.json`."""
        return {
            "source": self.source,
            "root": str(self.root),
            "images": len(self.used),
            "splits": {split: sum(self.counts[label, split] for label in self.classes) for split in self.splits},
            "classes": [
                {"label": label, "images": self.total(label)} | {s: self.counts[label, s] for s in self.splits}
                for label in self.classes
            ],
            "imbalance": self.imbalance,
            "refusal": self.refusal or None,
            "hints": [*self.notes, *class_hints(self.classes)],
            "unreadable": [{"path": e.path, "label": e.label, "reason": reason} for e, reason in self.unreadable],
            "unusable": [{"path": skipped.path, "reason": skipped.reason} for skipped in self.unusable],
            "left_out": [
                {"path": image.path, "label": image.example.label, "reason": image.left_out}
                for image in self.images
                if image.left_out
            ],
            "exact_duplicates": [copies.to_json() for copies in self.exact],
            "near_duplicates": [copies.to_json() for copies in self.near],
            "groups_across_splits": [{"group": group, "splits": list(splits)} for group, splits in self.groups],
            "width": quantiles([image.look.width for image in self.used]),
            "height": quantiles([image.look.height for image in self.used]),
            "aspect_ratio": quantiles([image.look.ratio for image in self.used]),
            "odd": {
                kind: [{"path": image.path, "details": details} for image, details in self.odd(kind)] for kind in KINDS
            },
            "labels": self.labels.to_json() if self.labels else None,
        }


def quantiles(values: Sequence[float]) -> dict[str, float] | None:
    """Minimum, median and maximum; None without values."""
    if not values:
        return None
    return {"least": float(min(values)), "median": float(np.median(values)), "most": float(max(values))}
