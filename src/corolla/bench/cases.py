"""The models to measure, with their image and batch sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.names import vit_config
from corolla.painted import KINDS

if TYPE_CHECKING:  # a wrong name is rejected without torch
    from torch import Tensor


@dataclass(frozen=True)
class Case:
    """A model at its image size, with a batch of `batch` images."""

    model: str
    batch: int

    @property
    def config(self) -> ViTConfig:
        """The model's config, with a head for the painted kinds; `CorollaError` for an unknown name."""
        return vit_config(self.model, len(KINDS))

    @property
    def size(self) -> int:
        """The side of the square images, in pixels."""
        return self.config.image_size[0]

    def pixels(self) -> "Tensor":
        """Noise as images, uint8 (B, 3, size, size): the content does not change the speed."""
        import torch

        generator = torch.Generator().manual_seed(0)
        return torch.randint(0, 256, (self.batch, 3, self.size, self.size), dtype=torch.uint8, generator=generator)


def cases_of(models: Sequence[str], sizes: Sequence[int], batches: Sequence[int]) -> list[Case]:
    """Every model at every size (pixels) and batch; `CorollaError` for an unknown name or an impossible size."""
    cases = [Case(name, batch) for name in at_sizes(models, sizes) for batch in batches]
    if not cases or min(batches) < 1:
        raise CorollaError("there is nothing to measure; give at least one model, and batches of at least 1 image")
    for case in cases:
        _ = case.config
    return cases


def at_sizes(models: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """The models' names, each with every one of `sizes` in place of its own, if there are any."""
    for name in models:
        vit_config(name, 1)  # so that the error for a wrong name shows it as it was given
    return [f"{name.rpartition('_')[0]}_{size}" for name in models for size in sizes] if sizes else list(models)
