"""The state of a training between two steps, as one safetensors file that is written whole or not at all.

Every step starts from its own seed, so no RNG state is saved. Tensors are saved unsharded, so a training can be
resumed with another number of processes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from corolla.checksummed import load_sealed, save_sealed
from corolla.errors import CorollaError
from corolla.processes import Processes
from corolla.run import Run
from corolla.training import clock
from corolla.training.schedule import Pace
from corolla.training.sharding import distribute_like, full_tensor

CHECKPOINT_SECONDS = 300.0  # between two checkpoints within an epoch, by default
SHARE = 0.01  # of a training's time for checkpoints between epochs


@dataclass
class TrainState:
    """How far a training is, and its best validation so far."""

    epochs_done: int = 0
    batches_done: int = 0  # of the current epoch
    loss_sum: float = 0.0  # over those batches
    epoch_seconds: float = 0.0  # that they took
    step_seconds: float = 0.0  # of these, the time in steps and not waiting for batches
    image_size: int = 0  # of the current epoch, in pixels
    seconds: float = 0.0  # of training, over all resumptions
    spent: float = 0.0  # of the whole command, over all resumptions
    pace: Pace = field(default_factory=lambda: Pace(0.0))  # the planned end, as last planned
    validated_at: float = 0.0  # the progress at the last validation
    best_epoch: int = -1  # from 1, 0 for the initial head; -1 before the first validation
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    since_best: int = 0  # validations without improvement
    average_steps: int = 0
    finished: bool = False

    def judge(self, epoch: int, accuracy: float, loss: float, patience: int) -> bool:
        """Record the validation after an epoch: whether it is the best so far; after `patience` worse ones, finish."""
        if better := (accuracy, -loss) > (self.best_accuracy, -self.best_loss):
            self.best_epoch, self.since_best, self.best_accuracy, self.best_loss = epoch, 0, accuracy, loss
        else:
            self.since_best += 1
            self.finished = 0 < patience <= self.since_best
        return better

    def row(self, learning_rate: float, batch_size: int) -> dict[str, Any]:
        """The current epoch as a row of `metrics.jsonl`."""
        return {
            "epoch": self.epochs_done + 1,
            "epochs": math.ceil(self.pace.epochs),
            "image_size": self.image_size,
            "train_loss": self.loss_sum / self.batches_done,
            "learning_rate": learning_rate,
            "seconds": self.epoch_seconds,
            "step_seconds": self.step_seconds,
            "images_per_second": self.batches_done * batch_size / self.epoch_seconds,
        }

    def next_epoch(self) -> None:
        """Count one more finished epoch."""
        self.epochs_done += 1
        self.batches_done, self.loss_sum, self.epoch_seconds, self.step_seconds = 0, 0.0, 0.0, 0.0

    @staticmethod
    def from_json(values: dict[str, Any]) -> "TrainState":
        """From `dataclasses.asdict`; TypeError if it does not fit."""
        return TrainState(**values | {"pace": Pace(**values.get("pace", {"epochs": 0.0}))})


class Checkpointer:
    """Writes the checkpoints of one training, as often as they cost little, and reads the last one."""

    def __init__(
        self,
        run: Run,
        key: str,
        modules: Mapping[str, nn.Module],
        optimizers: list[Optimizer],
        processes: Processes,
        seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.path, self.key, self.modules, self.optimizers = run.checkpoint, key, modules, optimizers
        self.processes, self.seconds = processes, seconds
        self.saved, self.cost = clock.now(), 0.0  # the time of the last one, and the seconds that it took

    def load(self) -> TrainState:
        """Restore the last checkpoint; `CorollaError` if it is damaged or belongs to another training."""
        return load_checkpoint(self.path, self.modules, self.optimizers, self.key)

    def save(self, position: TrainState) -> None:
        """Write one; every process has to call this."""
        started = clock.now()
        state = gather_state(self.modules, self.optimizers)
        if self.processes.main:
            save_checkpoint(self.path, position, state, self.key)
        self.saved = clock.now()
        self.cost = self.saved - started

    def late(self, now: float) -> bool:
        """Whether one is due within an epoch."""
        return now - self.saved > self.seconds

    def due(self, ended: bool) -> bool:
        """Whether one is due between two epochs: at the end, and as often as it costs little."""
        waited = clock.now() - self.saved
        return bool(self.processes.broadcast_object(ended or waited >= min(self.cost / SHARE, self.seconds)))


def gather_state(modules: Mapping[str, nn.Module], optimizers: list[Optimizer]) -> dict[str, Tensor]:
    """Every tensor that the next step needs, unsharded, on the CPU; every process has to call this."""
    tensors: dict[str, Tensor] = {}
    for part, module in modules.items():
        tensors |= {f"{part}.{name}": tensor for name, tensor in module.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for parameter, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{parameter}.{name}": tensor for name, tensor in state.items()}
    return {name: full_tensor(tensor).detach().cpu().contiguous() for name, tensor in tensors.items()}


def save_checkpoint(path: Path, position: TrainState, state: dict[str, Tensor], key: str) -> None:
    """Write the position of a training and its `gather_state`; `key` identifies the training."""
    words = {"position": json.dumps(asdict(position)), "key": key}
    save_sealed(state, path, words)


def load_checkpoint(path: Path, modules: Mapping[str, nn.Module], optimizers: list[Optimizer], key: str) -> TrainState:
    """Restore a saved state; `CorollaError` if the file is damaged or belongs to another training."""
    try:
        tensors, words = load_sealed(path)
        if words.get("key") != key:
            raise CorollaError(
                f"{path} belongs to a training with other data, recipe, seed or version of corolla; "
                "repeat the command it was started with, or choose another --out"
            )
        position = TrainState.from_json(json.loads(words["position"]))
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in (*modules, "optimizer")}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        for part, module in modules.items():
            has = module.state_dict()
            module.load_state_dict(
                {n: distribute_like(t, like=has[n]) if n in has else t for n, t in parts[part].items()}
            )
        for number, optimizer in enumerate(optimizers):
            put_back(optimizer, parts["optimizer"], number)
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorollaError(f"cannot continue from {path}: {first}; delete it and start again") from None
    return position


def put_back(optimizer: Optimizer, tensors: dict[str, Tensor], number: int) -> None:
    """Restore an optimizer's saved state, each tensor in the memory layout of its parameter.

    The fused AdamW reads parameter and state in memory order, so if only one of them is channels-last, it would
    silently pair the wrong numbers.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        owner, index, key = name.split(".", 2)
        if int(owner) == number:
            parameter = parameters[int(index)]
            same = tensor.shape == parameter.shape
            beside = torch.empty_like(parameter).copy_(distribute_like(tensor, like=parameter)) if same else tensor
            state.setdefault(int(index), {})[key] = beside
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
