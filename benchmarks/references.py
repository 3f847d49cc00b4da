"""Small models of the libraries with random weights, which the tests and `parity.py` compare with ours.

A `Reference` is made, saved and run as its library does it. `SIZES` are the image sizes to run: the size it was made
for, and two others, to which its position embeddings are resized.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from corolla.weights import Weights

SIZES = {"native": (32, 32), "wider": (32, 48), "smaller, taller": (40, 16)}  # height, width in pixels
SHAPE: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 32}
PAPERS = SHAPE | {"patch_size": 8, "intermediate_size": 96}
DINO = SHAPE | {"patch_size": 8, "mlp_ratio": 2}
TIMM: dict[str, Any] = {"embed_dim": 48, "depth": 2, "num_heads": 3, "img_size": 32, "patch_size": 8}


@dataclass(frozen=True)
class Reference:
    """How a library's model is made, saved for us to load, and loaded again from what we wrote."""

    to: str  # the format that we write back
    make: Callable[[], nn.Module]
    save: Callable[[nn.Module, Path], Path]  # into a folder; returns what `load_weights` reads
    again: Callable[[Path], nn.Module]  # from the folder that `write_weights` wrote
    sizes: tuple[str, ...] = tuple(SIZES)


def shaken(model: nn.Module) -> nn.Module:
    """Add noise to every weight: a lost weight could otherwise hide behind a zero or a one."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


@torch.inference_mode()
def asked(model: nn.Module, images: Tensor) -> Tensor:
    """The output of a library's model for normalized images (B, 3, H, W): logits, or the input of its head."""
    if not isinstance(model, transformers.PreTrainedModel):
        return model(images)
    resizes = model.config.model_type in ("vit", "deit")  # the others resize their position embeddings by default
    output = model(images, **({"interpolate_pos_encoding": True} if resizes else {}))
    return output.logits if "logits" in output else output.last_hidden_state[:, 0]


@torch.inference_mode()
def ours(weights: Weights, images: Tensor) -> Tensor:
    """The same output of our model."""
    seen = weights.model(None if weights.has_head else 1).forward_intermediates(images)
    return seen.logits if weights.has_head else seen.pooled


def error(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a fraction of the largest expected value."""
    return float((found - expected).abs().max() / expected.abs().max())


def save_pth(model: nn.Module, folder: Path) -> Path:
    """A bare state dict, and a config with the number of heads, which the shapes do not show."""
    torch.save(model.state_dict(), folder / "weights.pth")
    heads = [module.num_heads for module in model.modules() if hasattr(module, "num_heads")]
    (folder / "config.json").write_text(json.dumps({"model_args": {"num_heads": heads[0]}}))
    return folder / "weights.pth"


def save_pretrained(model: nn.Module, folder: Path) -> Path:
    """As transformers does it."""
    model.save_pretrained(folder)
    return folder


def timm_model(name: str, **changes: Any) -> Reference:
    """One of timm's architectures, small."""
    return Reference(
        "timm",
        lambda: shaken(timm.create_model(name, dynamic_img_size=True, **TIMM | changes)),
        save_pth,
        timm_again,
    )


def save_timms(model: nn.Module, folder: Path) -> Path:
    """As timm does it, with its own config.json."""
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    return folder


def attentive(reference: Reference) -> Reference:
    """The same with longer queries and keys and stronger branches, which make the rotation visible in the outputs."""

    def make() -> nn.Module:
        model = reference.make()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(("qkv.weight", "q_proj.weight", "k_proj.weight")):
                    parameter.mul_(5)
                elif "gamma" in name or "lambda" in name:
                    parameter.add_(1)
        return model

    return replace(reference, make=make)


def timm_eva(name: str, **changes: Any) -> Reference:
    """One of timm's architectures with rotary position embeddings, small, saved with the config of the rotation."""
    return attentive(replace(timm_model(name, **changes), save=save_timms))


def timm_again(folder: Path) -> nn.Module:
    """As a user of timm loads a folder."""
    return timm.create_model(f"local-dir:{folder}", pretrained=True, dynamic_img_size=True).eval()


def hugging_face(config: str, model: str, shape: dict[str, Any], **changes: Any) -> Reference:
    """One of transformers' models, small."""
    kind = getattr(transformers, model)
    auto = transformers.AutoModelForImageClassification if "ImageClassification" in model else transformers.AutoModel
    if "Teacher" in model:  # the auto class would choose the model without the second head
        auto = kind
    return Reference(
        "huggingface",
        lambda: shaken(kind(getattr(transformers, config)(**shape | changes))),
        save_pretrained,
        lambda folder: auto.from_pretrained(folder).eval(),
    )


def torchvision_model() -> nn.Module:
    """torchvision's, small; it accepts only the image size that it was made for."""
    return VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=128, mlp_dim=96, num_classes=4).eval()


