"""The progress callback that everything in this folder uses."""

from collections.abc import Callable

# The activity ("downloading", "unpacking", "painting", "checking"), how much is done, and the total;
# in bytes while downloading (total 0 if the server does not say), otherwise in files.
Progress = Callable[[str, int, int], None]
