"""From whatever the user has to a `Manifest`: decoded safely, split fairly, hashed."""

from corolla.data.cache import cache_folder

__all__ = ["cache_folder"]
