"""The exponential moving average (EMA) of the weights, which a run saves and predicts with."""

import copy

import torch

from corolla.models.vit import ViT
from corolla.training.sharding import shard, to_local, whole_model


class ModelEma:
    """An exponential moving average of a model's weights (Polyak & Juditsky 1992).

    The decay starts small, so that the random initial weights are forgotten: at step t it is at most
    (t + 1) / (t + 10).
    """

    def __init__(self, model: ViT, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    def shard(self) -> None:
        """Shard the average over the processes, like its model."""
        shard(self.model)

    def whole(self) -> ViT:
        """The average as an unsharded model; if it is sharded, every process has to call this."""
        return whole_model(self.model)

    @torch.no_grad()
    def update(self, model: ViT) -> None:
        """Add the weights after one more step; batch norm's running statistics are averaged too."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mine = [to_local(tensor) for tensor in self.model.state_dict().values()]
        theirs = [to_local(tensor) for tensor in model.state_dict().values()]
        floating = [index for index, tensor in enumerate(mine) if tensor.is_floating_point()]
        torch._foreach_lerp_([mine[i] for i in floating], [theirs[i] for i in floating], 1 - decay)
        for index in set(range(len(mine))) - set(floating):
            mine[index].copy_(theirs[index])
