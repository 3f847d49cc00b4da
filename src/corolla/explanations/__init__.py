"""Why the model answered so: maps of what it looked at, held against what happens when that is taken away.

`maps` is the way in. `rollout`, `relevance` and `heads` are read beside their papers, `deletion` measures them, and
`overlay` and `embeddings` make pictures.
"""

from typing import Literal

# Here because the command line offers them before torch is loaded; `maps.METHODS` says what each one is.
Method = Literal["relevance", "rollout", "attention"]
DEFAULT: Method = "relevance"  # what the deletion and insertion test chose (benchmarks/explanations.py)
