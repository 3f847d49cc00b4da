"""timm's `config.json`: which settings change the model, which values we support, and which keys do not matter.

timm builds the architecture named `architecture`, with `model_args` over its default arguments. So the name implies a
lot that no key shows (`vit_large_patch16_siglip_gap_512` has another GELU); those in `ARCHITECTURES` are built as ours
is, which `tests/weights/test_timm_settings.py` checks with timm itself. Those with rotary positions are in `timm_eva`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

from corolla.weights import timm_eva
from corolla.weights.hints import CheckpointHints, check, number_of_heads, pixels, refused, unknown, whole

LIBRARY = "timm"
ARCHITECTURES = re.compile(
    r"deit_(tiny|small|base)(_distilled)?_patch16_\d+"
    r"|deit3_(small|medium|base|large|huge)_patch1[46]_\d+"
    r"|eva_large_patch14_\d+"
    r"|flexivit_(small|base|large)"
    r"|vit_(tiny|small|base|large|huge|giant|gigantic)_patch\d+_\d+(_miil)?(_in21k|_dino)?"
    r"|vit_base_patch(16|32)_plus_\d+"
    r"|vit_small_patch16_36x1_224"
    r"|vit_(small|base|large|giant)_patch14(_reg4)?_dinov2"
    r"|vit_(base|large|giant|so400m)_patch14_reg1_tipsv2"
    r"|vit_(wee|little|medium|mediumd|betwixt|huge|giant|so150m|so150m2)_patch1[46](_reg\d)?_gap_\d+|vit_base_patch16_reg4_gap_256"
    r"|vit_base_patch16_siglip_gap_\d+|vit_large_patch16_siglip_gap_(256|384)|vit_so400m_patch14_siglip_gap_\d+"
)
MEAN = re.compile(r"_gap_|^eva_large")  # architectures whose head reads the mean of the patches
NO_CLASS_POSITION = re.compile(r"^deit3_|^flexivit_|^(?!vit_so150m).*_reg\d_")
POOLINGS: dict[str, Literal["token", "avg"]] = {"token": "token", "avg": "avg"}

# Of model_args. Visible in the shapes: a contradicting key does not load in timm, either.
IN_SHAPES = {"patch_size", "num_classes", "embed_dim", "depth", "mlp_ratio", "init_values", "class_token", "reg_tokens",
             "fc_norm"}  # fmt: skip
READ = {"global_pool", "img_size", "num_heads", "no_embed_class", "act_layer", "qkv_bias"}
ONLY: dict[str, Collection[Any]] = {
    "act_layer": ("gelu", "silu", "swish"),  # the last two in a gated MLP, which its shape shows
    "norm_layer": ("layernorm", "layernormfp32"),
    "in_chans": (3,),
    "qkv_bias": (True, False),
    "proj_bias": (True,),
    "qk_norm": (False,),
    "scale_attn_norm": (False,),
    "scale_mlp_norm": (False,),
    "pos_embed": ("learn",),
    "pre_norm": (False,),
    "final_norm": (True,),
    "pool_include_prefix": (False,),
    "use_naflex": (False,),
    "features_only": (False,),
    "no_embed_class": (True, False),
    **dict.fromkeys(("embed_layer", "embed_norm_layer", "block_fn", "mlp_layer", "attn_layer"), ()),
}
OF_NO_MATTER = {  # for inference on images whose sides are multiples of the patch size
    "dynamic_img_size", "dynamic_img_pad", "strict_img_size", "drop_rate", "pos_drop_rate", "patch_drop_rate",
    "proj_drop_rate", "attn_drop_rate", "drop_path_rate", "weight_init", "fix_init", "device", "dtype", "scriptable",
    "exportable", "no_jit", "pretrained", "pretrained_strict", "cache_dir", "out_indices",
}  # fmt: skip
PRETRAINED_ONLY: dict[str, Collection[Any]] = {"label_offset": (0,)}  # by which timm drops the head's first rows
PRETRAINED = {
    # preprocessing: corolla.weights.images
    "input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std",
    # for other image sizes
    "test_input_size", "test_crop_pct", "test_pool_size", "min_input_size", "fixed_input_size", "pool_size",
    # source and name
    "url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture", "tag", "custom_load",
    "num_classes", "num_features", "label_names", "labels", "label_descriptions", "first_conv", "classifier",
    "license", "description", "origin_url", "paper_name", "paper_ids", "notes", "global_pool",
}  # fmt: skip


def is_timms(settings: Mapping[str, Any]) -> bool:
    """Whether a `config.json` is from timm."""
    return isinstance(settings.get("architecture"), str) or any(
        isinstance(settings.get(key), dict) for key in ("pretrained_cfg", "model_args")
    )


def told_by_timm(settings: Mapping[str, Any]) -> CheckpointHints:
    """timm's settings; ValueError with the name of an unsupported one. timm itself reads no other keys."""
    arguments, pretrained = part(settings, "model_args"), part(settings, "pretrained_cfg")
    name = settings.get("architecture")
    entry = timm_eva.entry_of(name)
    if isinstance(name, str) and not entry and not ARCHITECTURES.fullmatch(name.partition(".")[0]):
        known = "plain ViTs such as vit_base_patch16_224 and rotary ones such as vit_small_patch16_dinov3"
        raise refused("architecture", name, known, LIBRARY)
    evas = entry is not None or (not isinstance(name, str) and "use_rot_pos_emb" in arguments)
    only, known_keys = (timm_eva.ONLY, timm_eva.KNOWN) if evas else (ONLY, ONLY.keys() | IN_SHAPES | READ)
    check(arguments, only, LIBRARY, "model_args.")
    check(pretrained, PRETRAINED_ONLY, LIBRARY, "pretrained_cfg.")
    for key in sorted(arguments.keys() - known_keys - OF_NO_MATTER):
        raise unknown(f"model_args.{key}", arguments[key], LIBRARY)
    for key in sorted(pretrained.keys() - PRETRAINED_ONLY.keys() - PRETRAINED):
        raise unknown(f"pretrained_cfg.{key}", pretrained[key], LIBRARY)
    found = timm_eva.told_by_eva(arguments, entry) if evas else told_by_plain(arguments, name)
    input_size = pretrained.get("input_size")
    sizes = [
        *(where.get(key) for where in (arguments, settings) for key in ("img_size", "image_size")),
        input_size[1:] if isinstance(input_size, list) else None,
    ]
    heads = (
        number_of_heads(where, key) for where in (arguments, settings) for key in ("num_heads", "num_attention_heads")
    )
    built = arguments.get("global_pool", built_with(name, entry, pretrained.get("global_pool")))
    return replace(
        found,
        num_heads=next((each for each in heads if each is not None), found.num_heads),
        global_pool=global_pool_in(settings, built),
        image_sizes=tuple(size for each in sizes if (size := pixels(each)) is not None),
    )


