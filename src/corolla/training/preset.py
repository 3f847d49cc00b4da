"""A preset that `--minutes` can choose: a model and an image size that suit a number of training images seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corolla.training.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A model and an image size, worth choosing if the training sees enough images."""

    model: str
    image_size: int
    progressive_resizing: tuple[tuple[float, float], ...]
    fewest_views: int  # images seen in the whole training; with fewer, a smaller preset learns more
    # Other values of the recipe, if few views need smaller batches or less regularization
    values: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with this preset's values."""
        return recipe.changed(
            model=self.model, image_size=self.image_size, progressive_resizing=self.progressive_resizing, **self.values
        )
