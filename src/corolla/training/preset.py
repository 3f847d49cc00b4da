"""A size that `--minutes` chooses among: a model and the image size that suit so many views."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corolla.training.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A model and an image size, worth taking once the images can be seen often enough."""

    model: str
    image_size: int
    progressive_resizing: tuple[tuple[float, float], ...]
    fewest_views: int  # images seen in the whole training below which a smaller preset learns more
    # Other values of the recipe, where so few views need smaller batches or less regularization
    values: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with this preset's values."""
        return recipe.changed(
            model=self.model, image_size=self.image_size, progressive_resizing=self.progressive_resizing, **self.values
        )
