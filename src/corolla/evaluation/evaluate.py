"""Evaluate a run on its own test split, or on any labeled images with classes it knows."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, cast

import numpy as np

from corolla.data.checking import check
from corolla.data.manifest import SPLITS, Example, Manifest, Split
from corolla.data.progress import Progress
from corolla.data.sources import list_source
from corolla.data.streams.unpacking import MEASURED
from corolla.errors import CorollaError
from corolla.evaluation.metrics import Evaluation
from corolla.paths import AnyPath
from corolla.predictor import ModelOutput, Numbers, Predictor
from corolla.processes import processes_here

Part = Split | Literal["all"]


def evaluate(
    run: AnyPath,
    data: AnyPath | None = None,
    *,
    split: Split = "test",
    device: str = "cpu",
    precision: Numbers = "fp32",
    classifier: Predictor | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict every image of a split with the classifier of `run` and compare the predictions with the labels.

    Without `data` it uses the run's own images, whose bytes must not have changed. `data` is anything that
    `corolla.data.sources.load_data` takes; its classes are matched to the model's by name and may be fewer.
    If it has no splits, every readable image is used and `Evaluation.split` is "all".
    It predicts in single precision, like `predict`, unless `precision` is bf16; `classifier` is that of `run`, if it is
    already loaded. `progress(what, done, of)` is called during the work.
    Raises `CorollaError`.
    """
    asked = asked_about(run, data, split, progress)
    if classifier is None:  # after all checks of the images, because it takes seconds to load
        from corolla.classifier import Classifier
        from corolla.precision import answers_in

        classifier = Classifier.load(run, device, answers_in(precision))
    return answer(classifier, *asked, progress)


def asked_about(
    run: AnyPath, data: AnyPath | None, split: Split, progress: Progress | None
) -> tuple[Manifest, Part, frozenset[str]]:
    """The images to evaluate a run on, which part of them, and the hashes of its training images; as `evaluate`.

    Raises `CorollaError` for every error except those of the weights; does not load torch.
    """
    from corolla.run import find_run

    folder = find_run(run)
    known, part = folder.check().classes, cast(Part, split)
    if data is None and not folder.manifest_file.is_file():
        raise CorollaError(f"{run} came without its images; say where labeled ones are: corolla evaluate {run} DATA")
    if data is None:
        manifest = folder.load_manifest()
        if not manifest.root.is_dir():
            raise CorollaError(
                f"the images of {run} are not under {manifest.root} any more; "
                f"say where labeled ones are: corolla evaluate {run} DATA"
            )
        check_unchanged(manifest, examples_of(manifest, part), run)
        trained = trained_hashes(manifest)
    else:
        manifest, part = asked_of(data, split, progress, known)
        trained = trained_hashes(folder.load_manifest()) if folder.manifest_file.is_file() else frozenset()
    check_classes(manifest, known)
    examples_of(manifest, part)
    return manifest, part, trained


def evaluate_data(
    predictor: Predictor, data: AnyPath, split: Split = "test", progress: Progress | None = None
) -> Evaluation:
    """Evaluate any predictor on `data`; its training images are not known."""
    return answer(predictor, *asked_of(data, split, progress, predictor.classes), frozenset(), progress)


def asked_of(data: AnyPath, split: Split, progress: Progress | None, known: Sequence[str]) -> tuple[Manifest, Part]:
    """The images of a source, and the part to evaluate: `split`, or all if it has no splits."""
    manifest = read_labeled(data, progress, known)
    return manifest, split if any(example.split for example in manifest.examples) else "all"


def evaluate_split(
    classifier: Predictor, manifest: Manifest, split: Split, progress: Progress | None = None
) -> Evaluation:
    """Evaluate one split of the manifest that the classifier was trained with, without checking its images."""
    return answer(classifier, manifest, split, trained_hashes(manifest), progress)


