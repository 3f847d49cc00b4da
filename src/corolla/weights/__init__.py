"""Published Vision Transformer checkpoints in and out: every dialect's names, shapes and settings, and ours.

`load_weights` reads any of them into a `ViTConfig` and a state dict of ours, from a path, a name of the registry or the
Hugging Face Hub; `write_weights` writes one back, `pack` copies a run to give away, `push` puts one on
the Hub.
"""

from corolla.weights.loading import Weights, load_weights
from corolla.weights.packing import pack
from corolla.weights.pushing import push
from corolla.weights.writing import Written, write_weights

__all__ = ["Weights", "Written", "load_weights", "pack", "push", "write_weights"]
