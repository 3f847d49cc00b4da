"""The settings of a checkpoint that its shapes do not show, and the errors for unsupported ones."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corolla.models.config import Rotary

LONGEST_VALUE = 60  # characters of a value in an error message


@dataclass(frozen=True)
class Turning:
    """How queries and keys are rotated by a patch's position; the first three are fields of `ViTConfig`."""

    rotary: Rotary = "none"
    rotary_base: float = 100.0
    rotary_grid: tuple[int, int] | None = None
    neighbors: bool = False  # a pair is two adjacent channels, and not half a head apart
    columns_first: bool = False  # the first half of the pairs rotates with the column


@dataclass(frozen=True)
class CheckpointHints:
    """The settings; None where unknown."""

    num_heads: int | None = None
    epsilon: float | None = None  # of the norms
    activation: Literal["gelu", "swiglu"] | None = None
    global_pool: Literal["token", "avg"] | None = None  # the input of the head
    image_sizes: tuple[tuple[int, int], ...] = ()  # possible sizes for the positions, the most likely first
    class_position: bool | None = None  # whether the class token has its own position
    without_biases: bool = False  # queries, keys and values may lack biases
    plain: bool = False  # named like one of timm's without rotary positions
    turning: Turning | None = None  # known for an architecture that may have rotary positions, even if it has none
    idle_pooler: bool = False  # a pooler beside a head is known to be unused
    shapes: Mapping[str, int] = field(default_factory=dict)  # values for fields of `ViTConfig`


def refused(key: str, value: Any, known: str, library: str) -> ValueError:
    """The error for a setting that changes the model from `known`, which we support."""
    return ValueError(
        f"its {key} is {shown(value)}, and corolla computes only {known}; use it with {library} itself, "
        f"or correct {key} if that is not how the weights were trained"
    )


def unknown(key: str, value: Any, library: str) -> ValueError:
    """The error for a setting with an unknown meaning."""
    return ValueError(
        f"it has {key}: {shown(value)}, and corolla does not know whether that changes what {library} computes; "
        f"use it with {library} itself, or take {key} out if it means nothing"
    )


def check(settings: Mapping[str, Any], only: Mapping[str, Collection[Any]], library: str, place: str = "") -> None:
    """Raise ValueError for a key of `only` with a value that is not allowed; null is the default."""
    for key, values in only.items():
        value = settings.get(key)
        if value is not None and not any(value == each and type(value) is type(each) for each in values):
            known = " or ".join(shown(each) for each in values) or "the usual one"
            raise refused(f"{place}{key}", value, known, library)


def pixels(size: Any) -> tuple[int, int] | None:
    """Height and width of an image size in any library's format, or None if it is not valid."""
    values = [size, size] if isinstance(size, int) and not isinstance(size, bool) else size
    if not isinstance(values, list | tuple) or len(values) != 2:
        return None
    if not all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values):
        return None
    return values[0], values[1]


def whole(settings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, int]:
    """The integers in `settings`, by our names for theirs."""
    return {
        ours: settings[theirs]
        for theirs, ours in names.items()
        if isinstance(settings.get(theirs), int) and not isinstance(settings[theirs], bool)
    }


def number_of_heads(settings: Mapping[str, Any], key: str) -> int | None:
    """The number of heads in `key`, if set; ValueError for an invalid value."""
    heads = settings.get(key)
    if heads is not None and (not isinstance(heads, int) or isinstance(heads, bool) or heads < 1):
        raise ValueError(f"its {key} is {shown(heads)}; it should be an integer")
    return heads


def epsilon_in(settings: Mapping[str, Any]) -> float | None:
    """The epsilon of the norms in `settings`, if set."""
    epsilon = settings.get("layer_norm_eps")
    if epsilon is not None and (not isinstance(epsilon, float) or not 0 < epsilon < 1):
        raise ValueError(f"layer_norm_eps is {shown(epsilon)}; it should be a small number above 0")
    return epsilon


def base_in(settings: Mapping[str, Any], key: str, usual: float, place: str = "") -> float:
    """The base of rotary positions in `key`; ValueError for an invalid value."""
    base = settings.get(key, usual)
    if isinstance(base, bool) or not isinstance(base, int | float) or not base > 1:
        raise ValueError(f"its {place}{key} is {shown(base)}; it should be a number above 1, such as {usual:g}")
    return float(base)


def shown(value: Any) -> str:
    """A value as in a settings file."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
