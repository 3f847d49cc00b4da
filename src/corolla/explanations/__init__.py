"""Why the model answered so: maps of what it looked at, held against what happens when that is taken away.

`maps` is the way in. `rollout`, `relevance` and `heads` are read beside their papers, `deletion` measures them, and
`overlay` and `embeddings` make images.
"""

from collections.abc import Collection
from typing import Literal

from corolla.errors import CorollaError, few

# Here because the command line offers them before torch is loaded; `maps.METHODS` says what each one is.
Method = Literal["relevance", "rollout", "attention"]
DEFAULT: Method = "relevance"  # what the deletion and insertion test chose (benchmarks/explanations.py)


def refuse_label(label: str | None, classes: Collection[str]) -> None:
    """`CorollaError` for a class to explain that the model does not have."""
    if label is not None and label not in classes:
        raise CorollaError(f"the model has no class {label!r}; it knows {few(classes, 20)}")
