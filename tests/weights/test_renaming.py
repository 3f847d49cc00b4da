import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.weights.formats import (
    FORMATS,
    GOOGLE,
    HUGGING_FACE_DEIT,
    HUGGING_FACE_DINOV2,
    HUGGING_FACE_DINOV3,
    HUGGING_FACE_DINOV3_GATED,
    HUGGING_FACE_REGISTERS,
    TIMM,
    CheckpointFormat,
    recognize,
)
from corolla.weights.renaming import Row, match, to_ours, to_theirs

PLAIN = {
    "num_classes": 3,
    "image_size": (16, 16),
    "patch_size": 8,
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_dim": 24,
}


def config_for(dialect: CheckpointFormat) -> ViTConfig:
    """A small model with all that the dialect has words for."""
    more: dict[str, object] = {}
    if dialect in (TIMM, HUGGING_FACE_DEIT):
        more["distilled"] = True
    dinov3 = (HUGGING_FACE_DINOV3, HUGGING_FACE_DINOV3_GATED)
    if dialect in (TIMM, HUGGING_FACE_DINOV2, HUGGING_FACE_REGISTERS, *dinov3):
        more["layer_scale"] = 0.1
    if dialect in (TIMM, HUGGING_FACE_REGISTERS, *dinov3):
        more["num_reg_tokens"] = 2
    if dialect is TIMM:
        more |= {"norm_in_attention": True, "norm_in_mlp": True}
    if dialect in dinov3:
        more |= {"pos_embed": "none", "rotary": "centered"}
    if dialect is HUGGING_FACE_DINOV3_GATED:
        more["activation"] = "swiglu"
    if dialect in (HUGGING_FACE_DINOV2, HUGGING_FACE_REGISTERS):
        more["global_pool"] = "token+avg"
    return ViTConfig(**PLAIN | more)


@pytest.mark.parametrize("dialect", FORMATS, ids=lambda dialect: dialect.name)
def test_names_go_there_and_back(dialect: CheckpointFormat) -> None:
    ours = dict(ViT(config_for(dialect)).state_dict())
    if dialect in (HUGGING_FACE_DINOV3, HUGGING_FACE_DINOV3_GATED):  # it has no class with a head
        ours = {name: tensor for name, tensor in ours.items() if not name.startswith("head.")}
    there = to_theirs(ours, dialect.table, config_for(dialect).activation)
    assert there.unknown == []
    assert recognize(there.tensors) is dialect
    assert recognize(f"{dialect.prefix}{name}" for name in there.tensors) is dialect
    back = to_ours(there.tensors, dialect.table)
    assert back.unknown == []
    assert back.tensors.keys() == ours.keys()
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in ours.items())


@given(
    st.lists(st.text(st.characters(blacklist_characters=".{}", blacklist_categories=("Cs",)), min_size=1), min_size=2)
)
def test_a_template_gives_back_its_words(words: list[str]) -> None:
    template = "a." + ".b.".join("{}" for _ in words)
    assert match(template, template.format(*words)) == tuple(words)
    assert match(template, template.format(*words) + ".more") is None


def test_a_third_that_is_missing_is_told() -> None:
    table = tuple(Row(f"{part}.weight", f"qkv.weight#{number}/3") for number, part in enumerate(("q", "k", "v")))
    parts = {f"{part}.weight": torch.full((2, 4), float(number)) for number, part in enumerate(("q", "k", "v"))}
    assert to_ours(parts, table).tensors["qkv.weight"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    del parts["k.weight"]
    assert "do not belong together" in to_ours(parts, table).unknown[0]


def test_what_no_table_has_is_in_no_dialect() -> None:
    assert recognize(["layer1.0.conv1.weight"]) is None
    assert recognize(["embedding.kernel"]) is GOOGLE