def told_by_plain(arguments: Mapping[str, Any], name: Any) -> CheckpointHints:
    """The settings in the arguments of timm's class VisionTransformer, for the architecture `name` if there is one."""
    act, positions = arguments.get("act_layer"), arguments.get("no_embed_class")
    if positions is None and isinstance(name, str):
        positions = bool(NO_CLASS_POSITION.search(name))
    return CheckpointHints(
        activation=None if act is None else "gelu" if act == "gelu" else "swiglu",
        class_position=None if positions is None else not positions,
        without_biases=isinstance(name, str) or arguments.get("qkv_bias") is False,
        plain=isinstance(name, str),
        shapes=whole(arguments, {"depth": "depth", "embed_dim": "embed_dim", "patch_size": "patch_size"}),
    )


def built_with(name: Any, entry: timm_eva.Entry | None, pretrained: Any) -> Any:
    """The default pooling if no argument sets it; None without a name.

    `pretrained` is the value in `pretrained_cfg`, which applies if the architecture itself has none.
    """
    if pretrained is None or (entry is not None and entry.pooling == "token"):
        if entry is not None:
            return entry.pooling
        return ("avg" if MEAN.search(name) else "token") if isinstance(name, str) else None
    return pretrained


def global_pool_in(settings: Mapping[str, Any], built: Any) -> Literal["token", "avg"] | None:
    """The pooling as timm has `built` it; timm ignores a top-level `global_pool`, which may contradict it."""
    remark = settings.get("global_pool")
    said = remark if built is None else built
    if said == "" and settings.get("num_classes") == 0:
        return None
    for asked in (remark, said):
        if asked is not None and asked not in POOLINGS:
            raise refused("global_pool", asked, '"token" or "avg"', LIBRARY)
    if remark is not None and remark != said:
        raise ValueError(
            f'its global_pool is "{remark}" at the top level, but timm builds {settings.get("architecture") or "it"} '
            f'with "{said}"; put the right one into model_args'
        )
    return None if said is None else POOLINGS[said]


def part(settings: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The settings under `key`, or {}; timm's first files have only one level, which counts as `pretrained_cfg`."""
    found = settings.get(key)
    if found is None and key == "pretrained_cfg" and isinstance(settings.get("architecture"), str):
        return {name: value for name, value in settings.items() if name in PRETRAINED | PRETRAINED_ONLY.keys()}
    return found if isinstance(found, dict) else {}
