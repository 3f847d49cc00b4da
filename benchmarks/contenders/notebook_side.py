"""The loop of most notebooks: a model from torchvision, Adam, float32."""

import torch
from torch import nn

from contender import BATCH, Trial, batch_of_chance, serve, trial
from contenders.torchvision_side import made


def training(model: str) -> Trial:
    """Forward, backward, Adam, and the running loss and accuracy that the notebook shows."""
    vit = made(model).train()
    optimizer = torch.optim.Adam(vit.parameters(), lr=1e-3)
    criterion, shown = nn.CrossEntropyLoss(), {"loss": 0.0, "right": 0}
    images, labels = batch_of_chance()

    def step() -> None:
        optimizer.zero_grad()
        outputs = vit(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        shown["loss"] += loss.item() * len(images)
        shown["right"] += int((outputs.argmax(dim=1) == labels).sum())

    return trial(step, BATCH, warm=2)


if __name__ == "__main__":
    serve(("torchvision",), training)
