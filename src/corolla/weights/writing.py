"""Writes our Vision Transformer to a folder for another library, with that library's names and settings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corolla.atomic import refuse_occupied, write_json
from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import sincos_pos_embed
from corolla.paths import AnyPath, at
from corolla.tensors import write_tensors
from corolla.weights import bridging
from corolla.weights import parity as proof
from corolla.weights.formats import (
    GOOGLE,
    HUGGING_FACE_DEIT,
    HUGGING_FACE_DINOV2,
    HUGGING_FACE_REGISTERS,
    HUGGING_FACE_VIT,
    TIMM,
    TORCHVISION,
    CheckpointFormat,
)
from corolla.weights.google import write_npz
from corolla.weights.images import said_by_hugging_face, to_hugging_face, to_timm
from corolla.weights.loading import HEADS, Weights, read_weights
from corolla.weights.renaming import Row, to_theirs
from corolla.weights.rotary_writing import for_dinov3, for_eva, is_evas
from corolla.weights.targets import BOTH, POOLINGS, Target, timm_arguments, timm_settings

OURS = CheckpointFormat("corolla", "", ())  # for the bridges
TOLERANCE = 1e-5  # of the largest output: the possible effect of another order of summation


@dataclass(frozen=True)
class Written:
    """A folder that was written and read back."""

    difference: float  # the largest difference of an output, relative to the largest output
    needs: str | None = None  # the module to import before its library can load it
    notes: tuple[str, ...] = ()  # a line for each library: verified, or why not

    def lines(self, out: object, source: object, to: str) -> tuple[str, ...]:
        """The results of the verification of `out`, written from `source` for `to`."""
        difference = f"{self.difference:.1e} of the largest at most"
        proved = f"{out}: read back, its outputs differ from those of {source} by {difference}"
        needs = (f"{to} cannot represent this model; load it after `import {self.needs}`",) if self.needs else ()
        return (proved, *needs, *self.notes)


def write_weights(weights: Weights, out: AnyPath, to: str) -> Written:
    """Write `weights` in the format `to` into the folder `out`, which should not exist or be empty.

    `model.safetensors` (for `google` `model.npz`) has the tensors, `config.json` and `preprocessor_config.json` what
    `timm` and `huggingface` need besides. What these two cannot represent, such as a convolutional stem, is written
    for `corolla.bridges`; other formats raise `CorollaError`, and nothing is written. The folder is read
    back and run; raises `CorollaError` if its outputs differ by more than `TOLERANCE`. If installed, the library that
    `weights` come from and the one that they are for also compute their outputs, each from the settings as it
    reads them (`corolla.weights.parity`); the notes say which did.
    """
    out = at(out)
    if to not in WRITERS:
        raise CorollaError(f"cannot write {to!r}; choose one of {', '.join(WRITERS)}")
    refuse_occupied(out)
    target, tensors = translated(weights, to)
    if target.faults and to in bridging.MODULES and weights.has_head:
        target = Target(OURS, [], bridging.settings_for(to, weights.config))
        tensors = {bridging.PREFIX[to] + name: tensor for name, tensor in weights.tensors.items()}
    if target.faults:
        raise CorollaError(f"{to} cannot represent {', '.join(target.faults)} of {weights.source}; nothing was written")
    notes = proof.of_source(weights)
    if target.dialect is GOOGLE:
        write_npz(out / "model.npz", tensors, weights.config.num_heads)
    else:
        write_tensors(tensors, out / "model.safetensors", {"format": "pt"})
    for name, settings in beside(target, weights).items():
        write_json(out / name, settings)
    needs = bridging.MODULES[to] if target.dialect is OURS else None
    difference = proved(weights, out)
    notes += proof.of_written(weights, out, to, needs)
    if to == "huggingface" and weights.preprocessing is not None and not said_by_hugging_face(weights.preprocessing):
        notes += ("transformers cannot represent the largest crop of this shape; it squashes images of another shape",)
    return Written(difference, needs, notes)


def translated(weights: Weights, to: str) -> tuple[Target, dict[str, Tensor]]:
    """The settings and tensors in the target format; the target's faults list what it cannot represent."""
    tensors, config = with_positions(weights), weights.config
    target = WRITERS[to](config, tensors, weights.has_head)
    named = to_theirs(tensors, target.dialect.table, config.activation)
    target.faults.extend(["a convolutional stem"] if config.stem else [])
    target.faults.extend([] if target.faults else named.unknown[:3])
    ours = {name: tensor for name, tensor in tensors.items() if name.startswith(HEADS)}
    heads = to_theirs(ours, target.dialect.table, config.activation).tensors
    prefix = target.dialect.prefix if heads else ""
    return target, {name if name in heads else prefix + name: tensor for name, tensor in named.tensors.items()}


