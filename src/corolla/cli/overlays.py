"""The files of `corolla explain` and `corolla predict --explain`: overlays, and the arrays they were drawn from."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from corolla.atomic import write_bytes, write_with
from corolla.data.decoding import ImageError
from corolla.explanations import DEFAULT, Method
from corolla.explanations.overlay import Explanation, overlay, png, tiled
from corolla.inputs.items import Item
from corolla.predictor import Prediction, Predictor
from corolla.progress import Progress

if TYPE_CHECKING:
    from corolla.report.grid import Tile

UNFIT = re.compile(r"[^\w.-]+")  # in a URL or another system's path, but not in every system's file names
LONGEST = 40  # characters of an image's name in the names of its files


@dataclass(frozen=True)
class Explained:
    """The explanations of one input and their files, or why there are none."""

    input: Item
    explanations: list[Explanation] = field(default_factory=list)  # one for each method
    files: dict[str, Path] = field(default_factory=dict)  # overlays by method; "heads", and "arrays" if asked for
    error: str = ""

    @property
    def prediction(self) -> Prediction:
        """The class that is explained, with its probability."""
        found = self.explanations[0]
        return Prediction(found.label, found.probability, ((found.label, found.probability),))

    def to_json(self) -> dict[str, Any]:
        """As `corolla explain --json` prints it."""
        if not self.explanations:
            return {"path": self.input.name, "error": self.error}
        return {
            "path": self.input.name,
            "label": self.prediction.label,
            "probability": self.prediction.probability,
            "files": {name: str(file) for name, file in self.files.items()},
        }


def write_overlays(
    predictor: Predictor,
    inputs: Sequence[Item],
    folder: Path,
    progress: Progress,
    methods: Sequence[Method] = (DEFAULT,),
    label: str | None = None,
    arrays: bool = False,
) -> Iterator[Explained]:
    """Explain the inputs in order, and write the files of each into `folder` as soon as it is done."""
    rows = explained_by(predictor, [item.path for item in inputs if item.path], methods, label)
    for number, item in enumerate(inputs, start=1):
        if item.path is None:
            yield Explained(item, error=item.error)
        else:
            _, found = next(rows)
            if isinstance(found, ImageError):
                yield Explained(item, error=found.reason)
            else:
                stem = f"{number:0{len(str(len(inputs)))}d}-{safe_name(item.name)}"
                yield Explained(item, found, write_files(found, folder, stem, arrays))
        progress.stage("explaining", number, len(inputs))


def explained_by(
    predictor: Predictor, paths: Sequence[Path], methods: Sequence[Method], label: str | None
) -> Iterator[tuple[int, list[Explanation] | ImageError]]:
    """The explanations of each image; an exported file supports rollout only."""
    from corolla.onnx_runtime.predictor import OnnxPredictor

    if isinstance(predictor, OnnxPredictor):
        from corolla.onnx_runtime.explaining import explain_by_file

        return explain_by_file(predictor, paths)
    from corolla.classifier import Classifier
    from corolla.explanations.maps import explain_all

    assert isinstance(predictor, Classifier)
    return explain_all(predictor, paths, methods, label)


def write_files(found: Sequence[Explanation], folder: Path, stem: str, arrays: bool) -> dict[str, Path]:
    """Write one image's overlays, and with `arrays` its maps, each atomically; returns their paths."""
    files: dict[str, Path] = {}
    values: dict[str, Any] = {"pixels": found[0].pixels}
    for one in found:
        values[one.method] = one.map
        files[one.method] = folder / f"{stem}-{one.method}.png"
        write_bytes(files[one.method], png(one.overlay()))
        if one.heads is not None:
            files["heads"] = folder / f"{stem}-heads.png"
            row = np.stack([np.asarray(overlay(one.pixels, head)) for head in one.heads])
            write_bytes(files["heads"], png(tiled(row[None])))
            values["heads"] = one.heads
    if arrays:
        files["arrays"] = folder / f"{stem}.npz"
        write_with(files["arrays"], lambda temporary: np.savez_compressed(temporary, **values))
    return files


def safe_name(name: str) -> str:
    """The last part of a path or a URL without its suffix, as a file name that is valid on any system."""
    return UNFIT.sub("_", Path(name).stem)[:LONGEST].strip("._-") or "image"


def write_sheet(explained: Sequence[Explained], file: Path) -> None:
    """Draw the model's input images, each followed by its overlays, in a nearly square grid."""
    from corolla.report.grid import draw_grid

    tiles: list[Tile] = []
    for one in explained:
        answer, pixels = one.prediction, one.explanations[0].pixels
        tiles.append((png(Image.fromarray(pixels)), f"{answer.label} {answer.probability:.1%}", None))
        tiles += [(one.files[found.method], found.method, None) for found in one.explanations]
    together = len(tiles) // len(explained)
    draw_grid(tiles, file, columns=together * max(round(sqrt(len(tiles)) / together), 1))
