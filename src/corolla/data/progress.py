"""How long work is followed: one kind of callback for everything in this folder."""

from collections.abc import Callable

# What is being done ("downloading", "unpacking", "painting", "checking"), how much is done, of how much;
# bytes while downloading (of 0 if the server does not say), else files.
Progress = Callable[[str, int, int], None]
