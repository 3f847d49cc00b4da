"""`audit.html`: one self-contained page that shows the findings of an audit with their images.

It uses the parts of the report: escaping, style, sections, tiles and thumbnails.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from corolla import __version__
from corolla.atomic import write_text
from corolla.audit.charts import size_charts
from corolla.audit.concerns import concerns, counts
from corolla.audit.findings import AuditedImage, Copies, Findings, quantiles
from corolla.audit.images import KINDS
from corolla.audit.labels import pairs
from corolla.preprocessing import Preprocessing
from corolla.report.facts import SPLIT_NAMES
from corolla.report.gallery import Tile
from corolla.report.page import environment
from corolla.report.sections import MOST_SKIPPED, Section
from corolla.report.thumbnails import SIDE, Thumbnail, thumbnails
from corolla.report.words import listed

TEMPLATES = Path(__file__).parent / "templates"
SQUARE = Preprocessing((SIDE, SIDE))  # how tiles are cropped
SUSPECTS, SETS, IN_A_SET, ODD, PAIRS = 96, 30, 6, 12, 12  # of shown images: a page of a few megabytes
MOST_CLASSES = 12  # classes listed for a kind of image


@dataclass(frozen=True)
class Shown:
    """An image and its name; several names if their files have the same bytes."""

    thumbnail: Thumbnail
    images: tuple[AuditedImage, ...]
    details: str = ""


@dataclass(frozen=True)
class ShownCopies:
    """A set of copies for the page."""

    copies: Copies
    tiles: tuple[Shown, ...]
    splits: tuple[str, ...]  # their names in the page

    @property
    def more(self) -> int:
        """The number of images in the set without a tile."""
        return len(self.copies.images) - sum(len(tile.images) for tile in self.tiles)


def write_page(findings: Findings, file: Path) -> None:
    """Write the page atomically; a missing image becomes a tile with the reason."""
    parts = [section for make in SECTIONS if (section := make(findings)) is not None]
    sections = [headline(findings, {section.name for section in parts}), *parts]
    page = environment(TEMPLATES).get_template("audit.html.j2")
    write_text(file, page.render(findings=findings, sections=sections, corolla=__version__))


def headline(findings: Findings, there: set[str]) -> Section:
    """The counts and the problems; `there` are the sections below it."""
    values = {"counts": counts(findings), "concerns": concerns(findings), "there": there}
    return Section("headline", "Findings", values)


def labels(findings: Findings) -> Section | None:
    """The labels that are likely wrong, the most suspicious first."""
    check = findings.labels
    if check is None:
        return None
    chosen = check.suspects[:SUSPECTS]
    number = {label: index for index, label in enumerate(check.classes)}
    images = thumbnails([findings.root / suspect.path for suspect in chosen], SQUARE)
    tiles = [
        Tile(s.path, s.given, s.suggested, s.suggested_probability, (number[s.given], number[s.suggested]), image)
        for s, image in zip(chosen, images, strict=True)
    ]
    values = {"check": check, "tiles": tiles, "pairs": pairs(check.suspects)[:PAIRS]}
    return Section("labels", "Labels", values)


def copies(findings: Findings) -> Section | None:
    """Photographs that occur more than once."""
    if not findings.exact and not findings.near:
        return None
    values = {
        "exact": [shown_copies(findings, same) for same in findings.exact[:SETS]],
        "near": [shown_copies(findings, same) for same in findings.near[:SETS]],
    }
    return Section("copies", "Copies", values)


def shown_copies(findings: Findings, copies: Copies) -> ShownCopies:
    """A set with its images; files with the same bytes share a tile."""
    by_content: dict[str, list[AuditedImage]] = {}
    for image in copies.images:
        by_content.setdefault(image.example.sha256, []).append(image)
    chosen = list(by_content.values())[:IN_A_SET]
    small = thumbnails([findings.root / same[0].path for same in chosen], SQUARE)
    tiles = tuple(Shown(thumbnail, tuple(same)) for thumbnail, same in zip(small, chosen, strict=True))
    return ShownCopies(copies, tiles, tuple(SPLIT_NAMES[split] for split in copies.splits))


def classes(findings: Findings) -> Section:
    """The number of images by class and split."""
    totals = {label: findings.total(label) for label in findings.classes}
    rows = [
        (label, [findings.counts[label, split] for split in findings.splits], total, total / max([*totals.values(), 1]))
        for label, total in totals.items()
    ]
    return Section("classes", "Classes", {"rows": rows, "names": [SPLIT_NAMES[split] for split in findings.splits]})


def sizes(findings: Findings) -> Section | None:
    """The sizes and aspect ratios of the images."""
    looks = [image.look for image in findings.used]
    if not looks:
        return None
    table = {
        "width": quantiles([look.width for look in looks]),
        "height": quantiles([look.height for look in looks]),
    }
    return Section("sizes", "Sizes", {"panels": size_charts(looks), "table": table})


def odd(findings: Findings) -> Section | None:
    """Unusual images, kind by kind."""
    kinds = []
    for kind, title in KINDS.items():
        found = findings.odd(kind)
        small = thumbnails([findings.root / image.path for image, _ in found[:ODD]], SQUARE)
        tiles = [
            Shown(thumbnail, (image,), details) for (image, details), thumbnail in zip(found[:ODD], small, strict=True)
        ]
        if found:
            gathered = Counter(image.example.label for image, _ in found).most_common()
            kinds.append((title, len(found), listed([f"{label} {n:,}" for label, n in gathered], MOST_CLASSES), tiles))
    return Section("odd", "Unusual images", {"kinds": kinds}) if kinds else None


def unreadable(findings: Findings) -> Section | None:
    """Files that would be left out, and rows that the user's table leaves out."""
    out: Sequence[tuple[str, str, str]] = [
        *((example.path, example.label, reason) for example, reason in findings.unreadable),
        *((skipped.path, "", skipped.reason) for skipped in findings.unusable),
        *((p.path, p.example.label, p.left_out) for p in findings.images if p.left_out),
    ]
    return Section("unreadable", "Left out", {"rows": out[:MOST_SKIPPED], "in_all": len(out)}) if out else None


SECTIONS: tuple[Callable[[Findings], Section | None], ...] = (
    labels,
    copies,
    unreadable,
    odd,
    classes,
    sizes,
)