def torchvision_again(folder: Path) -> nn.Module:
    """As a user of torchvision loads a state dict."""
    model = torchvision_model()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model


def google_model() -> nn.Module:
    """timm's loader of Google's files, instead of Google's own code, which needs JAX."""
    return timm.create_model("vit_base_patch16_224", num_classes=4, mlp_ratio=2, dynamic_img_size=True, **TIMM).eval()


def google_again(folder: Path) -> nn.Module:
    """From an archive in Google's layout."""
    model = google_model()
    model.load_pretrained(str(folder / "model.npz"))
    return model


def made_google(folder: Path) -> nn.Module:
    """An archive of random weights at `folder`, loaded by timm."""
    np.savez(folder / "model.npz", **google_arrays())
    return google_again(folder)


def google_arrays() -> dict[str, NDArray[np.float32]]:
    """A small checkpoint with the names and layout of Flax."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in google_shapes()}


def google_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of Google's code: kernels (in, out), heads on a separate axis."""
    yield from (("cls", (1, 1, 48)), ("Transformer/posembed_input/pos_embedding", (1, 17, 48)))
    yield from (("embedding/kernel", (8, 8, 3, 48)), ("embedding/bias", (48,)))
    yield from (("Transformer/encoder_norm/scale", (48,)), ("Transformer/encoder_norm/bias", (48,)))
    yield from (("head/kernel", (48, 4)), ("head/bias", (4,)))
    for number in range(2):
        block = f"Transformer/encoderblock_{number}"
        attention = f"{block}/MultiHeadDotProductAttention_1"
        for norm in (0, 2):
            yield from ((f"{block}/LayerNorm_{norm}/{part}", (48,)) for part in ("scale", "bias"))
        for part in ("query", "key", "value"):
            yield from ((f"{attention}/{part}/kernel", (48, 3, 16)), (f"{attention}/{part}/bias", (3, 16)))
        yield from ((f"{attention}/out/kernel", (3, 16, 48)), (f"{attention}/out/bias", (48,)))
        yield from ((f"{block}/MlpBlock_3/Dense_0/kernel", (48, 96)), (f"{block}/MlpBlock_3/Dense_0/bias", (96,)))
        yield from ((f"{block}/MlpBlock_3/Dense_1/kernel", (96, 48)), (f"{block}/MlpBlock_3/Dense_1/bias", (48,)))


def save_google(model: nn.Module, folder: Path) -> Path:
    """The archive that `google` was loaded from."""
    np.savez(folder / "ViT.npz", **google_arrays())
    return folder / "ViT.npz"


