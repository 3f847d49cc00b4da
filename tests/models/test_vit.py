"""The model beside an independent implementation of the paper: torchvision's, with the same weights."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models.vision_transformer import VisionTransformer

from corolla.models.config import ViTConfig
from corolla.models.vit import DropPath, ViT, attention, eager_attention

SMALL = ViTConfig(num_classes=3, image_size=(32, 32), patch_size=8, embed_dim=48, depth=2, num_heads=3, mlp_dim=96)


def randomized(config: ViTConfig) -> ViT:
    """A model whose every weight counts: the zeros it starts with would hide faults."""
    torch.manual_seed(0)
    model = ViT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def from_torchvision(theirs: VisionTransformer, ours: ViT) -> None:
    """Put torchvision's weights into our model, name by name."""
    names = {
        "class_token": "cls_token", "encoder.pos_embedding": "pos_embed",
        "conv_proj.weight": "patch_embed.proj.weight", "conv_proj.bias": "patch_embed.proj.bias",
        "encoder.ln.weight": "norm.weight", "encoder.ln.bias": "norm.bias",
        "heads.head.weight": "head.weight", "heads.head.bias": "head.bias",
    }  # fmt: skip
    inside = {
        "ln_1": "norm1", "ln_2": "norm2", "self_attention.in_proj_": "attn.qkv.",
        "self_attention.out_proj": "attn.proj", "mlp.0": "mlp.fc1", "mlp.3": "mlp.fc2",
    }  # fmt: skip
    state = {}
    for name, tensor in theirs.state_dict().items():
        if name in names:
            state[names[name]] = tensor
            continue
        _, _, layer, rest = name.split(".", 3)
        number = layer.rsplit("_", 1)[1]
        [(old, new)] = [(old, new) for old, new in inside.items() if rest.startswith(old)]
        state[f"blocks.{number}.{new}{rest.removeprefix(old)}"] = tensor
    ours.load_state_dict(state)


def test_logits_equal_torchvision_with_the_same_weights() -> None:
    torch.manual_seed(1)
    theirs = VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=3
    ).eval()
    torch.nn.init.normal_(theirs.heads.head.weight)
    ours = ViT(SMALL).eval()
    from_torchvision(theirs, ours)
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


def test_paper_parameter_counts() -> None:
    """Table 1 of the paper: 86M, 307M and 632M; ours with 1,000 classes, as timm counts them."""
    from corolla.models.names import vit_config

    for name, expected in {
        "vit_tiny_patch16_224": 5_717_416,
        "vit_small_patch16_224": 22_050_664,
        "vit_base_patch16_224": 86_567_656,
        "vit_large_patch16_224": 304_326_632,
        "vit_huge_patch14_224": 632_045_800,
    }.items():
        with torch.device("meta"):
            assert sum(p.numel() for p in ViT(vit_config(name, 1000)).parameters()) == expected


@pytest.mark.parametrize("change", [
    {}, {"global_pool": "avg"}, {"pos_embed": "sincos"}, {"num_reg_tokens": 4},
    {"num_reg_tokens": 2, "global_pool": "avg"}, {"global_pool": "token+avg", "num_reg_tokens": 2},
    {"global_pool": "avg", "norm_after_pooling": True},
    {"layer_scale": 0.1}, {"stem": (8, 16, 32)}, {"stem": (8, 16)}, {"drop_path": 0.3},
    {"stem": (8, 16), "stem_blocks": 2}, {"distilled": True}, {"distilled": True, "num_reg_tokens": 2},
    {"activation": "swiglu"}, {"norm_eps": 1e-12}, {"pos_embed_antialias": False},
    {"rotary": "centered", "pos_embed": "none"}, {"rotary": "counted", "rotary_grid": (7, 9)},
    {"rotary": "counted", "num_reg_tokens": 2, "distilled": True}, {"rotary": "centered", "pos_embed": "sincos"},
    {"norm_in_mlp": True, "activation": "swiglu"}, {"norm_in_attention": True, "norm_in_mlp": True},
])  # fmt: skip
def test_every_option_runs_learns_and_takes_other_sizes(change: dict[str, object]) -> None:
    model = randomized(replace(SMALL, **change))
    for size in ((32, 32), (48, 24), (8, 64)):
        assert model(torch.randn(2, 3, *size)).shape == (2, 3)
    model.train()
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    unused = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unused == []


def test_one_image_does_not_see_another() -> None:
    model = randomized(replace(SMALL, stem=(8, 16)))
    images = torch.randn(5, 3, 32, 32)
    torch.testing.assert_close(model(images)[2:3], model(images[2:3]), rtol=1e-5, atol=1e-5)


