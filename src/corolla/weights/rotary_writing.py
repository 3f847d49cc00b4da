"""Converts our Vision Transformer with rotary positions to timm's class Eva and to transformers' DINOv3."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from corolla.models.config import ViTConfig
from corolla.weights.formats import HUGGING_FACE_DINOV3, HUGGING_FACE_DINOV3_GATED, TIMM
from corolla.weights.renaming import Row
from corolla.weights.targets import BOTH, POOLINGS, Target, timm_arguments, timm_settings

BASES = {1e-5: "vit_small_patch16_dinov3", 1e-6: "eva02_tiny_patch14_224"}  # timm's, by their norms' epsilon
KINDS = {"centered": "dinov3", "counted": "cat", "none": "cat"}
SCALES = (Row("blocks.{}.gamma_1", "blocks.{}.ls1.gamma"), Row("blocks.{}.gamma_2", "blocks.{}.ls2.gamma"))
APART = (
    Row("blocks.{}.mlp.fc1_g.{}", "blocks.{}.mlp.fc1.{}#0/2", kind="swiglu"),
    Row("blocks.{}.mlp.fc1_x.{}", "blocks.{}.mlp.fc1.{}#1/2", kind="swiglu"),
)  # if a norm follows


def is_evas(config: ViTConfig) -> bool:
    """Whether timm's plain Vision Transformer cannot represent it, but its class Eva may."""
    return config.rotary != "none" or config.norm_in_attention or config.norm_in_mlp


def for_eva(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """An `Eva` of timm: its fused queries, keys and values each have biases, as ours do."""
    faults = {
        BOTH: config.global_pool == "token+avg",
        "a distillation token": config.distilled,
        f"norms with an epsilon of {config.norm_eps:g}": config.norm_eps not in BASES,
    }
    arguments: dict[str, Any] = timm_arguments(config) | {
        "use_fc_norm": config.norm_after_pooling,
        "attn_type": "rope",
        "qkv_fused": True,
        "qkv_bias": True,
        "swiglu_mlp": config.activation == "swiglu",
        "swiglu_align_to": 0,
        "scale_mlp": config.norm_in_mlp,
        "scale_attn_inner": config.norm_in_attention,
        "init_values": config.layer_scale,
        "num_reg_tokens": config.num_reg_tokens,
        "use_abs_pos_emb": config.pos_embed != "none",
        "use_rot_pos_emb": config.rotary != "none",
        "rope_type": KINDS[config.rotary],
        "rope_temperature": config.rotary_base,
        "rope_rotate_half": True,
        "ref_feat_shape": None if config.rotary_grid is None else list(config.rotary_grid),
    }
    if config.num_reg_tokens and config.pos_embed != "none":
        # timm requires positions for the registers, too, or for no prefix token.
        arguments["no_embed_class"] = True
        if config.global_pool == "token":
            tensors["cls_token"] = tensors["cls_token"] + tensors["pos_embed"][:, :1]
            tensors["pos_embed"] = tensors["pos_embed"][:, 1:]
    rows = SCALES + (APART if config.norm_in_mlp else ())
    if config.norm_after_pooling:
        rows = (*rows, Row("fc_norm.{}", "norm.{}"))
    base = BASES.get(config.norm_eps, "")
    settings = timm_settings(base, config, arguments, has_head)
    dialect = replace(TIMM, table=(*rows, *TIMM.table))
    return Target(dialect, [fault for fault, there in faults.items() if there], settings)


def for_dinov3(config: ViTConfig, tensors: dict[str, Tensor], has_head: bool) -> Target:
    """A `DINOv3ViTModel` of transformers, which has no class with a head."""
    faults = {
        POOLINGS[config.global_pool]: config.global_pool != "token",
        "a head on rotary positions": has_head,
        "rotary positions beside added ones": config.pos_embed != "none",
        "rotary positions that are counted": config.rotary != "centered",
        "rotary positions without LayerScale": config.layer_scale is None,
        "norms inside the blocks' branches": config.norm_in_attention or config.norm_in_mlp,
        "a distillation token": config.distilled,
    }
    gated = config.activation == "swiglu"
    tensors["mask_token"] = torch.zeros(1, 1, config.embed_dim)  # which does not affect the outputs
    tensors.setdefault("reg_token", torch.zeros(1, 0, config.embed_dim))
    dialect = HUGGING_FACE_DINOV3_GATED if gated else HUGGING_FACE_DINOV3
    dialect = replace(dialect, table=(*dialect.table, Row("embeddings.mask_token", "mask_token")))
    settings: dict[str, Any] = {
        "model_type": "dinov3_vit",
        "architectures": ["DINOv3ViTModel"],
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.mlp_dim,
        "image_size": config.image_size[0] if len(set(config.image_size)) == 1 else list(config.image_size),
        "patch_size": config.patch_size,
        "layer_norm_eps": config.norm_eps,
        "layerscale_value": config.layer_scale,
        "rope_theta": config.rotary_base,
        "num_register_tokens": config.num_reg_tokens,
        "use_gated_mlp": gated,
        "hidden_act": "silu" if gated else "gelu",
        "query_bias": True,
        "key_bias": True,
        "value_bias": True,
        "proj_bias": True,
        "mlp_bias": True,
    }
    return Target(dialect, [fault for fault, there in faults.items() if there], settings)
