"""Rotary positions in a checkpoint's tensors: what these tell besides the settings, and how they are put our way.

No shape tells how queries and keys are turned, so what is not told is refused, not guessed. Which channels make a pair
differs too: ours are half a head apart, rows first; theirs are put in that order once, when they are read, and a
product of queries and keys is the same in any order.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from corolla.weights.told import Told, Turning

EVAS = re.compile(r"blocks\.\d+\.(attn\.(q_bias|q_proj\.weight|norm\.weight)|mlp\.(fc1_g|norm)\.weight)")
PERIODS = "rope_embed.periods"
ASKED = (
    "nothing beside them says how their queries and keys are turned; put a config.json there that names their "
    'architecture in timm, such as {"architecture": "vit_small_patch16_dinov3"}'
)


def told_by_tensors(theirs: Mapping[str, Tensor], told: Told, dialect: str) -> Told:
    """What the settings have `told`, and what tensors of these names tell besides.

    ValueError if the two contradict each other, or if nothing tells how queries and keys are turned that may be.
    """
    if dialect.startswith("huggingface-dinov3"):
        if told.turning is None:
            raise ValueError("nothing beside them says how many heads there are; put their config.json there")
        return told
    if dialect != "timm":
        if told.turning is not None and told.turning.rotary != "none":
            raise ValueError("its settings tell of rotary positions, and its tensors have the names of others")
        return told
    signs = [name for name in theirs if name == PERIODS or EVAS.fullmatch(name)]
    if told.plain and (signs or "pos_embed" not in theirs):
        found = f"have {signs[0]}" if signs else "lack learned positions"
        raise ValueError(f"its settings name a Vision Transformer without rotary positions, and its tensors {found}")
    if PERIODS in theirs:
        return told_by_periods(theirs, told)
    if told.turning is None and "pos_embed" not in theirs:
        raise ValueError(f"they lack learned positions, and {ASKED}")
    if told.turning is None and signs:
        raise ValueError(ASKED)
    return told


def told_by_periods(theirs: Mapping[str, Tensor], told: Told) -> Told:
    """What DINOv3's own files tell, which come without settings."""
    periods = theirs[PERIODS]
    turning = Turning("centered", base_of(periods.double().flatten()))
    heads = theirs["patch_embed.proj.weight"].shape[0] // (4 * periods.numel())
    if told.turning not in (None, turning):
        raise ValueError(f"its settings tell of other rotary positions than its {PERIODS}")
    if told.num_heads not in (None, heads):
        raise ValueError(f"its settings tell of {told.num_heads} heads, and its {PERIODS} of {heads}")
    return replace(told, turning=turning, num_heads=heads, epsilon=told.epsilon or 1e-5)


def reordered(tensors: dict[str, Tensor], turning: Turning | None, heads: int) -> dict[str, Tensor]:
    """The tensors, named our way, with the channels of queries and keys in our order."""
    if turning is None or not (turning.neighbors or turning.columns_first):
        return tensors

    def ordered(joined: Tensor) -> Tensor:
        queries, keys, values = joined.unflatten(0, (3, heads, -1)).unbind()  # type: ignore[no-untyped-call]
        width = queries.shape[1]
        order = torch.arange(width)
        if turning.neighbors:
            order = order.view(-1, 2).T.flatten()
        if turning.columns_first:
            order = order.view(2, 2, -1).flip(1).flatten()
        return torch.stack([queries[:, order], keys[:, order], values]).flatten(0, 2)

    return {name: ordered(each) if ".attn.qkv." in name else each for name, each in tensors.items()}


def base_of(periods: Tensor) -> float:
    """The base whose powers DINOv3's periods (d/4,) are, rounded to bfloat16 in its files; ValueError if none is."""
    count = len(periods)
    if count > 1:
        last = min(max(periods[-1].item(), 1.0), 1e9)
        base = float(f"{last ** (count / (count - 1)):.2g}")
        if torch.allclose(periods, base ** (torch.arange(count) / count).double(), rtol=0.01):
            return base
    raise ValueError("their rope_embed.periods are no powers of one base, which this Vision Transformer needs")


def completed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors with zeros for the biases that a layer has in no block, and without what only masks one.

    A layer that has its bias in some blocks has lost the others, which is told where they are missed.
    """
    tensors = dict(theirs)
    for name in theirs:
        bias = name.removesuffix("_mask")
        if name.endswith(".bias_mask") and bias in tensors:  # DINOv3's keys have none, whatever its files hold there
            tensors[bias] = torch.where(tensors.pop(name) == 1, tensors[bias], torch.zeros_like(tensors[bias]))
    for name in [*tensors]:
        if name.endswith(".attn.q_bias"):
            tensors.setdefault(name.replace("q_bias", "k_bias"), torch.zeros_like(tensors[name]))
    layers: defaultdict[str, set[str]] = defaultdict(set)
    for name, tensor in tensors.items():
        if re.search(r"\.\d+\.", name) and name.endswith(".weight") and tensor.ndim == 2:
            layers[re.sub(r"\.\d+\.", ".{}.", name, count=1)].add(name.removesuffix(".weight"))
    for places in layers.values():
        names = {f"{place}.bias" for place in places} | {place.replace(".qkv", ".q_bias") for place in places}
        if not names & tensors.keys():
            tensors |= {f"{place}.bias": torch.zeros_like(tensors[f"{place}.weight"][:, 0]) for place in places}
    # Transformers keeps as many registers as there are, be it none; the periods have told what they can.
    return {name: tensor for name, tensor in tensors.items() if tensor.numel() and name != "rope_embed.periods"}
