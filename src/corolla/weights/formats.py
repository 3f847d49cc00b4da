"""The names of each library for the parts of a Vision Transformer, one table per checkpoint format.

If two names map to one of ours, the first is written; the second comes from an older or related project.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from corolla.weights.renaming import Row, Table, match


@dataclass(frozen=True)
class CheckpointFormat:
    """The names of a library. `sign` is a name that only this format has; `idle` tensors do not affect the outputs.

    A name in `idle` that ends in a star is a prefix.
    """

    name: str
    sign: str
    table: Table
    idle: tuple[str, ...] = ()
    prefix: str = ""  # of every name except the heads', in files that have a head


def affine(theirs: str, ours: str, weight: str, third: str = "") -> Table:
    """The rows of a layer whose weight is named `weight`, and of its bias."""
    return (
        Row(f"{theirs}.{weight}", f"{ours}.weight{third}"),
        Row(f"{theirs}.bias", f"{ours}.bias{third}"),
    )


def same(*names: str) -> Table:
    """The rows of tensors with the same name in both."""
    return tuple(Row(name, name) for name in names)


def apart(theirs: str, ours: str) -> Table:
    """The rows of queries, keys and values; `{part}` in their name is q, k or v."""
    return tuple(Row(theirs.replace("{part}", part), f"{ours}#{number}/3") for number, part in enumerate("qkv"))


TIMM = CheckpointFormat(  # and facebookresearch's DeiT, DINO, MAE, DINOv2 and DINOv3, whose names timm uses
    name="timm",
    sign="patch_embed.proj.weight",
    table=(
        *same("cls_token", "dist_token", "reg_token", "pos_embed", "patch_embed.proj.{}", "norm.{}", "head.{}"),
        *same("head_dist.{}", "blocks.{}.norm1.{}", "blocks.{}.ls1.gamma", "blocks.{}.norm2.{}", "blocks.{}.ls2.gamma"),
        *same("blocks.{}.attn.qkv.{}", "blocks.{}.attn.norm.{}", "blocks.{}.attn.proj.{}"),
        *same("blocks.{}.mlp.fc1.{}", "blocks.{}.mlp.norm.{}", "blocks.{}.mlp.fc2.{}"),
        Row("register_tokens", "reg_token"),  # DINOv2's own files
        Row("storage_tokens", "reg_token"),  # DINOv3's own files
        Row("fc_norm.{}", "norm.{}"),  # of the mean of the patches, in MAE's fine-tuned files and in timm's
        Row("blocks.{}.gamma_1", "blocks.{}.ls1.gamma"),  # DeiT III's own files
        Row("blocks.{}.gamma_2", "blocks.{}.ls2.gamma"),
        *apart("blocks.{}.attn.{part}_proj.{}", "blocks.{}.attn.qkv.{}"),  # EVA-02's larger ones
        *apart("blocks.{}.attn.{part}_bias", "blocks.{}.attn.qkv.bias"),  # and its smaller ones
        Row("blocks.{}.mlp.fc1_g.{}", "blocks.{}.mlp.fc1.{}#0/2", kind="swiglu"),
        Row("blocks.{}.mlp.fc1_x.{}", "blocks.{}.mlp.fc1.{}#1/2", kind="swiglu"),
        Row("blocks.{}.mlp.w1.{}", "blocks.{}.mlp.fc1.{}#0/2", kind="swiglu"),  # DINOv3's own files
        Row("blocks.{}.mlp.w2.{}", "blocks.{}.mlp.fc1.{}#1/2", kind="swiglu"),
        Row("blocks.{}.mlp.w12.{}", "blocks.{}.mlp.fc1.{}", kind="swiglu"),  # DINOv2's own files
        Row("blocks.{}.mlp.w3.{}", "blocks.{}.mlp.fc2.{}", kind="swiglu"),
    ),
    idle=("mask_token", "masked_embed", "decoder_*", "local_cls_norm.{}"),  # of DINO's second and third, iBOT and MAE
)

TORCHVISION = CheckpointFormat(
    name="torchvision",
    sign="conv_proj.weight",
    table=(
        Row("class_token", "cls_token"),
        Row("encoder.pos_embedding", "pos_embed"),
        Row("conv_proj.{}", "patch_embed.proj.{}"),
        Row("encoder.layers.encoder_layer_{}.ln_1.{}", "blocks.{}.norm1.{}"),
        Row("encoder.layers.encoder_layer_{}.self_attention.in_proj_{}", "blocks.{}.attn.qkv.{}"),
        Row("encoder.layers.encoder_layer_{}.self_attention.out_proj.{}", "blocks.{}.attn.proj.{}"),
        Row("encoder.layers.encoder_layer_{}.ln_2.{}", "blocks.{}.norm2.{}"),
        Row("encoder.layers.encoder_layer_{}.mlp.0.{}", "blocks.{}.mlp.fc1.{}"),
        Row("encoder.layers.encoder_layer_{}.mlp.3.{}", "blocks.{}.mlp.fc2.{}"),
        Row("encoder.layers.encoder_layer_{}.mlp.linear_1.{}", "blocks.{}.mlp.fc1.{}"),  # files of before 2022
        Row("encoder.layers.encoder_layer_{}.mlp.linear_2.{}", "blocks.{}.mlp.fc2.{}"),
        Row("encoder.ln.{}", "norm.{}"),
        Row("heads.head.{}", "head.{}"),
        Row("heads.{}", "head.{}"),  # where a Linear replaces the whole head
    ),
)

ATTENTION = "encoder.layer.{}.attention"
SHARED_BY_HUGGING_FACE = (
    Row("embeddings.cls_token", "cls_token"),
    Row("embeddings.position_embeddings", "pos_embed"),
    Row("embeddings.patch_embeddings.projection.{}", "patch_embed.proj.{}"),
    Row(f"{ATTENTION}.attention.query.{{}}", "blocks.{}.attn.qkv.{}#0/3"),
    Row(f"{ATTENTION}.attention.key.{{}}", "blocks.{}.attn.qkv.{}#1/3"),
    Row(f"{ATTENTION}.attention.value.{{}}", "blocks.{}.attn.qkv.{}#2/3"),
    Row(f"{ATTENTION}.output.dense.{{}}", "blocks.{}.attn.proj.{}"),
    Row("layernorm.{}", "norm.{}"),
)
PAPERS_BLOCK = (
    Row("encoder.layer.{}.layernorm_before.{}", "blocks.{}.norm1.{}"),
    Row("encoder.layer.{}.layernorm_after.{}", "blocks.{}.norm2.{}"),
    Row("encoder.layer.{}.intermediate.dense.{}", "blocks.{}.mlp.fc1.{}"),
    Row("encoder.layer.{}.output.dense.{}", "blocks.{}.mlp.fc2.{}"),
)
HUGGING_FACE_VIT = CheckpointFormat(
    name="huggingface",
    sign="encoder.layer.{}.layernorm_before.weight",
    table=(*SHARED_BY_HUGGING_FACE, *PAPERS_BLOCK, Row("classifier.{}", "head.{}")),
    idle=("pooler.dense.{}", "embeddings.mask_token", "decoder.*"),
    prefix="vit.",
)
HUGGING_FACE_DEIT = CheckpointFormat(
    name="huggingface-deit",
    sign="embeddings.distillation_token",
    table=(
        *SHARED_BY_HUGGING_FACE,
        *PAPERS_BLOCK,
        Row("embeddings.distillation_token", "dist_token"),
        Row("cls_classifier.{}", "head.{}"),
        Row("classifier.{}", "head.{}"),  # of the class token alone, as in a fine-tuned model
        Row("distillation_classifier.{}", "head_dist.{}"),
    ),
    idle=("pooler.dense.{}", "embeddings.mask_token"),
    prefix="deit.",
)
HUGGING_FACE_DINOV2 = CheckpointFormat(
    name="huggingface-dinov2",
    sign="encoder.layer.{}.layer_scale1.lambda1",
    table=(
        *SHARED_BY_HUGGING_FACE,
        Row("encoder.layer.{}.norm1.{}", "blocks.{}.norm1.{}"),
        Row("encoder.layer.{}.layer_scale1.lambda1", "blocks.{}.ls1.gamma"),
        Row("encoder.layer.{}.norm2.{}", "blocks.{}.norm2.{}"),
        Row("encoder.layer.{}.mlp.weights_in.{}", "blocks.{}.mlp.fc1.{}", kind="swiglu"),
        Row("encoder.layer.{}.mlp.weights_out.{}", "blocks.{}.mlp.fc2.{}", kind="swiglu"),
        Row("encoder.layer.{}.mlp.fc1.{}", "blocks.{}.mlp.fc1.{}", kind="gelu"),
        Row("encoder.layer.{}.mlp.fc2.{}", "blocks.{}.mlp.fc2.{}", kind="gelu"),
        Row("encoder.layer.{}.layer_scale2.lambda1", "blocks.{}.ls2.gamma"),
        Row("classifier.{}", "head.{}"),  # reads the class token and the mean of the patches
    ),
    idle=("embeddings.mask_token",),
    prefix="dinov2.",
)
HUGGING_FACE_REGISTERS = CheckpointFormat(
    name="huggingface-dinov2-with-registers",
    sign="embeddings.register_tokens",
    table=(*HUGGING_FACE_DINOV2.table, Row("embeddings.register_tokens", "reg_token")),
    idle=HUGGING_FACE_DINOV2.idle,
    prefix="dinov2_with_registers.",
)

LAYER = "layer.{}"


def dinov3(name: str, sign: str, *mlp: Row) -> CheckpointFormat:
    """One of transformers' DINOv3, which has no head; only its config.json describes its rotary positions."""
    return CheckpointFormat(
        name=name,
        sign=sign,
        table=(
            Row("embeddings.cls_token", "cls_token"),
            Row("embeddings.register_tokens", "reg_token"),
            Row("embeddings.patch_embeddings.{}", "patch_embed.proj.{}"),
            Row(f"{LAYER}.norm1.{{}}", "blocks.{}.norm1.{}"),
            *apart(f"{LAYER}.attention.{{part}}_proj.{{}}", "blocks.{}.attn.qkv.{}"),
            Row(f"{LAYER}.attention.o_proj.{{}}", "blocks.{}.attn.proj.{}"),
            Row(f"{LAYER}.layer_scale1.lambda1", "blocks.{}.ls1.gamma"),
            Row(f"{LAYER}.norm2.{{}}", "blocks.{}.norm2.{}"),
            *mlp,
            Row(f"{LAYER}.mlp.down_proj.{{}}", "blocks.{}.mlp.fc2.{}"),
            Row(f"{LAYER}.layer_scale2.lambda1", "blocks.{}.ls2.gamma"),
            Row("norm.{}", "norm.{}"),
        ),
        idle=("embeddings.mask_token",),
        prefix="model.",  # of the layers, in files of transformers 5
    )


