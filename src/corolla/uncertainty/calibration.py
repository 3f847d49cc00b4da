"""The calibration of a model, and its file in the run folder.

The file is safetensors: arrays, and a few numbers as JSON in its metadata. Like everything in a run it may come from an
untrusted source, so sizes, shapes and values are checked before they are used.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.checksummed import load_sealed, save_sealed
from corolla.errors import CorollaError
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.ood import KINDS, Gaussians, Kind, OODDetector, Scale, Score
from corolla.uncertainty.temperature import LEAST, MOST

FORMAT = 2
DETECTOR = "novelty"  # the file's name for the OOD detector; a new one would keep older versions from opening it
MAX_BYTES = 2**31  # four times what the widest known ViT needs
ARRAYS = ("means", "whitening")  # of the Gaussians of a score
Sizes = tuple[int, int, int]  # classes, input features of the head, width of the tokens


@dataclass(frozen=True, eq=False)
class ConformalCalibration:
    """The temperature of the probabilities, and the scores for conformal prediction sets."""

    temperature: float
    conformal: Conformal


@dataclass(frozen=True, eq=False)
class Calibration(ConformalCalibration):
    """The whole calibration, fitted on validation images that the model was not trained on."""

    ood_detector: OODDetector
    facts: dict[str, Any]  # of the fit: how many images, the AUROC of each detector on the synthetic outliers

    def save(self, file: Path) -> None:
        """Write the file, whole or not at all."""
        arrays: dict[str, NDArray[Any]] = {"ranks": self.conformal.ranks, "scores": self.conformal.scores}
        for score in self.ood_detector.scores:
            if score.gaussians is not None:
                for name in ARRAYS:
                    arrays[f"{score.kind}.{name}"] = np.ascontiguousarray(getattr(score.gaussians, name))
        said = {
            "format": FORMAT,
            "temperature": self.temperature,
            "n": self.conformal.n,
            "scores": {score.kind: asdict(score.scale) for score in self.ood_detector.scores},
            DETECTOR: asdict(self.ood_detector.scale),
            "facts": self.facts,
        }
        metadata = {"calibration": json.dumps(said, allow_nan=False)}
        save_sealed(arrays, file, metadata, "np")

    @staticmethod
    def load(file: Path, sizes: Sizes) -> "Calibration | None":
        """Read a file of `save` for a model of these sizes; None if there is no file.

        Raises `CorollaError` if it is damaged or belongs to another model.
        """
        try:
            if file.stat().st_size > MAX_BYTES:
                raise ValueError("it is too large")
            arrays, words = load_sealed(file, "np", unsealed=True)  # older runs have no checksum
            return checked(json.loads(words["calibration"]), arrays, sizes)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorollaError(
                f"cannot read {file}: {error}; make it again with `corolla calibrate {file.parent}`, "
                "or delete it to do without"
            ) from None


def checked(said: dict[str, Any], arrays: dict[str, NDArray[Any]], sizes: Sizes) -> Calibration:
    """The calibration from the numbers and arrays of a file; ValueError, TypeError or KeyError if they are invalid."""
    if said["format"] != FORMAT:
        raise ValueError("it was written by another version of corolla")
    temperature = checked_temperature(said["temperature"])
    conformal = Conformal.restored(said["n"], arrays["ranks"], arrays["scores"])
    scores = tuple(
        Score(kind, scale_of(said["scores"][kind]), gaussians_of(kind, arrays, sizes))
        for kind in KINDS
        if kind in said["scores"]
    )
    if not scores or len(scores) != len(said["scores"]):
        raise ValueError("its OOD scores are invalid")
    detector = OODDetector(scores, scale_of(said[DETECTOR]))
    return Calibration(temperature, conformal, detector, dict(said["facts"]))


def scale_of(said: dict[str, Any]) -> Scale:
    """The scale from its two numbers."""
    scale = Scale(finite(said["median"]), finite(said["border"]))
    if not scale.median < scale.border:
        raise ValueError("the scale of its OOD scores is invalid")
    return scale


def gaussians_of(kind: Kind, arrays: dict[str, NDArray[Any]], sizes: Sizes) -> Gaussians | None:
    """The Gaussians of a score, None for the energy."""
    if kind == "energy":
        return None
    classes, read_by_head, width = sizes
    groups, width = (classes, read_by_head) if kind == "distance" else (1, width)
    gaussians = Gaussians(*(arrays[f"{kind}.{name}"] for name in ARRAYS))
    for name, shape in zip(ARRAYS, ((groups, width), (width, width)), strict=True):
        array = getattr(gaussians, name)
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"its {kind}.{name} have shape {array.shape}, and this model needs {shape}")
    if np.isnan(gaussians.means).any() or not np.isfinite(gaussians.whitening).all():
        raise ValueError("its numbers are not all finite")
    return gaussians


def checked_temperature(value: Any) -> float:
    """The temperature of a file; ValueError or TypeError if it is invalid."""
    temperature = finite(value)
    if not LEAST * 0.99 <= temperature <= MOST * 1.01:
        raise ValueError(f"a temperature of {temperature} is out of range")
    return temperature


def finite(value: Any) -> float:
    """The value if it is a finite number; ValueError or TypeError if not."""
    number = float(value)
    if not np.isfinite(number):
        raise ValueError("its numbers are not all finite")
    return number
