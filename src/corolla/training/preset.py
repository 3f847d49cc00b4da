"""A size that `--minutes` chooses among: a model and the image size that suit so many views."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corolla.training.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A model and a picture size, worth taking once the pictures can be seen often enough."""

    model: str
    image_size: int
    growth: tuple[tuple[float, float], ...]
    fewest_views: int  # pictures seen in the whole training below which a smaller rung learns more
    # Other values of the recipe, where so few views need smaller batches or less regularisation
    values: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe on this rung."""
        return recipe.changed(model=self.model, image_size=self.image_size, growth=self.growth, **self.values)
