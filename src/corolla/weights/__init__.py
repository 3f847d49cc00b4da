"""Published Vision Transformer checkpoints in and out: every dialect's names, shapes and settings, and ours.

`load_weights` reads any of them into a `ViTConfig` and a state dict of ours; `write_weights` writes one back.
"""

from corolla.weights.loading import Weights, load_weights
from corolla.weights.writing import write_weights

__all__ = ["Weights", "load_weights", "write_weights"]