def answer(
    classifier: Predictor,
    manifest: Manifest,
    part: Part,
    trained: Collection[str],
    progress: Progress | None,
) -> Evaluation:
    """Evaluate the images of `part`; `trained` are the hashes of the training images, empty if not known."""
    check_classes(manifest, classifier.classes)
    examples = examples_of(manifest, part)
    place = {name: index for index, name in enumerate(classifier.classes)}

    def tell(done: int, of: int) -> None:
        if progress is not None:
            progress("evaluating", done, of)

    outputs = shared_replies(classifier, [manifest.locate(example) for example in examples], tell)
    scores = [output.ood_score for output in outputs if output.ood_score is not None]
    return Evaluation(
        classes=classifier.classes,
        split=part,
        paths=tuple(example.path for example in examples),
        labels=np.array([place[example.label] for example in examples], np.int64),
        probabilities=np.stack([output.probabilities for output in outputs]),
        root=manifest.root,
        trained_on=sum(example.sha256 in trained for example in examples) if trained else None,
        groups=tuple(example.group for example in examples) if any(example.group for example in examples) else (),
        calibration=classifier.calibration,
        ood_scores=np.array(scores, np.float32) if classifier.calibration else None,
        notes=manifest.notes,
    )


def shared_replies(
    classifier: Predictor, images: Sequence[Path], progress: Callable[[int, int], None]
) -> list[ModelOutput]:
    """The classifier's output for every image; with several processes each predicts its part."""
    processes = processes_here(getattr(classifier, "device", "cpu"))
    part = processes.shard_range(len(images))
    own = classifier.outputs(images[part.start : part.stop], progress) if part else []
    if processes.count == 1:
        return own
    scores = np.array([np.nan if output.ood_score is None else output.ood_score for output in own], np.float64)
    probs = np.array([output.probabilities for output in own], np.float32).reshape(len(own), len(classifier.classes))
    rows = zip(processes.all_gather(probs, len(images)), processes.all_gather(scores, len(images)), strict=True)
    return [ModelOutput(row, None if np.isnan(score) else float(score)) for row, score in rows]


def examples_of(manifest: Manifest, part: Part) -> tuple[Example, ...]:
    """The examples of a split, or all; `CorollaError` if there are none."""
    examples = manifest.examples if part == "all" else manifest.split(part)
    if not examples:
        present = [name for name in SPLITS if manifest.split(name)]
        there = f"no {part} split; it has {' and '.join(present)}" if present else "no images"
        raise CorollaError(f"the data under {manifest.root} has {there}")
    return examples


def read_labeled(data: AnyPath, progress: Progress | None, known: Sequence[str] = ()) -> Manifest:
    """The readable images of a source with its own splits; no split is created.

    The names of the model's `known` classes tell which of nested folders are the classes.
    """
    listing = list_source(data, progress, fractions=MEASURED, known=known)
    checked = check(listing.root, listing.examples, progress=progress)
    if not checked.examples:
        first = f"; {checked.skipped[0].path}: {checked.skipped[0].reason}" if checked.skipped else ""
        raise CorollaError(f"{data} has no image that can be read{first}")
    skipped = (*listing.misplaced, *listing.left_out, *checked.skipped)
    return Manifest(listing.root, checked.examples, skipped, notes=listing.notes)


def check_classes(manifest: Manifest, known: Sequence[str]) -> None:
    """`CorollaError` for labels that the model cannot predict; fewer classes than the model's are fine."""
    unknown = [label for label in manifest.classes if label not in set(known)]
    if unknown:
        raise CorollaError(
            f"the model does not know {listed(unknown)}: the data has {listed(manifest.classes)}; "
            f"the model predicts {listed(known)}; rename or leave out the classes it does not know"
        )


def check_unchanged(manifest: Manifest, examples: Sequence[Example], run: AnyPath) -> None:
    """`CorollaError` for images that are missing or have changed since training, by the manifest's sha256."""

    def fault(example: Example) -> str:
        try:
            content = manifest.locate(example).read_bytes()
        except OSError as error:
            return f"cannot be read any more ({error.strerror})"
        same = not example.sha256 or hashlib.sha256(content).hexdigest() == example.sha256
        return "" if same else "has changed since the training"

    with ThreadPoolExecutor(4) as pool:
        for example, what in zip(examples, pool.map(fault, examples), strict=True):
            if what:
                raise CorollaError(
                    f"{manifest.locate(example)} {what}, so the result would not be that of this split; "
                    f"put it back, or evaluate the folder as it is: corolla evaluate {run} DATA"
                )


def trained_hashes(manifest: Manifest) -> frozenset[str]:
    """The sha256 of every training image that has one; empty for a stream."""
    if manifest.stream:
        return frozenset()
    return frozenset(example.sha256 for example in manifest.split("train") if example.sha256)


def listed(names: Sequence[str], most: int = 20) -> str:
    """The first `most` names in one line."""
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")
