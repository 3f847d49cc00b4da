"""timm as a contender: the step of its train.py with the defaults of that script, and its own transform."""

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils import AverageMeter

from contender import BATCH, CLASSES, PIXELS, Answer, Asked, Trial, batch_of_chance, eager, serve, trial


def made(model: str) -> torch.nn.Module:
    """The model with random weights."""
    return timm.create_model(f"vit_{model}_patch16_{PIXELS}", num_classes=CLASSES)


def training(model: str) -> Trial:
    """train.py without options, on a CPU: float32, SGD with momentum, smoothed labels, no clipping, no average."""
    vit = made(model).train()
    # train.py's --lr-base 0.1 is for 256 images.
    rate = 0.1 * BATCH / 256
    optimizer = create_optimizer_v2(vit, opt="sgd", lr=rate, weight_decay=2e-5, momentum=0.9)
    loss_of, losses = LabelSmoothingCrossEntropy(smoothing=0.1), AverageMeter()
    images, labels = batch_of_chance()

    def step() -> None:
        loss = loss_of(vit(images), labels)
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(images))
        optimizer.zero_grad()

    return trial(step, BATCH, warm=2)


def asked(model: str) -> Asked:
    """The model with the transform that timm makes for it."""
    vit = made(model)
    return eager(vit, create_transform(**resolve_model_data_config(vit), is_training=False))


def save(folder: str, model: str) -> Answer:
    """A file of random weights for `once.py`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(made(model).state_dict(), Path(folder) / "model.safetensors")
    return {}


if __name__ == "__main__":
    serve(("torchvision", "timm"), training, asked, save=save)
