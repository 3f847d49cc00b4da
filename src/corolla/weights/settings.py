"""Reads the settings beside a checkpoint of any library: `told` extracts them, or rejects unsupported ones.

A `config.json` of neither timm nor transformers may have any content, such as a training script's. Only keys with
the same meaning in both libraries are read from it.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from corolla.weights.hints import CheckpointHints, check, epsilon_in, number_of_heads, pixels
from corolla.weights.timm_settings import POOLINGS, is_timms, told_by_timm
from corolla.weights.transformers_settings import is_transformers, told_by_transformers

SOMEBODY = "the library that it comes from"
ONLY: dict[str, Collection[Any]] = {
    "hidden_act": ("gelu",),
    "act_layer": ("gelu",),
    "global_pool": tuple(POOLINGS),
    "qk_norm": (False,),
    "pre_norm": (False,),
}


def told(settings: Mapping[str, Any], heads: int | None = None) -> CheckpointHints:
    """The settings, with `heads` replacing theirs if given; ValueError for an unsupported one."""
    if is_timms(settings):
        found = told_by_timm(settings)
    elif is_transformers(settings):
        found = told_by_transformers(settings)
    else:
        found = told_by_anybody(settings)
    return found if heads is None else replace(found, num_heads=heads)


def told_by_anybody(settings: Mapping[str, Any]) -> CheckpointHints:
    """The settings of a handwritten file or of the checkpoint itself."""
    check(settings, ONLY, SOMEBODY)
    heads = (number_of_heads(settings, key) for key in ("num_heads", "num_attention_heads"))
    sizes = (pixels(settings.get(key)) for key in ("img_size", "image_size"))
    return CheckpointHints(
        num_heads=next((each for each in heads if each is not None), None),
        epsilon=epsilon_in(settings),
        global_pool=POOLINGS.get(settings.get("global_pool", "")),
        image_sizes=tuple(size for size in sizes if size is not None),
    )