def google() -> nn.Module:
    """timm's model with the archive's weights."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return made_google(Path(folder))


DINOV3: dict[str, Any] = PAPERS | {"layerscale_value": 0.1, "num_register_tokens": 4}
DINOV2, REGISTERS = ("Dinov2Config", "Dinov2"), ("Dinov2WithRegistersConfig", "Dinov2WithRegisters")
REFERENCES: dict[str, Reference] = {
    "timm ViT": timm_model("vit_base_patch16_224", num_classes=4),
    "timm ViT without a head": timm_model("vit_base_patch16_224", num_classes=0),
    "timm ViT, mean of the patches": timm_model(
        "vit_base_patch16_224", num_classes=4, class_token=False, global_pool="avg", fc_norm=False
    ),
    "timm MAE fine-tuned, norm after the mean": timm_model(
        "vit_base_patch16_224", num_classes=4, global_pool="avg", fc_norm=True
    ),
    "timm DeiT, distilled": timm_model("deit_base_distilled_patch16_224", num_classes=4),
    "timm DeiT III": timm_model("deit3_base_patch16_224", num_classes=4),
    "timm DINOv2": timm_model("vit_base_patch14_dinov2", num_classes=0),
    "timm DINOv2, registers": timm_model("vit_base_patch14_reg4_dinov2", num_classes=0),
    "timm DINOv2, SwiGLU": timm_model("vit_giant_patch14_dinov2", num_classes=4, mlp_ratio=4),
    "transformers ViT": hugging_face("ViTConfig", "ViTForImageClassification", PAPERS, num_labels=4),
    "transformers ViT without a head": hugging_face("ViTConfig", "ViTModel", PAPERS),
    "transformers DeiT, distilled": hugging_face(
        "DeiTConfig", "DeiTForImageClassificationWithTeacher", PAPERS, num_labels=4
    ),
    "transformers DINOv2": hugging_face(DINOV2[0], f"{DINOV2[1]}Model", DINO),
    "transformers DINOv2, SwiGLU": hugging_face(DINOV2[0], f"{DINOV2[1]}Model", DINO, use_swiglu_ffn=True),
    "transformers DINOv2, classifier": hugging_face(
        DINOV2[0], f"{DINOV2[1]}ForImageClassification", DINO, num_labels=4
    ),
    "transformers DINOv2, registers": hugging_face(REGISTERS[0], f"{REGISTERS[1]}Model", DINO),
    "transformers DINOv2, registers, classifier": hugging_face(
        REGISTERS[0], f"{REGISTERS[1]}ForImageClassification", DINO, num_labels=4
    ),
    "timm DINOv3": timm_eva("vit_small_patch16_dinov3", num_classes=0),
    "timm DINOv3, head on the class token": timm_eva("vit_small_patch16_dinov3", num_classes=4, global_pool="token"),
    "timm DINOv3, biases": timm_eva("vit_small_patch16_dinov3_qkvb", num_classes=4),
    "timm DINOv3, SwiGLU": timm_eva("vit_small_plus_patch16_dinov3", num_classes=0, global_pool="token"),
    "timm EVA-02 Ti": timm_eva("eva02_tiny_patch14_224", num_classes=4),
    "timm EVA-02 B": timm_eva("eva02_base_patch14_448", num_classes=4),
    "timm EVA-02 CLIP": timm_eva("eva02_base_patch16_clip_224", num_classes=4),
    "timm EVA-02 with another pooling": timm_eva(
        "eva02_tiny_patch14_224", num_classes=4, global_pool="token", use_fc_norm=True
    ),
    "timm EVA-01": timm_eva("eva_giant_patch14_224", num_classes=4),
    "timm ViT, rotary, registers": timm_eva("vit_betwixt_patch16_rope_reg4_gap_256", num_classes=4),
    "timm RoPE-ViT": timm_eva("vit_small_patch16_rope_224", num_classes=4),
    "timm RoPE-ViT, learned positions too": timm_eva("vit_small_patch16_rope_ape_224", num_classes=4),
    "transformers DINOv3": attentive(hugging_face("DINOv3ViTConfig", "DINOv3ViTModel", DINOV3)),
    "transformers DINOv3, SwiGLU": attentive(
        hugging_face(
            "DINOv3ViTConfig", "DINOv3ViTModel", DINOV3, use_gated_mlp=True, hidden_act="silu", num_register_tokens=0
        )
    ),
    "torchvision ViT": Reference(
        "torchvision", lambda: shaken(torchvision_model()), save_pth, torchvision_again, sizes=("native",)
    ),
    "Google's npz, read by timm": Reference("google", google, save_google, google_again),
}


def hybrid(config: ViTConfig) -> Weights:
    """One of our models, with random weights and statistics, like in a run."""
    model = shaken(ViT(config))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    names = tuple(f"kind {number}" for number in range(config.num_classes))
    prepared = Preprocessing(config.image_size, 0.875, "bilinear", (0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
    return Weights(Path("made"), "corolla", config, dict(model.state_dict()), prepared, names)


OURS = ViTConfig(num_classes=4, image_size=(32, 32), patch_size=8, embed_dim=48, depth=2, num_heads=3, mlp_dim=96)
HYBRID: dict[str, Any] = {"stem": (12, 24, 48), "stem_blocks": 1, "global_pool": "avg", "pos_embed": "sincos"}
BRIDGED: dict[str, ViTConfig] = {  # models that neither library can represent
    "hybrid": replace(OURS, **HYBRID),
    "hybrid, SwiGLU and registers": replace(OURS, **HYBRID, activation="swiglu", num_reg_tokens=2),
    "rotary, class token and mean": replace(
        OURS, pos_embed="none", rotary="centered", num_reg_tokens=2, global_pool="token+avg", norm_eps=1e-5
    ),
    "class token and mean, epsilon 1e-5": replace(OURS, global_pool="token+avg", norm_eps=1e-5),
}
