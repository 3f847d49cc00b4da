"""The metadata of an exported file: everything besides its weights that a prediction needs, as JSON.

The graph itself preprocesses images, divides by the temperature and computes the OOD score; the metadata tells people
and other programs how, and has what a graph cannot: names, thresholds, and the results of the verification.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from corolla.formats import METADATA_FORMAT, upgraded_metadata
from corolla.preprocessing import Preprocessing
from corolla.uncertainty.calibration import ConformalCalibration, checked_temperature
from corolla.uncertainty.conformal import Conformal

KEY = "corolla"  # of the metadata
MAX_CHARACTERS = 2**24
COVERAGES = (0.8, 0.9, 0.95, 0.99)  # coverages whose probability thresholds are written
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, eq=False)
class OnnxMetadata:
    """The metadata. `promises` and `ood_score` are None for a run that is not calibrated."""

    name: str  # of the run
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    precision: Precision
    promises: ConformalCalibration | None
    ood_score: str | None  # the scores whose mean it is
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
            "format": METADATA_FORMAT,
            "name": self.name,
            "classes": list(self.classes),
            "preprocessing": self.preprocessing.to_json(),
            "precision": self.precision,
            "promises": promised,
            "ood_score": self.ood_score and {"scores": self.ood_score, "accepted_up_to": 1.0},
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
        said = upgraded_metadata(json.loads(text))
        classes, promised, ood_score = tuple(said["classes"]), said["promises"], said["ood_score"]
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
            ood_score=None if ood_score is None else str(ood_score["scores"]),
            about=dict(said["about"]),
            proof=dict(said["proof"]),
        )
