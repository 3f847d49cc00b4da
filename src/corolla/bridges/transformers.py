"""Registers the model type `corolla_vit` in transformers, for models such as hybrids with a convolutional stem.

import corolla.bridges.transformers
from transformers import pipeline

answer = pipeline("image-classification", model="FOLDER")
"""

from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    BitImageProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import ImageClassifierOutput

from corolla.models.config import config_from
from corolla.models.vit import ViT


class CorollaViTConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """`vit` is a `ViTConfig` as plain values, without the number of classes, which comes from `id2label`."""

    model_type = "corolla_vit"


class CorollaViTForImageClassification(PreTrainedModel):  # type: ignore[no-untyped-call]
    """Our model with the interface of transformers' models."""

    config_class = CorollaViTConfig
    base_model_prefix = "vit"
    main_input_name = "pixel_values"

    def __init__(self, config: CorollaViTConfig) -> None:
        super().__init__(config)
        self.vit = ViT(config_from(config.vit | {"num_classes": config.num_labels}))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Initialize missing weights: a head for other classes with zeros; the rest keeps `ViT`'s initialization."""
        if isinstance(module, nn.Linear) and module in (self.vit.head, self.vit.head_dist):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None, **unused: Any) -> ImageClassifierOutput:
        """The logits (B, classes) of normalized images (B, 3, H, W), and the loss if `labels` (B) are given."""
        logits = self.vit(pixel_values)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits)


AutoConfig.register("corolla_vit", CorollaViTConfig)
AutoModelForImageClassification.register(CorollaViTConfig, CorollaViTForImageClassification)
AutoImageProcessor.register(CorollaViTConfig, image_processor_classes={"torchvision": BitImageProcessor})
