"""The settings of timm's class Eva with rotary positions (EVA-02, DINOv3, RoPE-ViT), and which of them we support.

As in `timm_settings`, an architecture's name implies arguments that no key shows. The relevant ones are in
`ENTRIES`, which `tests/weights/test_rotary.py` compares with timm itself.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corolla.weights.hints import CheckpointHints, Turning, base_in, pixels, refused, shown, whole

LIBRARY = "timm"
HEADS = {
    "tiny": 3, "small": 6, "small_plus": 6, "medium": 8, "mediumd": 8, "betwixt": 10, "base": 12, "large": 16,
    "huge_plus": 20, "giant": 24, "7b": 32,
}  # fmt: skip
SIZE = f"(?P<size>{'|'.join(HEADS)})"


@dataclass(frozen=True)
class Entry:
    """Architectures with the same default arguments."""

    names: str  # a pattern
    pooling: Literal["token", "avg"]
    arguments: dict[str, Any] = field(default_factory=dict)
    epsilon: float = 1e-6  # of the norms


EVA02: dict[str, Any] = {"use_rot_pos_emb": True, "ref_feat_shape": [16, 16]}
DINOV3: dict[str, Any] = {
    "use_rot_pos_emb": True, "rope_type": "dinov3", "rope_temperature": 100.0, "rope_rotate_half": True,
}  # fmt: skip
ROPE_VIT: dict[str, Any] = {"use_rot_pos_emb": True, "rope_temperature": 100.0, "rope_grid_indexing": "xy"}
ENTRIES = (
    Entry(rf"vit_{SIZE}_patch16_dinov3(_qkvb)?", "avg", DINOV3, epsilon=1e-5),  # arXiv 2508.10104
    Entry(rf"vit_{SIZE}_patch16_lingbot", "token", DINOV3, epsilon=1e-5),  # arXiv 2607.05247
    Entry(rf"eva02_{SIZE}_patch14_\d+", "avg", EVA02),  # arXiv 2303.11331
    Entry(rf"eva02_{SIZE}_patch1[46]_clip_\d+", "token", EVA02),  # arXiv 2303.15389
    Entry(rf"vit_{SIZE}_patch16_rope_reg\d_gap_256", "avg", EVA02),
    Entry(rf"vit_{SIZE}_patch16_rope_224", "token", ROPE_VIT),  # arXiv 2403.13298
    Entry(rf"vit_{SIZE}_patch16_rope_ape_224", "token", ROPE_VIT | {"no_embed_class": True}),
    Entry(r"eva_giant_patch14_\d+", "avg", {"num_heads": 16}),  # arXiv 2211.07636, which has no rotary ones
    Entry(r"eva_giant_patch14_clip_224", "token", {"num_heads": 16}),
)

# Visible in the shapes or names of the tensors: a contradicting key does not load in timm, either.
IN_SHAPES = {"patch_size", "num_classes", "embed_dim", "depth", "mlp_ratio", "init_values", "class_token",
             "num_reg_tokens", "qkv_bias", "qkv_fused", "scale_mlp", "scale_attn_inner", "swiglu_align_to",
             "use_abs_pos_emb", "use_fc_norm", "use_post_transformer_norm"}  # fmt: skip
READ = {"global_pool", "img_size", "num_heads", "rope_temperature", "ref_feat_shape"}
EITHER = (True, False)
ONLY: dict[str, Collection[Any]] = {
    "in_chans": (3,),
    "attn_type": ("eva", "rope"),  # which store the biases in other tensors
    "swiglu_mlp": EITHER,
    "no_embed_class": EITHER,
    "use_rot_pos_emb": EITHER,
    "rope_type": ("cat", "dinov3"),
    "rope_grid_indexing": ("ij", "xy"),
    "rope_rotate_half": EITHER,
    "rope_grid_offset": (0.0, 0),
    **dict.fromkeys(("qk_norm", "attn_only_layer_scale", "use_post_norm", "use_pre_transformer_norm"), (False,)),
    **dict.fromkeys(("num_kv_heads", "norm_layer", "rope_mrope_section"), ()),
}
OF_NO_MATTER = {  # for inference: keys of training, and of attention pooling, which is rejected
    "rope_shift_coords", "rope_jitter_coords", "rope_rescale_coords", "head_init_scale", "attn_pool_num_heads",
    "attn_pool_mlp_ratio",
}  # fmt: skip
KNOWN = IN_SHAPES | READ | ONLY.keys() | OF_NO_MATTER


def entry_of(name: Any) -> Entry | None:
    """The entry of an architecture, with the heads of its size in the arguments; None for another architecture."""
    for entry in ENTRIES if isinstance(name, str) else ():
        if found := re.fullmatch(entry.names, name.partition(".")[0]):
            heads = {"num_heads": HEADS[size]} if (size := found.groupdict().get("size")) else {}
            return Entry(entry.names, entry.pooling, heads | entry.arguments, entry.epsilon)
    return None


def told_by_eva(arguments: Mapping[str, Any], entry: Entry | None) -> CheckpointHints:
    """The settings of `arguments` on top of those of `entry`; ValueError for an unsupported one."""
    merged = (entry.arguments if entry else {}) | dict(arguments)
    gated, apart = merged.get("swiglu_mlp"), merged.get("no_embed_class", False if entry else None)
    return CheckpointHints(
        num_heads=merged.get("num_heads"),
        epsilon=entry.epsilon if entry else None,
        activation=None if gated is None else "swiglu" if gated else "gelu",
        class_position=None if apart is None else not apart,
        turning=turning_in(merged),
        shapes=whole(arguments, {"depth": "depth", "embed_dim": "embed_dim", "patch_size": "patch_size"}),
    )


def turning_in(arguments: Mapping[str, Any]) -> Turning:
    """How queries and keys are rotated."""
    if not arguments.get("use_rot_pos_emb"):
        return Turning()
    kind, indexing = arguments.get("rope_type", "cat"), arguments.get("rope_grid_indexing", "ij")
    for key, value in (("rope_type", kind), ("rope_grid_indexing", indexing)):
        if value is None:  # the default elsewhere, but not valid here
            raise refused(f"model_args.{key}", value, " or ".join(shown(each) for each in ONLY[key]), LIBRARY)
    base = base_in(arguments, "rope_temperature", 10_000.0, "model_args.")
    order = {"neighbors": not arguments.get("rope_rotate_half"), "columns_first": indexing == "xy"}
    if kind == "dinov3":
        return Turning("centered", base, None, **order)
    reference = arguments.get("ref_feat_shape")
    grid = pixels(reference)
    if reference is not None and grid is None:
        raise ValueError(f"its model_args.ref_feat_shape is {shown(reference)}; it should be one or two integers")
    return Turning("counted", base, grid, **order)
