"""MixUp and CutMix, by torchvision."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from corolla.preprocessing import Preprocessing
from corolla.processes import Processes

if TYPE_CHECKING:
    from torchvision.transforms.v2 import Transform


def mixer(num_classes: int) -> "Transform":
    """MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899) for a whole batch, each half of the time.

    Takes images (B, 3, H, W) and class numbers (B,); returns images and targets (B, classes).
    """
    from torchvision.transforms import v2  # imported late: it loads torch's compiler, which takes longer than a probe

    return v2.RandomChoice(
        [v2.MixUp(alpha=0.8, num_classes=num_classes), v2.CutMix(alpha=1.0, num_classes=num_classes)]
    )


class BatchMixer:
    """Normalizes the batches of a training, and mixes them with a probability."""

    def __init__(
        self, num_classes: int, probability: float, preprocessing: Preprocessing, processes: Processes
    ) -> None:
        self.mix = mixer(num_classes) if probability else None
        self.probability, self.preprocessing, self.processes = probability, preprocessing, processes

    def __call__(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """From uint8 views (B, 3, H, W) and class numbers (B,) to images, and (B,) or mixed targets (B, classes).

        If several processes share the batch, B is this process's part.
        """
        mix = self.mix if torch.rand(()) < self.probability else None
        if mix is None or self.processes.count == 1:
            images = self.preprocessing.normalize(pixels)
            return mix(images, labels) if mix else (images, labels)
        # Each image is mixed with the one before it, the first of this part with the last of the previous part.
        image, label = self.processes.ring_recv(pixels[-1:].contiguous(), labels[-1:])
        images, targets = mix(self.preprocessing.normalize(torch.cat([image, pixels])), torch.cat([label, labels]))
        return images[1:], targets[1:]
