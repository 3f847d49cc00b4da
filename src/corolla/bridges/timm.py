"""Registers the architecture `corolla_vit` in timm, for models such as hybrids with a convolutional stem.

import timm
import corolla.bridges.timm

model = timm.create_model("local-dir:FOLDER", pretrained=True)
"""

from typing import Any

from timm.models import build_model_with_cfg, register_model
from torch import Tensor, nn

from corolla.models.config import config_from
from corolla.models.vit import Intermediates, ViT


class CorollaViT(ViT):
    """Our model with the interface of timm's models."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, **shape: Any) -> None:
        """The rest is a `ViTConfig` as plain values, without the number of classes; 0 classes omit the head.

        Accepts images of any size.
        """
        for unneeded in ("img_size", "dynamic_img_size"):
            shape.pop(unneeded, None)
        if in_chans != 3:
            raise ValueError(f"this model reads images with 3 channels, not {in_chans}")
        super().__init__(config_from(shape | {"num_classes": max(num_classes, 1)}))
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = self.head.in_features
        self.embed_dim = self.config.embed_dim
        if num_classes == 0:
            self.reset_classifier(0)

    def forward_head(self, z: Tensor, seen: Intermediates | None = None, pre_logits: bool = False) -> Tensor:
        """The logits (B, classes) of the last layer (B, S, D), or with `pre_logits` the input of the head."""
        if not pre_logits:
            return super().forward_head(z, seen)
        y = self.pool(z)
        return y if self.head_dist is None else (y + z[:, 1]) / 2

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by one of zeros; no head for 0 classes."""
        self.num_classes = num_classes
        for name in ("head", "head_dist"):
            old = getattr(self, name)
            if old is not None and num_classes:
                fresh = nn.Linear(self.num_features, num_classes)
                nn.init.zeros_(fresh.weight)
                nn.init.zeros_(fresh.bias)
                setattr(self, name, fresh.to(self.norm.weight.device))
            elif old is not None:
                setattr(self, name, nn.Identity())


def corolla_vit(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """The entry point for `timm.create_model`."""
    model: nn.Module = build_model_with_cfg(CorollaViT, "corolla_vit", pretrained, **arguments)
    return model


register_model(corolla_vit)
