"""The preprocessing from an image to the model's input tensor.

Validation in training, `evaluate` and `predict` all call the same object, and it is saved with the model: most
reports of "the model predicts differently outside training" come from two preprocessings that should be one.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:  # an exported model predicts without torch
    from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]
CropMode = Literal["center", "squash"]  # by timm's names
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Preprocessing:
    """The largest center crop with the right aspect ratio, resized once with antialiasing, scaled and normalized.

    The crop mode "squash" takes the whole image instead, whatever its aspect ratio, as many published models do.
    """

    image_size: tuple[int, int]  # height, width in pixels
    crop_fraction: float = 1.0  # fraction of the crop's sides that is used, 0.875 for many published weights
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = IMAGENET_MEAN  # of red, green, blue in [0, 1]
    std: tuple[float, float, float] = IMAGENET_STD
    crop_mode: CropMode = "center"

    def crop_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The crop (left, top, right, bottom) of a `width` x `height` image, in fractional pixels."""
        rows, columns = self.image_size
        across, down = width / columns, height / rows  # pixels of the image under one of the result
        if self.crop_mode == "center":
            across = down = min(across, down)
        wide, tall = columns * across * self.crop_fraction, rows * down * self.crop_fraction
        # Rounding may put an edge slightly outside, which Pillow rejects.
        left, top = max((width - wide) / 2, 0.0), max((height - tall) / 2, 0.0)
        return left, top, min(left + wide, width), min(top + tall, height)

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """The cropped and resized image (H, W, 3) of an RGB image of any size."""
        rows, columns = self.image_size
        # Pillow and not the tensor resize: they differ by enough to move logits (pytorch/vision#2950).
        sized = image.resize((columns, rows), FILTERS[self.interpolation], box=self.crop_box(*image.size))
        return np.array(sized)

    def normalize(self, pixels: "Tensor") -> "Tensor":
        """From uint8 (..., 3, H, W) to the model's float input."""
        import torch

        mean, std = (torch.tensor(value, device=pixels.device).view(3, 1, 1) for value in (self.mean, self.std))
        return (pixels.float() / 255 - mean) / std

    def __call__(self, image: Image.Image) -> "Tensor":
        """From an RGB image of any size to float32 (3, H, W)."""
        import torch

        return self.normalize(torch.from_numpy(self.pixels(image)).permute(2, 0, 1))

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `config.json`."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Preprocessing":
        """From the values of `to_json`; ValueError or TypeError if they do not fit."""

        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        preprocessing = Preprocessing(**fields)
        sides = preprocessing.image_size
        if len(sides) != 2 or not all(isinstance(side, int) and 0 < side <= 8192 for side in sides):
            raise ValueError(f"image_size {sides} should be two whole numbers of pixels")
        if preprocessing.interpolation not in FILTERS or not 0 < preprocessing.crop_fraction <= 1:
            raise ValueError("interpolation or crop_fraction is out of range")
        if preprocessing.crop_mode not in get_args(CropMode):
            raise ValueError(f"crop_mode is {preprocessing.crop_mode!r}; it should be center or squash")
        if len(preprocessing.mean) != 3 or len(preprocessing.std) != 3 or not all(s > 0 for s in preprocessing.std):
            raise ValueError("mean and std should be three numbers each, std above zero")
        return preprocessing
