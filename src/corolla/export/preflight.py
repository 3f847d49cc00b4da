"""The images that verify an export, and the checks before a model is loaded."""

from importlib.util import find_spec
from pathlib import Path

from corolla.data.manifest import Manifest
from corolla.data.progress import Progress
from corolla.data.sources import glance
from corolla.errors import CorollaError
from corolla.evaluation.evaluate import check_classes, read_labeled
from corolla.paths import AnyPath
from corolla.pretrained import EXPORTED
from corolla.run import find_run

LIBRARIES = ("onnx", "onnxscript", "onnxruntime")


def refuse(run: AnyPath, file: Path, data: AnyPath | None) -> None:
    """Raise `CorollaError` for an export that would fail, as far as that is known without torch."""
    classes = find_run(run).check().classes
    if file.suffix != EXPORTED:
        raise CorollaError(f"--out {file} should end in {EXPORTED}")
    refuse_existing(file)
    for library in LIBRARIES:
        if find_spec(library) is None:
            raise CorollaError(f"this needs {library}; install it with: pip install 'corolla[export]'")
    if data is None:
        labeled_images(run, None, None)
    elif listing := glance(data):
        check_classes(Manifest(listing.root, listing.examples), classes)


def refuse_existing(file: Path) -> None:
    """Raise `CorollaError` if the file to write exists."""
    if file.exists():
        raise CorollaError(f"{file} is there already; choose another name, or move it away (nothing was changed)")


def labeled_images(run: AnyPath, data: AnyPath | None, progress: Progress | None) -> Manifest:
    """The images of `data`, or those of the run's manifest."""
    folder = find_run(run)
    if data is not None:
        return read_labeled(data, progress, folder.check().classes)
    if not folder.manifest_file.is_file():
        raise CorollaError(
            f"{run} came without its images, which an export is verified on; give labeled ones with --data"
        )
    manifest = folder.load_manifest()
    if not manifest.root.is_dir():
        raise CorollaError(
            f"the images of {run} are not under {manifest.root} any more; give labeled images with --data"
        )
    return manifest
