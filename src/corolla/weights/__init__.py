"""Reads and writes published Vision Transformer checkpoints: converts names, shapes and settings of every library.

`load_weights` reads any of them into our `ViTConfig` and state dict, from a path, a name of the registry or the
Hugging Face Hub; `write_weights` writes one, `pack` copies a run for others, `push` uploads one to
the Hub. Heavy imports happen only when one of these names is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corolla.weights.loading import Weights, load_weights
    from corolla.weights.packing import pack
    from corolla.weights.pushing import push
    from corolla.weights.writing import Written, write_weights

__all__ = ["Weights", "Written", "load_weights", "pack", "push", "write_weights"]

_HOMES = {
    "Weights": "loading",
    "Written": "writing",
    "load_weights": "loading",
    "pack": "packing",
    "push": "pushing",
    "write_weights": "writing",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