HUGGING_FACE_DINOV3 = dinov3(
    "huggingface-dinov3",
    f"{LAYER}.attention.q_proj.weight",
    Row(f"{LAYER}.mlp.up_proj.{{}}", "blocks.{}.mlp.fc1.{}"),
)
HUGGING_FACE_DINOV3_GATED = dinov3(
    "huggingface-dinov3-gated",
    f"{LAYER}.mlp.gate_proj.weight",
    Row(f"{LAYER}.mlp.gate_proj.{{}}", "blocks.{}.mlp.fc1.{}#0/2"),
    Row(f"{LAYER}.mlp.up_proj.{{}}", "blocks.{}.mlp.fc1.{}#1/2"),
)

BLOCK, MSA = "Transformer.encoderblock_{}", "Transformer.encoderblock_{}.MultiHeadDotProductAttention_1"
GOOGLE = CheckpointFormat(  # with dots for slashes, see corolla.weights.google
    name="google",
    sign="embedding.kernel",
    table=(
        Row("cls", "cls_token"),
        Row("Transformer.posembed_input.pos_embedding", "pos_embed"),
        *affine("embedding", "patch_embed.proj", "kernel"),
        *affine(f"{BLOCK}.LayerNorm_0", "blocks.{}.norm1", "scale"),
        *affine(f"{MSA}.query", "blocks.{}.attn.qkv", "kernel", third="#0/3"),
        *affine(f"{MSA}.key", "blocks.{}.attn.qkv", "kernel", third="#1/3"),
        *affine(f"{MSA}.value", "blocks.{}.attn.qkv", "kernel", third="#2/3"),
        *affine(f"{MSA}.out", "blocks.{}.attn.proj", "kernel"),
        *affine(f"{BLOCK}.LayerNorm_2", "blocks.{}.norm2", "scale"),
        *affine(f"{BLOCK}.MlpBlock_3.Dense_0", "blocks.{}.mlp.fc1", "kernel"),
        *affine(f"{BLOCK}.MlpBlock_3.Dense_1", "blocks.{}.mlp.fc2", "kernel"),
        *affine("Transformer.encoder_norm", "norm", "scale"),
        *affine("head", "head", "kernel"),
    ),
)

