"""MixUp and CutMix, by torchvision."""

from typing import TYPE_CHECKING

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
