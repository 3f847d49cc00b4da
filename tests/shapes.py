"""Small classifiers of every shape a ViT comes in, with random weights, and calibrations for them."""

import numpy as np
import torch

from corolla.classifier import Classifier
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.precision import Precision
from corolla.preprocessing import Preprocessing
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.conformal import Conformal
from corolla.uncertainty.ood import KINDS, Kind, OODDetector, Score

SIZE = (16, 40)
SINGLE = Precision("no", "numbers are compared")
SHAPES: dict[str, dict[str, object]] = {
    "plain": {},
    "mean": {"global_pool": "avg"},
    "mean, normalized after": {"global_pool": "avg", "norm_after_pooling": True},
    "class token and mean": {"global_pool": "token+avg"},
    "registers": {"num_reg_tokens": 3},
    "mean and registers": {"global_pool": "avg", "num_reg_tokens": 2},
    "distilled": {"distilled": True},
    "rotary": {"pos_embed": "none", "rotary": "centered", "num_reg_tokens": 2, "layer_scale": 0.1},
    "rotary beside learned positions": {"rotary": "counted", "rotary_base": 10_000.0, "rotary_grid": (4, 4)},
    "hybrid": {"stem": (4, 8), "stem_blocks": 1, "global_pool": "avg", "pos_embed": "sincos"},
}


def build_chance(shape: str = "plain", flip: bool = False, **changes: object) -> Classifier:
    """A classifier of one of the `SHAPES`, wider than high, not calibrated."""
    torch.manual_seed(1)
    fields = {"embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_dim": 32} | SHAPES[shape] | changes
    model = ViT(ViTConfig(3, SIZE, 8, **fields))  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return Classifier(model, Preprocessing(SIZE), ("a", "b", "c"), flip=flip, precision=SINGLE)


def calibrate_by_chance(classifier: Classifier, kinds: tuple[Kind, ...] = KINDS) -> None:
    """Give it a calibration fitted on noise."""
    known = classifier.raw_outputs(noises(60))
    labels = np.arange(60) % len(classifier.classes)
    scores = [Score.fit(kind, known, labels, known) for kind in kinds]
    conformal = Conformal.fit(known.probabilities, labels)
    classifier.calibration = Calibration(0.7, conformal, OODDetector.fit(scores, known), {})


def noises(n: int, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Random images (n, H, W, 3), smooth enough that all runtimes round them equally."""
    dice = np.random.default_rng(seed)
    coarse = dice.integers(0, 256, (n, 4, 5, 3)).astype(np.float32)
    rows, columns = (np.linspace(0, side - 1, length).astype(int) for side, length in zip((4, 5), size, strict=True))
    return coarse[:, rows][:, :, columns].astype(np.uint8)