def test_forward_intermediates_returns_what_forward_computed() -> None:
    config = replace(SMALL, num_reg_tokens=2)
    model, images = randomized(config), torch.randn(2, 3, 32, 32)
    seen = model.forward_intermediates(images)
    torch.testing.assert_close(seen.logits, model(images), rtol=1e-4, atol=1e-5)
    assert seen.embedded.shape == (2, 1 + 2 + 16, 48)
    assert [z.shape for z in seen.blocks.values()] == [(2, 19, 48)] * 2
    assert [a.shape for a in seen.attention] == [(2, 3, 19, 19)] * 2
    torch.testing.assert_close(seen.attention[1].sum(-1), torch.ones(2, 3, 19))
    torch.testing.assert_close(model.head(model.pool(model.norm(seen.blocks[1]))), seen.logits)


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(1, 40), st.sampled_from([8, 16, 64]), st.integers(0, 10_000))
def test_both_attentions_agree(heads: int, tokens: int, width: int, seed: int) -> None:
    q, k, v = torch.randn(3, 2, heads, tokens, width, generator=torch.Generator().manual_seed(seed)).unbind()
    torch.testing.assert_close(attention(q, k, v), eager_attention(q, k, v)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", [511, 512], ids=["written out on a CPU", "fused"])
def test_attention_in_half_precision_has_the_gradients_of_single_precision(tokens: int) -> None:
    q, k, v = torch.randn(3, 1, 2, tokens, 16, generator=torch.Generator().manual_seed(1)).unbind()

    def gradients(dtype: torch.dtype) -> list[torch.Tensor]:
        inputs = [tensor.to(dtype).requires_grad_() for tensor in (q, k, v)]
        attention(*inputs).square().sum().backward()
        return [tensor.grad.float() for tensor in inputs if tensor.grad is not None]

    for half, single in zip(gradients(torch.bfloat16), gradients(torch.float32), strict=True):
        assert float((half - single).norm() / single.norm()) < 2e-2


def test_written_attention_survives_half_precision_scores() -> None:
    """Scores far beyond what a bfloat16 softmax resolves still give weights that sum to one."""
    q = k = torch.full((1, 1, 4, 64), 30.0, dtype=torch.bfloat16)
    v = torch.ones(1, 1, 4, 64, dtype=torch.bfloat16)
    attended, weights = eager_attention(q, k, v)
    assert bool(attended.isfinite().all())
    torch.testing.assert_close(weights.float().sum(-1), torch.ones(1, 1, 4))


@pytest.mark.parametrize(("change", "words"), [
    ({"embed_dim": 50}, "heads"), ({"image_size": (30, 32)}, "30x32"), ({"num_heads": 0}, "at least 1"),
    ({"embed_dim": 51, "num_heads": 3, "pos_embed": "sincos"}, "multiple of 4"),
    ({"stem": (8, 8, 8, 8)}, "too small"), ({"stem": (8, 16), "stem_blocks": -1}, "residual blocks"),
    ({"global_pool": "max"}, "token, avg"), ({"activation": "relu"}, "gelu, swiglu"),
    ({"norm_eps": 0.0}, "epsilon"),
    ({"distilled": True, "global_pool": "avg"}, "beside a class token"),
    ({"norm_after_pooling": True}, "before the last norm"), ({"pos_embed": "none"}, "needs rotary ones"),
    ({"rotary": "mixed"}, "none, centered, counted"),
    ({"rotary": "centered", "num_heads": 24}, "multiple of 4, not 2"),
    ({"rotary": "centered", "rotary_base": float("nan")}, "base of rotary"),
    ({"rotary": "counted", "rotary_grid": (0, 3)}, r"grid of \(0, 3\)"),
])  # fmt: skip
def test_shapes_that_cannot_be_built_are_refused_in_words(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **change)


def test_an_image_that_does_not_divide_is_named() -> None:
    with pytest.raises(ValueError, match="33x32 does not divide into patches of 8x8"):
        ViT(SMALL)(torch.randn(1, 3, 33, 32))


def test_what_the_head_reads() -> None:
    images = torch.randn(2, 3, 32, 32)
    both = randomized(replace(SMALL, global_pool="token+avg", num_reg_tokens=2))
    seen = both.forward_intermediates(images)
    last = both.norm(seen.blocks[1])
    assert torch.allclose(seen.pooled, torch.cat([last[:, 0], last[:, 3:].mean(dim=1)], dim=1))
    after = randomized(replace(SMALL, global_pool="avg", norm_after_pooling=True))
    seen = after.forward_intermediates(images)
    assert torch.allclose(seen.pooled, after.norm(seen.blocks[1].mean(dim=1)))


def test_stochastic_depth_keeps_the_mean_and_rests_in_evaluation() -> None:
    torch.manual_seed(0)
    drop, ones = DropPath(0.25), torch.ones(20_000, 1, 1)
    assert drop.eval()(ones) is ones
    dropped = drop.train()(ones)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
