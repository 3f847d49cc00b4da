"""Verifies an exported file against its run on real images: same numbers, same predictions, and its speed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.classifier import Classifier
from corolla.data.decoding import read_image
from corolla.evaluation.calibrating import pixels_of
from corolla.onnx_runtime.metadata import Precision
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.text import count

AGREEMENT: Mapping[Precision, float] = {"fp32": 0.995, "fp16": 0.995, "int8": 0.99}  # at least
PROBABILITY = 1e-3  # maximum difference of fp32
BATCH = 32
WHOLE = 200  # images that the file preprocesses itself; with fewer, a single prediction would decide
ROUNDS = 5
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Speed:
    """Seconds per image, the median of interleaved rounds."""

    one: float  # one at a time
    batch: float  # 32 together


@dataclass(frozen=True)
class ParityReport:
    """The results of a comparison. The run computes in single precision."""

    precision: Precision
    n: int
    logit: float  # the largest difference
    probability: float  # the largest difference
    agreement: float  # the fraction of images with the same prediction
    accuracy: float
    run_accuracy: float
    whole_n: int  # original images, which the file resized itself
    whole_probability: float
    whole_agreement: float
    speed: Speed
    run_speed: Speed
    fp32_speed: Speed  # of the same file in single precision

    @property
    def faults(self) -> list[str]:
        """Why the file is rejected; empty if it passes."""
        least = AGREEMENT[self.precision]
        found = []
        shares = {
            count(self.n, "image"): self.agreement,
            count(self.whole_n, "whole image"): self.whole_agreement,
        }
        for what, share in shares.items():
            if share < least:
                found.append(
                    f"the {self.precision} file predicts as the run on {share:.1%} of {what}, less than {least:.1%}"
                )
        if self.precision == "fp32" and self.probability > PROBABILITY:
            found.append(f"its probabilities differ by up to {self.probability:.1e}, more than {PROBABILITY:.0e}")
        return found

    @property
    def slower(self) -> bool:
        """Whether lower precision is not faster, neither for single images nor in batches."""
        return self.speed.one >= self.fp32_speed.one and self.speed.batch >= self.fp32_speed.batch

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def verify_export(
    file: Path,
    fp32: Path,
    reference: Classifier,
    paths: Sequence[Path],
    labels: NDArray[np.int64],
    progress: Progress,
) -> ParityReport:
    """Compare a file with its run on labeled images.

    `reference` is the run, `fp32` the file in single precision.
    """
    exported, single = OnnxPredictor.load(file), OnnxPredictor.load(fp32)
    pixels = pixels_of(reference, paths)
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ("logits", "probabilities", "own", "own_logits")}
    for start in range(0, len(pixels), BATCH):
        batch = pixels[start : start + BATCH]
        probabilities, logits = exported.compute(batch, ["probabilities", "logits"])
        seen["probabilities"].append(probabilities)
        seen["logits"].append(logits)
        seen["own"].append(np.stack([output.probabilities for output in reference.infer(batch)]))
        seen["own_logits"].append(reference.raw_outputs(batch).logits)
        progress("comparing with the run", min(start + BATCH, len(pixels)), len(pixels))
    found = {name: np.concatenate(parts) for name, parts in seen.items()}
    answers, own = found["probabilities"].argmax(axis=1), found["own"].argmax(axis=1)
    whole = [exported.compute(np.asarray(read_image(path))[None], ["probabilities"])[0] for path in paths[:WHOLE]]
    prepared = np.concatenate(whole)
    batch = pixels[:BATCH]
    speeds = measure_speeds([exported.infer, reference.infer, single.infer], batch, progress)
    return ParityReport(
        precision=exported.card.precision,
        n=len(pixels),
        logit=largest(found["logits"], found["own_logits"]),
        probability=largest(found["probabilities"], found["own"]),
        agreement=float((answers == own).mean()),
        accuracy=float((answers == labels).mean()),
        run_accuracy=float((own == labels).mean()),
        whole_n=len(prepared),
        whole_probability=largest(prepared, found["own"][: len(prepared)]),
        whole_agreement=float((prepared.argmax(axis=1) == own[: len(prepared)]).mean()),
        speed=speeds[0],
        run_speed=speeds[1],
        fp32_speed=speeds[2],
    )


def largest(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The largest difference."""
    return float(np.abs(one - other).max())


def measure_speeds(
    repliers: Sequence[Callable[[NDArray[np.uint8]], object]], batch: NDArray[np.uint8], progress: Progress
) -> list[Speed]:
    """The speed of each, measured in turns, so that other load on the computer affects all equally."""
    single: list[list[float]] = [[] for _ in repliers]
    together: list[list[float]] = [[] for _ in repliers]
    for turn in range(ROUNDS + 1):  # the first does not count
        for place, output in enumerate(repliers):
            for pixels, times in ((batch[:1], single), (batch, together)):
                begun = time.perf_counter()
                output(pixels)
                if turn:
                    times[place].append((time.perf_counter() - begun) / len(pixels))
        progress("measuring speed", turn, ROUNDS)
    return [Speed(median(one), median(many)) for one, many in zip(single, together, strict=True)]