def beside(target: Target, weights: Weights) -> dict[str, dict[str, Any]]:
    """The settings files by name."""
    if target.settings is None:
        return {}
    settings = dict(target.settings)
    files = {"config.json": settings}
    timms = "pretrained_cfg" in settings
    if weights.has_head and timms and weights.classes:
        settings["label_names"] = list(weights.classes)
    elif weights.has_head and not timms:
        names = weights.classes or [f"LABEL_{number}" for number in range(weights.config.num_classes)]
        settings["id2label"] = {str(number): name for number, name in enumerate(names)}
        settings["label2id"] = {name: number for number, name in enumerate(names)}
    if weights.preprocessing is not None and timms:
        settings["pretrained_cfg"] |= to_timm(weights.preprocessing)
    elif weights.preprocessing is not None:
        files["preprocessor_config.json"] = to_hugging_face(weights.preprocessing)
    return files


@torch.inference_mode()
def proved(weights: Weights, out: Path) -> float:
    """The difference of the outputs after reading `out` back; `CorollaError` if it is more than rounding."""
    file = out / "model.npz" if (out / "model.npz").is_file() else out
    again = read_weights(file, heads=weights.config.num_heads)
    images = torch.randn(2, 3, *weights.config.image_size, generator=torch.Generator().manual_seed(0))
    seen = [each.model(None if weights.has_head else 1).forward_intermediates(images) for each in (weights, again)]
    answers = [each.logits if weights.has_head else each.pooled for each in seen]  # a new head's logits are all zeros
    difference = float((answers[0] - answers[1]).abs().max() / answers[0].abs().max().clamp_min(1e-30))
    if not difference <= TOLERANCE:
        raise CorollaError(f"{out} predicts differently from {weights.source}, by {difference:.1e}; do not use it")
    return difference


def with_positions(weights: Weights) -> dict[str, Tensor]:
    """The tensors, with the fixed positions as a tensor if there are no learned ones."""
    config, tensors = weights.config, dict(weights.tensors)
    if config.pos_embed == "sincos":
        grid = config.grid(config.image_size)
        own = torch.zeros(1, ("token" in config.global_pool) + config.distilled, config.embed_dim)
        tensors["pos_embed"] = torch.cat([own, sincos_pos_embed(grid, grid, config.embed_dim)], dim=1)
    return tensors


