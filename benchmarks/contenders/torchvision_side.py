"""torchvision as a contender: the step of references/classification/train.py, ImageFolder with transforms.v2."""

import gc
import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import VisionTransformer, ViT_B_16_Weights
from torchvision.transforms import v2

from contender import (
    BATCH,
    CLASSES,
    PIXELS,
    SHAPES,
    Answer,
    Asked,
    Trial,
    batch_of_chance,
    eager,
    serve,
    through,
    trial,
)

BILINEAR = v2.InterpolationMode.BILINEAR
POLICIES = {
    "none": [],
    "light": [v2.RandomRotation(20, BILINEAR), v2.ColorJitter(0.3, 0.3, 0.3)],
    "trivial": [v2.TrivialAugmentWide(interpolation=BILINEAR)],
}


def made(model: str) -> VisionTransformer:
    """The model with random weights."""
    shape = SHAPES[model]
    return VisionTransformer(
        image_size=PIXELS, patch_size=16, num_layers=shape.depth, num_heads=shape.heads,
        hidden_dim=shape.width, mlp_dim=shape.mlp_dim, num_classes=CLASSES,
    )  # fmt: skip


def training(model: str) -> Trial:
    """The reference's loop with its defaults: float32, SGD with momentum, no clipping, no average."""
    vit = made(model).train()
    optimizer = torch.optim.SGD(vit.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    criterion, told = nn.CrossEntropyLoss(), {"loss": 0.0, "right": 0.0}
    images, labels = batch_of_chance()

    def step() -> None:
        output = vit(images)
        loss = criterion(output, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # The reference prints loss and accuracy of every batch.
        told.update(loss=loss.item(), right=(output.argmax(dim=1) == labels).float().mean().item())

    return trial(step, BATCH, warm=2)


def asked(model: str) -> Asked:
    """The model with the transform that comes with torchvision's ViT weights."""
    return eager(made(model), ViT_B_16_Weights.IMAGENET1K_V1.transforms())


def images(folder: str, policy: str, workers: int) -> Answer:
    """Images per second in the first epoch, with everything before it, and in the second.

    The transforms have the order of the reference's presets, on Pillow images; like ours, a batch stays uint8.
    """
    gc.collect()  # ends the workers of the previous loader
    begun = time.perf_counter()
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(PIXELS, scale=(0.3, 1.0), antialias=True),
            v2.RandomHorizontalFlip(),
            *POLICIES[policy],
            v2.PILToTensor(),
            v2.RandomErasing(0.25),
        ]
    )
    loader = DataLoader(
        ImageFolder(folder, transform), batch_size=BATCH, shuffle=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    rates = []
    for _ in range(2):
        rates.append(through(loader, begun))
        begun = time.perf_counter()
    return {"first": rates[0], "later": rates[1]}


if __name__ == "__main__":
    serve(("torchvision",), training, asked, images=images)
