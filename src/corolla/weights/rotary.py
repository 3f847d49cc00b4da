"""What checkpoints say of their rotary positions: in timm by the architecture's name, in transformers by the settings.

No shape tells how queries and keys are turned, so what is not told is refused, not guessed. Which channels make a pair
differs too: ours are half a head apart, rows first; theirs are put in that order once, when they are read, and a
product of queries and keys is the same in any order.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from corolla.configuration import Rotary

HEADS = {
    "tiny": 3, "small": 6, "small_plus": 6, "medium": 8, "mediumd": 8, "betwixt": 10, "base": 12, "large": 16,
    "huge_plus": 20, "giant": 24, "7b": 32,
}  # fmt: skip
EVA02: dict[str, Any] = {"use_rot_pos_emb": True, "ref_feat_shape": (16, 16)}
DINOV3: dict[str, Any] = {
    "use_rot_pos_emb": True, "rope_type": "dinov3", "rope_temperature": 100.0, "rope_rotate_half": True,
    "layer_norm_eps": 1e-5,
}  # fmt: skip
ROPE_VIT: dict[str, Any] = {"use_rot_pos_emb": True, "rope_temperature": 100.0, "rope_grid_indexing": "xy"}
# timm's architectures of its class Eva, and the arguments that they begin with.
TIMMS: tuple[tuple[str, dict[str, Any]], ...] = (
    (r"vit_(?P<size>\w+)_patch16_dinov3(_qkvb)?", DINOV3 | {"global_pool": "avg"}),  # arXiv 2508.10104
    (r"vit_(?P<size>\w+)_patch16_lingbot", DINOV3 | {"global_pool": "token"}),  # arXiv 2607.05247
    (r"eva02_(?P<size>tiny|small|base|large)_patch14_\d+", EVA02 | {"global_pool": "avg"}),  # arXiv 2303.11331
    (r"eva02_(?P<size>base|large)_patch1[46]_clip_\d+", EVA02 | {"global_pool": "token"}),  # arXiv 2303.15389
    (r"vit_(?P<size>\w+)_patch16_rope_reg\d_gap_256", EVA02 | {"global_pool": "avg"}),
    (r"vit_(?P<size>\w+)_patch16_rope(_ape)?_224", ROPE_VIT | {"global_pool": "token"}),  # arXiv 2403.13298
    (r"vit_(?P<size>\w+)_patch16_rope_mixed(_ape)?_224", ROPE_VIT | {"rope_type": "mixed"}),
    (r"eva_giant_patch14_\d+", {"num_heads": 16, "global_pool": "avg"}),  # arXiv 2211.07636, which has no rotary ones
    (r"eva_giant_patch14_clip_224", {"num_heads": 16, "global_pool": "token"}),
    (r"eva02_enormous_patch14_clip_224", {"num_heads": 16, "use_post_norm": True}),
)
UNREAD = {  # arguments that change the answer and no tensor, where they have another value than this
    "use_post_norm": False, "rope_grid_offset": 0.0, "rope_mrope_section": None,
}  # fmt: skip
EVAS = re.compile(r"blocks\.\d+\.(attn\.(q_bias|q_proj\.weight|norm\.weight)|mlp\.(fc1_g|norm)\.weight)")
ASKED = (
    "nothing beside them says how their queries and keys are turned; put a config.json there that names their "
    'architecture in timm, such as {"architecture": "vit_small_patch16_dinov3"}'
)


@dataclass(frozen=True)
class Turning:
    """How a checkpoint's queries and keys are turned; the first three are fields of `ViTConfig`."""

    rotary: Rotary
    rotary_base: float
    rotary_grid: tuple[int, int] | None = None
    neighbours: bool = False  # a pair is two channels side by side, and not half a head apart
    columns_first: bool = False  # the first half of the pairs turns with the column

    def reordered(self, tensors: dict[str, Tensor], heads: int) -> dict[str, Tensor]:
        """The tensors, named our way, with the channels of queries and keys in our order."""
        if not self.neighbours and not self.columns_first:
            return tensors

        def ordered(joined: Tensor) -> Tensor:
            queries, keys, values = joined.unflatten(0, (3, heads, -1)).unbind()  # type: ignore[no-untyped-call]
            width = queries.shape[1]
            order = torch.arange(width)
            if self.neighbours:
                order = order.view(-1, 2).T.flatten()
            if self.columns_first:
                order = order.view(2, 2, -1).flip(1).flatten()
            return torch.stack([queries[:, order], keys[:, order], values]).flatten(0, 2)

        return {name: ordered(each) if ".attention.qkv." in name else each for name, each in tensors.items()}