FORMATS = (
    TIMM,
    TORCHVISION,
    HUGGING_FACE_DEIT,
    HUGGING_FACE_DINOV3_GATED,  # before the one without, whose sign it has too
    HUGGING_FACE_DINOV3,  # before DINOv2's, whose registers it has too
    HUGGING_FACE_REGISTERS,  # before the one without, whose sign it has too
    HUGGING_FACE_DINOV2,
    HUGGING_FACE_VIT,
    GOOGLE,
)


def formats_in(names: Iterable[str]) -> dict[str, CheckpointFormat]:
    """The formats whose signs are among `names`, by the prefix before them (and before the format's own prefix)."""
    names, found = list(names), dict[str, CheckpointFormat]()
    for dialect in FORMATS:
        for sign in (dialect.prefix + dialect.sign, dialect.sign):
            pattern = re.compile(r"((?:.*\.)?)" + re.escape(sign).replace(r"\{\}", r"[^.]+"))
            for wrapper in dict.fromkeys(fit[1] for name in names if (fit := pattern.fullmatch(name))):
                if not any(wrapper == other + known.prefix for other, known in found.items()):
                    found.setdefault(wrapper, dialect)
    return found


def nearest(names: Iterable[str]) -> tuple[CheckpointFormat, int]:
    """The format that has most of `names`, with any prefix, and how many."""
    names = list(names)

    def known(dialect: CheckpointFormat) -> int:
        rows = "|".join(re.escape(row.theirs).replace(r"\{\}", r"[^.]+") for row in dialect.table)
        pattern = re.compile(rf"(?:.*\.)?(?:{rows})")
        return sum(pattern.fullmatch(name) is not None for name in names)

    best = max(FORMATS, key=known)
    return best, known(best)


def is_idle(name: str, dialect: CheckpointFormat) -> bool:
    """Whether a tensor with this name does not affect the outputs."""
    return any(
        name.startswith(each[:-1]) if each.endswith("*") else match(each, name) is not None for each in dialect.idle
    )


def recognize(names: Iterable[str]) -> CheckpointFormat | None:
    """The format whose sign is among `names`, with or without its prefix; None if there is none."""
    names = list(names)
    for dialect in FORMATS:
        for sign in (dialect.sign, dialect.prefix + dialect.sign):
            if any(match(sign, name) is not None for name in names):
                return dialect
    return None
