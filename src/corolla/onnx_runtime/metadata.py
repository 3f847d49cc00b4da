"""The metadata of an exported file: everything besides its weights that a prediction needs, as JSON.

The graph itself preprocesses images, divides by the temperature and computes the OOD score; the metadata tells people
and other programs how, and has what a graph cannot: names, thresholds, and the results of the verification.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from corolla.preprocessing import Preprocessing
from corolla.uncertainty.calibration import ConformalCalibration, checked_temperature
from corolla.uncertainty.conformal import Conformal

KEY = "corolla"  # of the metadata
FORMAT = 1
MAX_CHARACTERS = 2**24
COVERAGES = (0.8, 0.9, 0.95, 0.99)  # coverages whose probability thresholds are written
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, eq=False)
class OnnxMetadata:
    """The metadata. `promises` and `novelty` are None for a run that is not calibrated."""

    name: str  # of the run
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    precision: Precision
    promises: ConformalCalibration | None
    novelty: str | None  # the scores whose mean it is
    about: dict[str, Any]  # the model, its parameters, its accuracy; for people
    proof: dict[str, Any] = field(default_factory=dict)  # what the export measured

    def to_json(self) -> dict[str, Any]:
        """As plain values, with explicit thresholds for other programs."""
        promised = None
        if self.promises:
            conformal = self.promises.conformal
            least = {f"{coverage:g}": max(0.0, 1 - conformal.largest(coverage)) for coverage in COVERAGES}
            promised = {
                "temperature": self.promises.temperature,
                "least_probability": least,
                "n": conformal.n,
                "ranks": conformal.ranks.tolist(),
                "scores": conformal.scores.tolist(),
            }
        return {
            "format": FORMAT,
            "name": self.name,
            "classes": list(self.classes),
            "preprocessing": self.preprocessing.to_json(),
            "precision": self.precision,
            "promises": promised,
            "novelty": self.novelty and {"scores": self.novelty, "accepted_up_to": 1.0},
            "about": self.about,
            "proof": self.proof,
        }

    @staticmethod
    def from_text(text: str) -> "OnnxMetadata":
        """The inverse of `to_json`, for an untrusted file.

        ValueError, TypeError, KeyError or AttributeError if it is not a card.
        """
        if len(text) > MAX_CHARACTERS:
            raise ValueError("its metadata is too long")
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise ValueError("it was written by another version of corolla; export it again")
        classes, promised, novelty = tuple(said["classes"]), said["promises"], said["novelty"]
        if len(classes) < 2 or len(set(classes)) != len(classes) or not all(isinstance(name, str) for name in classes):
            raise ValueError("class names should be unique strings")
        if said["precision"] not in PRECISIONS or not isinstance(said["name"], str):
            raise ValueError("its name or precision is not valid")
        promises = None
        if promised is not None:
            ranks, scores = np.array(promised["ranks"], np.int64), np.array(promised["scores"], np.float32)
            conformal = Conformal.restored(promised["n"], ranks, scores)
            promises = ConformalCalibration(checked_temperature(promised["temperature"]), conformal)
        return OnnxMetadata(
            name=said["name"],
            classes=classes,
            preprocessing=Preprocessing.from_json(said["preprocessing"]),
            precision=said["precision"],
            promises=promises,
            novelty=None if novelty is None else str(novelty["scores"]),
            about=dict(said["about"]),
            proof=dict(said["proof"]),
        )
