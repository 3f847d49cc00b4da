"""Explanations of predictions: attribution maps, and the deletion and insertion metrics that evaluate them.

`maps` is the entry point. `methods` follows the papers, `deletion` evaluates the maps, and `overlay` and `embeddings`
make images.
"""

from collections.abc import Collection
from typing import Literal

from corolla.errors import CorollaError, few

# Here because the command line needs the names before torch is loaded; `maps.METHODS` implements them.
Method = Literal["relevance", "rollout", "attention"]
DEFAULT: Method = "relevance"  # the best in the deletion and insertion test (benchmarks/explanations.py)


def refuse_label(label: str | None, classes: Collection[str]) -> None:
    """`CorollaError` if `label` is not a class of the model."""
    if label is not None and label not in classes:
        raise CorollaError(f"the model has no class {label!r}; it knows {few(classes, 20)}")
