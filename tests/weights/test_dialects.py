"""Every dialect against the library that speaks it: the same logits or features, read and written back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn

from corolla.model import ViT
from corolla.weights import load_weights, write_weights

SIZES = {"native": (32, 32), "wider": (32, 48), "smaller, taller": (40, 16)}
SHAPE: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 32}
PAPERS = SHAPE | {"patch_size": 8, "intermediate_size": 96}
DINO = SHAPE | {"patch_size": 8, "mlp_ratio": 2}
TIMM: dict[str, Any] = {"embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": 32, "patch_size": 8}


def shaken(model: nn.Module) -> nn.Module:
    """Every weight moved, so that none can be lost unseen behind a zero or a one."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def features(model: ViT, images: Tensor) -> Tensor:
    """The class token after the last norm."""
    return model.inspect(images).pooled


def timm_model(name: str, **changes: Any) -> nn.Module:
    return shaken(timm.create_model(name, dynamic_img_size=True, **TIMM | changes))


def hugging_face(config: str, model: str, shape: dict[str, Any], **changes: Any) -> nn.Module:
    return shaken(getattr(transformers, model)(getattr(transformers, config)(**shape | changes)))


def close(ours: Tensor, theirs: Tensor) -> None:
    """Within 1e-5 of their scale."""
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


TIMMS: dict[str, dict[str, Any]] = {
    "vit_base_patch16_224": {"num_classes": 4},
    "vit_base_patch16_224.headless": {"num_classes": 0},
    "deit_base_distilled_patch16_224": {"num_classes": 4},
    "deit3_base_patch16_224": {"num_classes": 4, "no_embed_class": False},
    "vit_base_patch14_dinov2": {"num_classes": 0},
    "vit_base_patch14_reg4_dinov2": {"num_classes": 0},
    "vit_giant_patch14_dinov2": {"num_classes": 4, "mlp_ratio": 4},
}


@pytest.mark.parametrize("name", TIMMS)
def test_timm_in_and_out(name: str, tmp_path: Path) -> None:
    theirs = timm_model(name.partition(".")[0], **TIMMS[name])
    (tmp_path / "in").mkdir()
    torch.save(theirs.state_dict(), tmp_path / "in" / "weights.pth")
    (tmp_path / "in" / "config.json").write_text('{"model_args": {"num_heads": 3}}')
    weights = load_weights(tmp_path / "in" / "weights.pth")
    folder = tmp_path / "out"
    assert write_weights(weights, folder, "timm") <= 1e-5
    back = timm.create_model(f"local-dir:{folder}", pretrained=True, dynamic_img_size=True).eval()
    again = load_weights(folder)
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        expected = theirs(images).detach()
        for mine in (weights, again):
            model = mine.model(None if mine.has_head else 1)
            close(model(images) if mine.has_head else features(model, images), expected)
        close(back(images), expected)


HUGGING_FACES: dict[str, Callable[[], nn.Module]] = {
    "ViT": lambda: hugging_face("ViTConfig", "ViTForImageClassification", PAPERS, num_labels=4),
    "ViT without a head": lambda: hugging_face("ViTConfig", "ViTModel", PAPERS),
    "DeiT": lambda: hugging_face("DeiTConfig", "DeiTForImageClassificationWithTeacher", PAPERS, num_labels=4),
    "DINOv2": lambda: hugging_face("Dinov2Config", "Dinov2Model", DINO),
    "DINOv2, SwiGLU": lambda: hugging_face("Dinov2Config", "Dinov2Model", DINO, use_swiglu_ffn=True),
    "DINOv2, registers": lambda: hugging_face("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel", DINO),
}


def answer(model: nn.Module, images: Tensor) -> Tensor:
    """What a model of transformers says of pictures of any size."""
    sized = {} if "Dinov2" in type(model).__name__ else {"interpolate_pos_encoding": True}
    output = model(images, **sized)
    told: Tensor = output.logits if "logits" in output else output.last_hidden_state[:, 0]
    return told.detach()


