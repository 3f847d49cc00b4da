"""The teacher of a student: a network that predicts logits and feature maps for an augmented crop; its file."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from corolla.checksummed import DamagedError, load_sealed, save_sealed
from corolla.errors import CorollaError
from corolla.features.backbones import Pretrained
from corolla.preprocessing import Preprocessing

TOGETHER = 16  # images per forward pass on a CPU: more take more memory but are not faster


class Teacher(nn.Module):
    """A pretrained backbone with a linear head for the classes of the data, always in evaluation mode.

    Its batch norms keep the statistics of pretraining: a few thousand images are too few to replace them.
    """

    def __init__(self, pretrained: Pretrained, num_classes: int) -> None:
        super().__init__()
        self.backbone, self.preprocessing, self.multiple = (
            pretrained.backbone.eval(), pretrained.preprocessing, pretrained.multiple,
        )  # fmt: skip
        with torch.no_grad():
            maps, feature = self.backbone(torch.zeros(1, 3, *self.preprocessing.image_size))
        self.channels = tuple(feature_map.shape[1] for feature_map in maps)  # C of each map
        self.head = nn.Linear(feature.shape[1], num_classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stays in evaluation mode, whatever `mode` is."""
        return super().train(False)

    def forward(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Logits (B, classes) and feature maps (B, C, h, w) of images normalized for this teacher."""
        maps, feature = self.backbone(images)
        return self.head(feature.float()), maps

    @torch.no_grad()
    def look(self, images: Tensor, normalized_by: Preprocessing) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The same for a student's batch (B, 3, H, W), normalized by the student's preprocessing."""
        together = TOGETHER if images.device.type == "cpu" else len(images)
        seen = [self.forward(self.as_own(some, normalized_by)) for some in torch.split(images, together)]
        logits, maps = zip(*seen, strict=True)
        return torch.cat(logits), tuple(torch.cat(of_one_place) for of_one_place in zip(*maps, strict=True))

    def as_own(self, images: Tensor, normalized_by: Preprocessing) -> Tensor:
        """A student's batch converted to this teacher's preprocessing: size, mean and standard deviation.

        If a crop is smaller than the student's full size, it is also smaller for the teacher, if possible.
        """
        own, device = self.preprocessing, images.device
        mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (normalized_by.mean, normalized_by.std))
        own_mean, own_std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (own.mean, own.std))
        images = images * (std / own_std) + (mean - own_mean) / own_std
        rows, columns = own.image_size
        if self.multiple:
            share = min(images.shape[-1] / normalized_by.image_size[-1], 1.0)
            rows, columns = (math.ceil(side * share / self.multiple) * self.multiple for side in (rows, columns))
        if images.shape[-2:] != (rows, columns):
            images = F.interpolate(images, (rows, columns), mode="bilinear", antialias=True)
        return images.contiguous(memory_format=torch.channels_last)


def save_teacher(teacher: Teacher, file: Path, words: Mapping[str, str] | None = None) -> None:
    """Save a fitted teacher, with `words` as metadata, for a training that may be interrupted."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in teacher.state_dict().items()}
    save_sealed(state, file, words)


def words_of(file: Path) -> dict[str, str]:
    """The metadata of a saved teacher; empty if the file is missing or damaged."""
    try:
        return load_sealed(file)[1]
    except (OSError, DamagedError):
        return {}


def read_teacher(teacher: Teacher, file: Path) -> None:
    """Load a saved teacher's weights; `CorollaError` if they are damaged."""
    try:
        teacher.load_state_dict(load_sealed(file)[0])
    except (OSError, DamagedError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise CorollaError(
            f"cannot continue with the teacher in {file}: {first}; start again with another --out"
        ) from None
