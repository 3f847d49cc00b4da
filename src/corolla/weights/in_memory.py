"""Maps the names of transformers 5 for a model in memory to the names in its saved files.

`save_pretrained` writes the old names; a training script's `torch.save(model.state_dict())` writes those in memory.
"""

import re
from collections.abc import Collection

LAYER = re.compile(r"(?<![^.])layers\.(\d+)\.(?=attention\.|layernorm_before\.|layernorm_after\.|mlp\.)")
MLP = ((".mlp.fc1.", ".intermediate.dense."), (".mlp.fc2.", ".output.dense."))
ATTENTION = {
    ".attention.q_proj.": ".attention.attention.query.",
    ".attention.k_proj.": ".attention.attention.key.",
    ".attention.v_proj.": ".attention.attention.value.",
    ".attention.o_proj.": ".attention.output.dense.",
}
SAVED_LAYER = re.compile(r"(?<![^.])encoder\.layer\.\d+\.")


def as_saved(names: Collection[str]) -> dict[str, str]:
    """The saved name of each of `names`: unchanged unless it is from a model of transformers 5."""
    if not any(".attention.q_proj." in name for name in names):
        return {name: name for name in names}
    papers = any(".layernorm_before." in name for name in names)  # ViT, DeiT and MSN, and not DINOv2
    found = {}
    for name in names:
        saved = LAYER.sub(r"encoder.layer.\1.", name) if papers else name
        if SAVED_LAYER.search(saved):
            for theirs, ours in (*ATTENTION.items(), *(MLP if papers else ())):
                saved = saved.replace(theirs, ours)
        found[name] = saved
    return found
