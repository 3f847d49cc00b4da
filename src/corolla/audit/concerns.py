"""The summary of an audit: its counts, and one sentence for each problem."""

from dataclasses import dataclass

from corolla.audit.findings import UNEVEN, Copies, Findings
from corolla.audit.images import KINDS
from corolla.data.hints import class_hints
from corolla.report.words import count, listed, percent

NOT_JUDGED = "not checked"


@dataclass(frozen=True)
class Count:
    """The number of findings of one kind; `section` of the page shows them."""

    what: str
    found: str
    section: str


def counts(findings: Findings) -> list[Count]:
    """The number of findings of every kind."""
    photographs = one_each(findings)
    labels = findings.labels
    return [
        Count("Labels likely wrong", f"{len(labels.suspects):,}" if labels else NOT_JUDGED, "labels"),
        Count("Exact duplicates", count(len(findings.exact), "set"), "copies"),
        Count("Near-duplicates", count(len(findings.near), "set"), "copies"),
        Count("Copies across classes", count(sum(len(c.labels) > 1 for c in photographs), "set"), "copies"),
        Count(
            "Copies across splits",
            count(sum(len(c.splits) > 1 for c in photographs), "set") if findings.splits else "no splits",
            "copies",
        ),
        Count("Unreadable files", f"{len(findings.unreadable):,}", "unreadable"),
        *(Count(title, f"{len(findings.odd(kind)):,}", "odd") for kind, title in KINDS.items()),
    ]


def one_each(findings: Findings) -> list[Copies]:
    """Every set of copies, except exact ones that are part of a set of near-duplicates."""
    tied = {image.path for copies in findings.near for image in copies.images}
    return [*findings.near, *(copies for copies in findings.exact if copies.images[0].path not in tied)]


def concerns(findings: Findings) -> list[str]:
    """The problems for training or evaluation, most serious first; empty if there are none."""
    used = [Copies(tuple(p for p in c.images if not p.left_out), c.exact) for c in one_each(findings)]
    across_classes = [copies for copies in used if len(copies.labels) > 1]
    across_splits = [copies for copies in used if len(copies.splits) > 1]
    said = []
    if findings.refusal:
        said.append(f"corolla train rejects this data: {findings.refusal}.")
    if across_splits:
        said.append(
            f"{count(len(across_splits), 'photograph is', 'photographs are')} in more than one split: "
            "metrics measured there are too optimistic."
        )
    if findings.groups:
        names = listed([group for group, _ in findings.groups], 5)
        said.append(
            f"{count(len(findings.groups), 'group is', 'groups are')} in more than one split ({names}): "
            "metrics are too optimistic."
        )
    if across_classes:
        said.append(
            f"{count(len(across_classes), 'photograph is', 'photographs are')} labeled with more than one class."
        )
    if findings.labels and findings.labels.suspects:
        suspects, n = len(findings.labels.suspects), findings.labels.n
        said.append(f"{count(suspects, 'label is', 'labels are')} likely wrong, {percent(suspects / n)} of {n:,}.")
    if findings.labels and findings.labels.passed_over:
        names = listed([label for label, _ in findings.labels.passed_over], 10)
        said.append(f"Too few independent images to judge the labels of: {names}.")
    if findings.unreadable:
        said.append(f"{count(len(findings.unreadable), 'file')} cannot be read and would be left out.")
    if findings.imbalance and findings.imbalance > UNEVEN:
        said.append(
            f"The largest class has {findings.imbalance:.1f} times as many images as the smallest; "
            "--class-weights balanced may help."
        )
    if findings.unusable:
        first, n = findings.unusable[0], sum(skipped.count for skipped in findings.unusable)
        said.append(f"{count(n, 'file has', 'files have')} no usable label, such as {first.path}: {first.reason}.")
    said += [f"{hint[0].upper()}{hint[1:]}." for hint in (*findings.notes, *class_hints(findings.classes))]
    if stand_ins := findings.odd("placeholder"):
        one, why = stand_ins[0]
        many = count(len(stand_ins), "image")
        said.append(f"{many} may be a placeholder for a missing one, such as {one.path} ({why}).")
    if blank := findings.odd("blank"):
        said.append(f"{count(len(blank), 'image shows', 'images show')} nothing.")
    return said
