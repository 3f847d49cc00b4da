"""The table of decisions: every labeled file and whether it is used, ready for training.

Certain cases are decided: an unreadable file is left out, one of several files with the same bytes stays, and none if
they are labeled with several classes. Likely cases are only noted: near-duplicates, and a label that
fits better than the given one, in a separate column for a person to review.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from corolla.atomic import write_text
from corolla.audit.copies import tied
from corolla.audit.findings import AuditedImage, Findings
from corolla.data.duplicates import contradictions
from corolla.data.manifest import Example
from corolla.data.splitting import split
from corolla.data.tables import LEFT_OUT
from corolla.errors import CorollaError

KEPT_FIRST = ("test", "val", "train", "")  # of duplicates, the evaluation image stays and the training image is removed


@dataclass(frozen=True, slots=True)
class Decision:
    """One row; `corolla.data.tables` leaves out an image without a split."""

    path: str
    label: str
    split: str
    group: str
    note: str
    suggested: str = ""  # a label that fits better, "" if the given one does


def decide(findings: Findings, *, seed: int = 0, relabel: bool = False) -> tuple[Decision, ...]:
    """A decision on every labeled file, ordered by path; every file that stays has a split.

    Splits of the data stay. Without splits, the table gets the split that a training with `seed` would
    make. With `relabel`, suggested labels replace the given ones. Raises `CorollaError` if
    no image stays, or too few for a split.
    """
    out = left_out(findings)
    suggested = {s.path: s.suggested for s in findings.labels.suspects} if findings.labels else {}
    images = [image for image in findings.used if image.path not in out]
    if not images:
        raise CorollaError(f"nothing of {findings.source} would be kept, so there is no table to write")
    kept = [image.example for image in images]
    if relabel:
        kept = [replace(example, label=suggested.get(example.path, example.label)) for example in kept]
    if not findings.splits:
        kept = list(split(kept, tied(findings.near, images), seed=seed))
    alike = alike_notes(findings, {example.path for example in kept})
    rows = [Decision(e.path, e.label, "", e.group, out[e.path]) for e in labeled(findings) if e.path in out]
    for image, example in zip(images, kept, strict=True):
        notes = [alike[example.path]] if example.path in alike else []
        better = suggested.get(example.path, "")
        if better and relabel:
            notes.insert(0, f"was labeled {image.example.label}")
        elif better:
            notes.insert(0, f"looks like {better}")
        rows.append(
            Decision(
                example.path, example.label, example.split, example.group, "; ".join(notes), "" if relabel else better
            )
        )
    return tuple(sorted(rows, key=lambda row: row.path))


def labeled(findings: Findings) -> Iterable[Example]:
    """Every file with a label, readable or not."""
    yield from (image.example for image in findings.images)
    yield from (example for example, _ in findings.unreadable)


def left_out(findings: Findings) -> dict[str, str]:
    """The paths that are left out, each with the reason, including those that the user's table excludes."""
    out = {p.path: p.left_out.removeprefix(LEFT_OUT).removeprefix(": ") for p in findings.images if p.left_out}
    out |= {example.path: f"cannot be read: {reason}" for example, reason in findings.unreadable}
    for clashing in contradictions(image.example for image in findings.used):
        labels = " and ".join(sorted({example.label for example in clashing}))
        out |= {example.path: f"the same bytes are labeled {labels}" for example in clashing}
    for copies in findings.exact:
        same = [image for image in copies.images if image.path not in out]
        first = min(same, key=lambda p: (KEPT_FIRST.index(p.example.split), p.path), default=None)
        out |= {image.path: f"the same bytes as {first.path}" for image in same if first and image is not first}
    return out


def alike_notes(findings: Findings, kept: set[str]) -> dict[str, str]:
    """For each remaining image with remaining near-duplicates, a note on one, preferably in another split."""
    notes = {}
    for copies in findings.near:
        there = [image for image in copies.images if image.path in kept]
        for image in there:
            others = [other for other in there if other is not image]
            if others:
                notes[image.path] = alike_note(image, others)
    return notes


def alike_note(image: AuditedImage, others: Sequence[AuditedImage]) -> str:
    """The note on one image about its near-duplicates."""
    other = max(others, key=lambda o: o.example.split != image.example.split)
    where = f" in {other.example.split}" if other.example.split != image.example.split else ""
    return f"near-duplicate of {other.path}{where}"


def write_decisions(decisions: Sequence[Decision], root: Path, file: Path) -> None:
    """Write the table atomically; paths relative to `root` become relative to the table's folder."""
    folder = file.parent.absolute()

    def found_from_there(path: str) -> str:
        place = root.absolute() / path
        return (place.relative_to(folder) if place.is_relative_to(folder) else place).as_posix()

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(field.name for field in fields(Decision))
    writer.writerows(astuple(replace(row, path=found_from_there(row.path))) for row in decisions)
    write_text(file, table.getvalue())
