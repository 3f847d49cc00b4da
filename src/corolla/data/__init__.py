"""Turns the user's data into a `Manifest`: images checked, hashed and split without leakage."""

from corolla.cache import cache_folder

__all__ = ["cache_folder"]
