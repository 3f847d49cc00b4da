"""The images that an exported file is proven on, and what can be refused before a model is loaded to make one."""

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
    """`CorollaError` for an export that would come to nothing, as far as that is seen without torch."""
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
    """`CorollaError` if the file to write is there."""
    if file.exists():
        raise CorollaError(f"{file} is there already; choose another name, or move it away (nothing was changed)")


def labeled_images(run: AnyPath, data: AnyPath | None, progress: Progress | None) -> Manifest:
    """The images of `data`, or those the run was split with."""
    folder = find_run(run)
    if data is not None:
        return read_labeled(data, progress, folder.check().classes)
    if not folder.manifest_file.is_file():
        raise CorollaError(
            f"{run} came without its images, and a file is proven on some; say where labeled ones are with --data"
        )
    manifest = folder.load_manifest()
    if not manifest.root.is_dir():
        raise CorollaError(
            f"the images of {run} are not under {manifest.root} any more; say where labeled ones are with --data"
        )
    return manifest
