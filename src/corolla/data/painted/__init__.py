"""Procedurally painted images of five kinds of flower, to train on without a network.

The kinds differ in shape; color, light, position, size and background are shared between them. Each flower is modeled
in 3D, rotated, lit and drawn with a depth buffer:

- `sheets` bends petals, leaves and stems; `flowers` assembles them, one file per kind;
- `greenery`, `visitors` and `backdrop` are the rest of the image;
- `splat` lights and draws; `scene` arranges and takes the photograph;
- `dataset` writes files, on several cores with `painters`; `kept` is the set in the cache.
"""

from corolla.data.painted.dataset import KINDS, paint, paint_dataset
from corolla.data.painted.kept import kept_set

__all__ = ["KINDS", "kept_set", "paint", "paint_dataset"]
