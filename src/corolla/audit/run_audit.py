"""The audit of labeled images: finds everything that may be wrong with them."""

from corolla.audit.copies import exact_copies, groups_across_splits, near_copies
from corolla.audit.findings import AuditedImage, Findings
from corolla.audit.images import look_at
from corolla.data.checking import Checked, check
from corolla.data.layout import ClassFolders
from corolla.data.listing import RawDataset
from corolla.data.manifest import Example
from corolla.data.sources import list_source, split_listing
from corolla.errors import CorollaError
from corolla.paths import AnyPath, word
from corolla.progress import Progress


def audit(
    data: AnyPath,
    weights: AnyPath | None = None,
    *,
    seed: int = 0,
    class_folders: ClassFolders = "",
    device: str = "cpu",
    progress: Progress | None = None,
) -> Findings:
    """Check all files of `data`; with `weights`, also its labels.

    `data` is any source that `corolla.load_data` accepts; if that rejects the data, the reason is a finding.
    `weights` is a run, a checkpoint or a name, as in training, or one of efficientnet-lite0 to 2. `seed` samples the
    folds, and `class_folders` decides which of nested folders are the classes. Rows that the user's table excludes
    are checked only as files, since their duplicates may be in use. Raises `CorollaError`
    if nothing can be listed, or if `weights` cannot be loaded or used.
    """
    progress = progress or Progress()
    listing = list_source(data, progress.stage, class_folders=class_folders)
    checked = check(listing.root, listing.examples, progress=progress.stage)
    listed = {example.path: example for example in listing.examples}
    reasons = {skipped.path: skipped.reason for skipped in listing.left_out if skipped.path not in listed}
    labels = {skipped.path: skipped.label for skipped in listing.left_out}
    beside = check(listing.root, [Example(path, labels[path]) for path in reasons], progress=progress.stage)
    found = sorted(
        zip((*checked.examples, *beside.examples), (*checked.fingerprints, *beside.fingerprints), strict=True),
        key=lambda pair: pair[0].path,
    )
    looks = look_at([listing.root / example.path for example, _ in found], progress)
    images = tuple(
        AuditedImage(example, look, reasons.get(example.path, ""))
        for (example, _), look in zip(found, looks, strict=True)
    )
    used = [image for image in images if not image.left_out]
    near = near_copies(images, [bits for _, bits in found])
    judged = None
    if weights is not None:
        from corolla.audit.folds import check_labels  # imports torch

        judged = check_labels(listing.root, used, near, word(weights), seed=seed, device=device, progress=progress)
    return Findings(
        source=word(data),
        root=listing.root,
        classes=tuple(sorted(frozenset().union(*listing.classes.values()))),
        images=images,
        unreadable=tuple((listed[skipped.path], skipped.reason) for skipped in checked.skipped),
        unusable=listing.misplaced,
        refusal=refusal(data, listing, checked),
        exact=exact_copies(images),
        near=near,
        groups=groups_across_splits(used),
        labels=judged,
        notes=checked.notes,
    )


def refusal(data: AnyPath, listing: RawDataset, checked: Checked) -> str:
    """Why training would reject these images as they are; "" if it would not."""
    try:
        split_listing(data, listing, checked)
    except CorollaError as error:
        return str(error)
    return ""
