"""What an exported file says of itself: everything around its weights that an answer needs, as JSON in its metadata.

The graph itself prepares images, divides by the temperature and scores novelty; what is here tells people and
programs of other languages how it does so, and holds what no graph can: names, thresholds, and the proof of the export.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from corolla.preprocessing import Preprocessing
from corolla.trust.calibration import ConformalCalibration, checked_temperature
from corolla.trust.conformal import Conformal

KEY = "corolla"  # of the metadata
FORMAT = 1
MAX_CHARACTERS = 2**24
COVERAGES = (0.8, 0.9, 0.95, 0.99)  # whose least probabilities are written out
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, eq=False)
class OnnxMetadata:
    """Beside the weights. `promises` and `novelty` are None for a run that is not calibrated."""

    name: str  # of the run
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    precision: Precision
    promises: ConformalCalibration | None
    novelty: str | None  # the scores that it is the mean of
    about: dict[str, Any]  # the model, its parameters, how good it is; for people
    proof: dict[str, Any] = field(default_factory=dict)  # what the export measured

    def to_json(self) -> dict[str, Any]:
        """As plain values, with thresholds written out for those who compute with them."""
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
        """From what `to_json` gave, of a file that may come from anybody.

        ValueError, TypeError, KeyError or AttributeError if it is not a card.
        """
        if len(text) > MAX_CHARACTERS:
            raise ValueError("what it says of itself is too long")
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise ValueError("it was written by another version of corolla; export it again")
        classes, promised, novelty = tuple(said["classes"]), said["promises"], said["novelty"]
        if len(classes) < 2 or len(set(classes)) != len(classes) or not all(isinstance(name, str) for name in classes):
            raise ValueError("class names should be different texts")
        if said["precision"] not in PRECISIONS or not isinstance(said["name"], str):
            raise ValueError("its name or precision is none")
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
