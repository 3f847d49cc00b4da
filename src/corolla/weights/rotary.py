"""Rotary position embeddings in a checkpoint's tensors: what they add to the settings, and the conversion to ours.

No shape shows how queries and keys are rotated, so missing settings are an error, not guessed. The channel pairs
differ, too: ours are half a head apart, rows first; theirs are reordered once, when they are read. The
product of queries and keys is the same in any order.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from corolla.weights.hints import CheckpointHints, Turning

EVAS = re.compile(r"blocks\.\d+\.(attn\.(q_bias|q_proj\.weight|norm\.weight)|mlp\.(fc1_g|norm)\.weight)")
PERIODS = "rope_embed.periods"
ASKED = (
    "nothing beside them says how their queries and keys are rotated; add a config.json that names their "
    'architecture in timm, such as {"architecture": "vit_small_patch16_dinov3"}'
)


def told_by_tensors(theirs: Mapping[str, Tensor], told: CheckpointHints, dialect: str) -> CheckpointHints:
    """The settings in `told`, completed by the tensors' names.

    ValueError if the two contradict each other, or if it is unknown how queries and keys are rotated.
    """
    if dialect.startswith("huggingface-dinov3"):
        if told.turning is None:
            raise ValueError("nothing beside them says how many heads there are; add their config.json")
        return told
    if dialect != "timm":
        if told.turning is not None and told.turning.rotary != "none":
            raise ValueError("its settings have rotary positions, but the names of its tensors do not match")
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


def told_by_periods(theirs: Mapping[str, Tensor], told: CheckpointHints) -> CheckpointHints:
    """The settings of DINOv3's own files, which come without a settings file."""
    periods = theirs[PERIODS]
    turning = Turning("centered", base_of(periods.double().flatten()))
    heads = theirs["patch_embed.proj.weight"].shape[0] // (4 * periods.numel())
    if told.turning not in (None, turning):
        raise ValueError(f"its settings have other rotary positions than its {PERIODS}")
    if told.num_heads not in (None, heads):
        raise ValueError(f"its settings have {told.num_heads} heads, but its {PERIODS} are for {heads}")
    return replace(told, turning=turning, num_heads=heads, epsilon=told.epsilon or 1e-5)


def reordered(tensors: dict[str, Tensor], turning: Turning | None, heads: int) -> dict[str, Tensor]:
    """The tensors with our names, and with the channels of queries and keys in our order."""
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
    """The base of DINOv3's periods (d/4,), which its files round to bfloat16; ValueError if there is none."""
    count = len(periods)
    if count > 1:
        last = min(max(periods[-1].item(), 1.0), 1e9)
        base = float(f"{last ** (count / (count - 1)):.2g}")
        if torch.allclose(periods, base ** (torch.arange(count) / count).double(), rtol=0.01):
            return base
    raise ValueError("their rope_embed.periods are not powers of one base, which this Vision Transformer needs")


def completed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors with zeros for biases that a layer lacks in all blocks, and without bias masks.

    If a layer has its bias only in some blocks, the others are missing, which is reported later.
    """
    tensors = dict(theirs)
    for name in theirs:
        bias = name.removesuffix("_mask")
        if name.endswith(".bias_mask") and bias in tensors:  # DINOv3's keys have no bias, whatever its files contain
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
    # Transformers saves all registers, even none; the periods are no longer needed.
    return {name: tensor for name, tensor in tensors.items() if tensor.numel() and name != "rope_embed.periods"}