@pytest.mark.parametrize("name", HUGGING_FACES)
def test_hugging_face_in_and_out(name: str, tmp_path: Path) -> None:
    theirs = HUGGING_FACES[name]()
    theirs.save_pretrained(tmp_path / "in")
    weights = load_weights(tmp_path / "in")
    folder = tmp_path / "out"
    assert write_weights(weights, folder, "huggingface") <= 1e-5
    auto = transformers.AutoModelForImageClassification if weights.has_head else transformers.AutoModel
    if name == "DeiT":
        auto = transformers.DeiTForImageClassificationWithTeacher
    back = auto.from_pretrained(folder).eval()
    for size in SIZES.values():
        images = torch.randn(2, 3, *size)
        expected = answer(theirs, images)
        model = weights.model(None if weights.has_head else 1)
        close(model(images) if weights.has_head else features(model, images), expected)
        close(answer(back, images), expected)


def test_a_checkpoint_in_many_files_is_one(tmp_path: Path) -> None:
    theirs = HUGGING_FACES["ViT"]()
    theirs.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    images = torch.randn(2, 3, 32, 32)
    close(load_weights(tmp_path).model()(images), answer(theirs, images))


def test_torchvision_in_and_out(tmp_path: Path) -> None:
    from torchvision.models.vision_transformer import VisionTransformer

    def fresh() -> nn.Module:
        return VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=128, mlp_dim=96, num_classes=4)

    theirs = shaken(fresh())
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    weights = load_weights(tmp_path / "vit.pth")
    back = fresh().eval()
    write_weights(weights, tmp_path / "out", "torchvision")
    back.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
    images = torch.randn(2, 3, 32, 32)
    close(weights.model()(images), theirs(images).detach())
    assert torch.equal(back(images), theirs(images))


def test_google_in_and_out(tmp_path: Path) -> None:
    """timm reads the paper's own files too: both read one archive in Google's layout; ours writes it back alike."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "cls": (1, 1, 48), "Transformer/posembed_input/pos_embedding": (1, 17, 48),
        "embedding/kernel": (8, 8, 3, 48), "embedding/bias": (48,),
        "Transformer/encoder_norm/scale": (48,), "Transformer/encoder_norm/bias": (48,),
        "head/kernel": (48, 4), "head/bias": (4,),
    }  # fmt: skip
    for number in range(2):
        block, attention = f"Transformer/encoderblock_{number}", "MultiHeadDotProductAttention_1"
        shapes |= {f"{block}/LayerNorm_{norm}/{part}": (48,) for norm in (0, 2) for part in ("scale", "bias")}
        for part in ("query", "key", "value"):
            shapes |= {f"{block}/{attention}/{part}/kernel": (48, 3, 16), f"{block}/{attention}/{part}/bias": (3, 16)}
        shapes |= {f"{block}/{attention}/out/kernel": (3, 16, 48), f"{block}/{attention}/out/bias": (48,)}
        shapes |= {f"{block}/MlpBlock_3/Dense_0/kernel": (48, 96), f"{block}/MlpBlock_3/Dense_0/bias": (96,)}
        shapes |= {f"{block}/MlpBlock_3/Dense_1/kernel": (96, 48), f"{block}/MlpBlock_3/Dense_1/bias": (48,)}
    arrays = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez(tmp_path / "ViT.npz", **arrays)
    weights = load_weights(tmp_path / "ViT.npz")
    assert weights.config.heads == 3
    write_weights(weights, tmp_path / "out", "google")
    with np.load(tmp_path / "out" / "model.npz") as again:
        assert {name: again[name].tolist() for name in again.files} == {n: a.tolist() for n, a in arrays.items()}
    theirs = timm.create_model("vit_base_patch16_224", num_classes=4, mlp_ratio=2, **TIMM).eval()
    theirs.load_pretrained(str(tmp_path / "ViT.npz"))
    images = torch.randn(2, 3, 32, 32)
    close(weights.model()(images), theirs(images).detach())
