"""Procedurally painted images of five kinds of flower, to train on without a network.

The kinds differ in shape; color, light, position, size and background are shared between them. Each flower is modeled
in 3D, rotated, lit and drawn with a depth buffer:

- `surfaces` bends petals, leaves and stems; `flowers` assembles them, one file per kind;
- `greenery`, `insects` and `backdrop` are the rest of the image;
- `rasterize` lights and draws; `scene` arranges and takes the photograph;
- `dataset` writes files, on several cores with `painters`, each image by `image`; `cached` is the set in the cache.
"""

from corolla.painted.cached import cached_set
from corolla.painted.dataset import paint_dataset
from corolla.painted.image import KINDS, paint

__all__ = ["KINDS", "cached_set", "paint", "paint_dataset"]
