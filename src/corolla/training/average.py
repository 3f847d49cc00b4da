"""The exponential moving average of the weights, which is what a run keeps and answers with."""

import copy

import torch

from corolla.models.vit import ViT
from corolla.training.sharding import local, shard, whole_model


class ModelEma:
    """A copy of a model that follows it slowly (Polyak & Juditsky 1992).

    Early on the average is short, so that the first, random weights are forgotten: after t steps at most t + 1 of
    t + 10 parts stay.
    """

    def __init__(self, model: ViT, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    def shard(self) -> None:
        """Share the average out over the processes, as the model that it follows is."""
        shard(self.model)

    def whole(self) -> ViT:
        """The average as a model that answers; every process has to ask for it where it is shared out."""
        return whole_model(self.model)

    @torch.no_grad()
    def update(self, model: ViT) -> None:
        """Take in the weights after one more step; batch norm's running statistics are averaged too."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mine = [local(tensor) for tensor in self.model.state_dict().values()]
        theirs = [local(tensor) for tensor in model.state_dict().values()]
        floating = [index for index, tensor in enumerate(mine) if tensor.is_floating_point()]
        torch._foreach_lerp_([mine[i] for i in floating], [theirs[i] for i in floating], 1 - decay)
        for index in set(range(len(mine))) - set(floating):
            mine[index].copy_(theirs[index])
