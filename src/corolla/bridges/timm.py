"""Teaches timm the architecture `corolla_vit`, such as hybrids with a convolutional stem.

import timm
import corolla.bridges.timm

model = timm.create_model("local-dir:FOLDER", pretrained=True)
"""

from typing import Any

from timm.models import build_model_with_cfg, register_model
from torch import Tensor, nn

from corolla.model import ViT
from corolla.run import shape_from


class CorollaViT(ViT):
    """Our model with what timm asks of its own."""

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "", **shape: Any) -> None:
        """`shape` is a `ViTConfig` as plain values, without the number of classes; 0 classes leave out the head.

        `global_pool` belongs to timm's own models and changes nothing. Images of any size are taken as they come.
        """
        for unneeded in ("img_size", "dynamic_img_size"):
            shape.pop(unneeded, None)
        if in_chans != 3:
            raise ValueError(f"this model reads images of 3 colors, not {in_chans}")
        super().__init__(shape_from(shape | {"num_classes": max(num_classes, 1)}))
        self.num_classes = num_classes
        self.num_features = self.head_hidden_size = self.head.in_features
        self.embed_dim = self.config.width
        if num_classes == 0:
            self.reset_classifier(0)

    def forward_features(self, images: Tensor) -> Tensor:
        """The tokens (B, S, D) after the last block; normalized, unless the norm comes after pooling."""
        return self.encode(images)

    def forward_head(self, z: Tensor, pre_logits: bool = False) -> Tensor:
        """From those tokens to the logits (B, classes), or to what the head reads."""
        y = self.pool(z)
        logits: Tensor = y if pre_logits else self.head(y)
        if self.distillation_head is not None:
            logits = (logits + (z[:, 1] if pre_logits else self.distillation_head(z[:, 1]))) / 2
        return logits

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Another head, of zeros; none for 0 classes."""
        self.num_classes = num_classes
        for name in ("head", "distillation_head"):
            old = getattr(self, name)
            if old is not None and num_classes:
                fresh = nn.Linear(self.num_features, num_classes)
                nn.init.zeros_(fresh.weight)
                nn.init.zeros_(fresh.bias)
                setattr(self, name, fresh.to(self.norm.weight.device))
            elif old is not None:
                setattr(self, name, nn.Identity())


def corolla_vit(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """What `timm.create_model` calls."""
    model: nn.Module = build_model_with_cfg(CorollaViT, "corolla_vit", pretrained, **arguments)
    return model


register_model(corolla_vit)
