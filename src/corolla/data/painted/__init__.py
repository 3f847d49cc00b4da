"""Five kinds of flower painted by rule: images to train on where there is no network.

Shape tells the kinds apart; color, light, place, size and background are shared between them. Each flower is built
in space, turned, lit and drawn with a depth buffer:

- `sheets` bends petals, leaves and stems; `flowers` puts them together, one file a kind;
- `greenery`, `visitors` and `backdrop` are what else is in the image;
- `splat` lights and draws; `scene` arranges and takes the photograph;
- `dataset` writes files, on several cores by `painters`; `kept` is the set in the cache.
"""

from corolla.data.painted.dataset import KINDS, paint, paint_dataset
from corolla.data.painted.kept import kept_set

__all__ = ["KINDS", "kept_set", "paint", "paint_dataset"]