def for_timm(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """A `VisionTransformer` of timm, for `timm.create_model("local-dir:FOLDER", pretrained=True)`."""
    if is_evas(config):
        return for_eva(config, tensors, has_head)
    arguments = timm_arguments(config) | {"fc_norm": config.norm_after_pooling}
    dialect = replace(TIMM, table=(Row("fc_norm.{}", "norm.{}"), *TIMM.table)) if config.norm_after_pooling else TIMM
    faults = [BOTH] if config.global_pool == "token+avg" else []
    faults += [] if config.norm_eps == 1e-6 else [f"norms with an epsilon of {config.norm_eps:g}"]
    base = "deit_base_distilled_patch16_224" if config.distilled else "vit_base_patch16_224"
    if config.activation == "swiglu":  # only this timm architecture has the MLP; all its sizes are overridden
        base = "vit_giant_patch14_dinov2"
        arguments["mlp_ratio"] *= 2
        faults += ["a distillation token beside a SwiGLU"] if config.distilled else []
    if config.layer_scale is not None:
        arguments["init_values"] = config.layer_scale
    if config.num_reg_tokens:
        # timm requires positions for the registers, too, or for no prefix token.
        arguments |= {"reg_tokens": config.num_reg_tokens, "no_embed_class": True}
        if config.global_pool == "token":
            tensors["cls_token"] = tensors["cls_token"] + tensors["pos_embed"][:, :1]
            tensors["pos_embed"] = tensors["pos_embed"][:, 1:]
    if config.distilled:
        faults += ["registers beside a distillation token"] if config.num_reg_tokens else []
        for name in ("class_token", "global_pool", "fc_norm"):
            del arguments[name]
    return Target(dialect, faults, timm_settings(base, config, arguments, has_head))


def for_torchvision(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """A state dict for torchvision's `VisionTransformer`, which has no settings file."""
    faults = {
        "an image that is not square": config.image_size[0] != config.image_size[1],
        POOLINGS[config.global_pool]: config.global_pool != "token",
        "SwiGLU": config.activation == "swiglu",
        "rotary positions": config.rotary != "none",
        "norms inside the blocks' branches": config.norm_in_attention or config.norm_in_mlp,
        f"norms with an epsilon of {config.norm_eps:g}": config.norm_eps != 1e-6,
        "no head": not has_head,
    }
    return Target(TORCHVISION, [fault for fault, there in faults.items() if there], None)


def for_google(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """A `.npz` in the format of the paper's code."""
    return replace(for_torchvision(config, tensors, True), dialect=GOOGLE)


def for_hugging_face(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """A folder for `AutoModelForImageClassification.from_pretrained`, or `AutoModel` where there is no head."""
    if is_evas(config):
        return for_dinov3(config, tensors, has_head)
    settings: dict[str, Any] = {
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.mlp_dim,
        "image_size": list(config.image_size) if len(set(config.image_size)) == 2 else config.image_size[0],
        "patch_size": config.patch_size,
        "layer_norm_eps": config.norm_eps,
        "hidden_act": "gelu",
        "qkv_bias": True,
    }
    faults = [POOLINGS[config.global_pool]] if config.global_pool != "token" else []
    if config.distilled:
        name = "DeiTForImageClassificationWithTeacher" if has_head else "DeiTModel"
        return Target(HUGGING_FACE_DEIT, faults, settings | {"model_type": "deit", "architectures": [name]})
    if config.layer_scale is None:
        faults += ["registers without LayerScale"] if config.num_reg_tokens else []
        name = "ViTForImageClassification" if has_head else "ViTModel"
        return Target(HUGGING_FACE_VIT, faults, settings | {"model_type": "vit", "architectures": [name]})
    faults = faults if config.global_pool == "avg" else []
    if has_head and config.global_pool == "token":  # the head also reads the patches' mean; here with zero weights
        tensors["head.weight"] = torch.cat([tensors["head.weight"], torch.zeros_like(tensors["head.weight"])], dim=1)
    gated = config.activation == "swiglu"
    if gated and config.mlp_dim % 8:
        faults.append(f"a SwiGLU {config.mlp_dim} wide")
    ratio = (
        config.mlp_dim * (1.5 if gated else 1) / config.embed_dim
    )  # its gated MLP has two thirds of the configured width
    name = (
        f"Dinov2{'WithRegisters' if config.num_reg_tokens else ''}{'ForImageClassification' if has_head else 'Model'}"
    )
    settings |= {
        "model_type": "dinov2_with_registers" if config.num_reg_tokens else "dinov2",
        "architectures": [name],
        "mlp_ratio": int(ratio) if ratio == int(ratio) else ratio,
        "use_swiglu_ffn": gated,
        "layerscale_value": config.layer_scale,
    }
    if config.num_reg_tokens:
        settings["num_register_tokens"] = config.num_reg_tokens
    return Target(HUGGING_FACE_REGISTERS if config.num_reg_tokens else HUGGING_FACE_DINOV2, faults, settings)


WRITERS: dict[str, Callable[[ViTConfig, dict[str, Tensor], bool], Target]] = {
    "timm": for_timm,
    "huggingface": for_hugging_face,
    "torchvision": for_torchvision,
    "google": for_google,
}