def begun(settings: dict[str, Any]) -> dict[str, Any] | None:
    """What the architecture that timm's settings name begins with; None for one that is not among `TIMMS`."""
    name = str(settings.get("architecture"))
    for known, arguments in TIMMS:
        if found := re.fullmatch(known, name):
            size = found.groupdict().get("size")
            return ({"num_heads": HEADS[size]} if size in HEADS else {}) | arguments
    return None


def turning_of(
    theirs: dict[str, Tensor], settings: dict[str, Any], dialect: str
) -> tuple[Turning | None, dict[str, Any]]:
    """How queries and keys of `theirs` are turned, None if they are not, and the settings with what else that tells.

    ValueError if nothing tells how, or if it is a way that our model has not.
    """
    if dialect.startswith("huggingface-dinov3"):
        return of_transformers(settings, gated=dialect.endswith("gated")), {"layer_norm_eps": 1e-5} | settings
    if dialect != "timm":
        return None, settings
    periods = theirs.get("rope_embed.periods")  # DINOv3's own files, which have no settings
    if periods is not None:
        turning = Turning("centered", base_of(periods.double().flatten()))
        heads = theirs["patch_embed.proj.weight"].shape[0] // (4 * periods.numel())
        return turning, {"num_attention_heads": heads, "layer_norm_eps": 1e-5} | settings
    beginning, told = begun(settings), settings.get("model_args")
    arguments = (beginning or {}) | (told if isinstance(told, dict) else {})
    unnamed = beginning is None and "use_rot_pos_emb" not in arguments
    if unnamed and "pos_embed" not in theirs:
        raise ValueError(f"they lack learned positions, and {ASKED}")
    if unnamed and any(EVAS.fullmatch(name) for name in theirs):
        raise ValueError(ASKED)
    for name, usual in UNREAD.items():
        if arguments.get(name, usual) != usual:
            raise ValueError(f"{name} is {arguments[name]!r}, which this Vision Transformer has not")
    return of_timm(arguments), settings | {"model_args": arguments}


def of_timm(arguments: dict[str, Any]) -> Turning | None:
    """By the arguments of timm's class Eva."""
    if not arguments.get("use_rot_pos_emb"):
        return None
    kind, base = arguments.get("rope_type", "cat"), float(arguments.get("rope_temperature", 10_000.0))
    halves, columns_first = arguments.get("rope_rotate_half", False), arguments.get("rope_grid_indexing", "ij") == "xy"
    if kind == "dinov3":
        return Turning("centered", base, None, not halves, columns_first)
    if kind != "cat":
        raise ValueError(f"rope_type is {kind!r}, which this Vision Transformer has not; it has 'cat' and 'dinov3'")
    reference = arguments.get("ref_feat_shape")
    grid = (reference, reference) if isinstance(reference, int) else reference and tuple(reference)
    return Turning("counted", base, grid or None, not halves, columns_first)


def of_transformers(settings: dict[str, Any], gated: bool) -> Turning:
    """By the config.json of transformers' DINOv3."""
    if "num_attention_heads" not in settings:
        raise ValueError("nothing beside them says how many heads there are; put their config.json there")
    activation, wanted = settings.get("hidden_act", "gelu"), "silu" if gated else "gelu"
    if activation != wanted:
        raise ValueError(f"hidden_act is {activation!r}; this Vision Transformer has {wanted!r} in such an MLP")
    return Turning("centered", float(settings.get("rope_theta", 100.0)))


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
