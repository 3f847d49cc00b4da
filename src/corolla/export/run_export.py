"""Exports a run to a self-contained file: built, quantized, verified, and only then saved."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from corolla.atomic import write_bytes
from corolla.classifier import Classifier
from corolla.data.manifest import Example, Manifest
from corolla.errors import CorollaError
from corolla.evaluation.calibrating import pixels_of, places, some
from corolla.evaluation.evaluate import check_classes
from corolla.evaluation.facts import facts_of
from corolla.export.onnx import build, with_card
from corolla.export.parity import ParityReport, Progress, verify_export
from corolla.export.precisions import quantize
from corolla.export.preflight import labeled_images, refuse_existing
from corolla.onnx_runtime.metadata import OnnxMetadata, Precision
from corolla.paths import AnyPath, at
from corolla.pretrained import run_folder
from corolla.run import Run

MOST = 500  # images that verify a file
LEARNED = 200  # images that calibrate the int8 ranges


def export(
    run: AnyPath,
    file: AnyPath,
    precision: Precision = "fp32",
    data: AnyPath | None = None,
    progress: Progress = lambda what, done, of: None,
) -> ParityReport:
    """Write the run as an ONNX file and return how it compares with the run on validation images.

    The images are those of the run, or of `data`, any source that `corolla.load_data` accepts. Raises `CorollaError`,
    with nothing written, if `file` exists, if there are no images, or if the verification fails.
    """
    file = at(file)
    refuse_existing(file)
    reference = Classifier.load(run)
    manifest = labeled_images(run, data, progress)
    check_classes(manifest, reference.classes)
    proving, learning = chosen(manifest)
    card = card_of(run, reference, precision)
    with TemporaryDirectory(prefix="corolla-") as scratch:
        fp32, made = Path(scratch) / "fp32.onnx", Path(scratch) / "made.onnx"
        progress("building the graph", 0, 1)
        graph = build(reference)
        progress("building the graph", 1, 1)
        fp32.write_bytes(with_card(graph, card))
        smaller = quantize(graph, precision, lambda: pixels_of(reference, [manifest.locate(each) for each in learning]))
        made.write_bytes(with_card(smaller, card))
        paths, labels = [manifest.locate(example) for example in proving], places(proving, reference.classes)
        proof = verify_export(made, fp32, reference, paths, labels, progress)
    if proof.faults:
        raise CorollaError(f"{'; '.join(proof.faults)}; nothing was written")
    write_bytes(file, with_card(smaller, replace(card, proof=proof.to_json())))
    return proof


def chosen(manifest: Manifest) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The images for verification and for int8 calibration: validation and training, or every other one."""
    val, train = manifest.split("val"), manifest.split("train")
    if val and train:
        return some(val, MOST), some(train, LEARNED)
    every = some(manifest.examples, 2 * MOST)
    if len(every) < 2:
        raise CorollaError("verification needs at least two images; give more with --data")
    return every[::2], every[1::2][:LEARNED]


def card_of(run: AnyPath, classifier: Classifier, precision: Precision) -> OnnxMetadata:
    """The metadata of the file before the verification."""
    folder, calibration = Run(run_folder(run)), classifier.calibration
    return OnnxMetadata(
        name=folder.folder.resolve().name,
        classes=classifier.classes,
        preprocessing=classifier.preprocessing,
        precision=precision,
        promises=calibration,
        ood_score=calibration.ood_detector.name if calibration else None,
        about=facts_of(folder).to_json() | {"mirrored": classifier.flip},
    )
