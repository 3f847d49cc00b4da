"""Every field of a recipe takes what it can use, in whatever shape it comes, and refuses the rest in one line."""

import json
import math
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corolla.errors import CorollaError
from corolla.training.recipe import Recipe, kinds
from corolla.training.recipe_fields import Range
from corolla.training.recipes import RECIPES
from corolla.training.recipes.scratch import RECIPE

KINDS = kinds()
# unfreeze_last and lora_rank exclude each other, and no epochs need a head: these are tried on a recipe of a probe.
PLAIN = RECIPES["probe"].recipe


def inner(name: str) -> Any:
    kind = KINDS[name]
    return get_args(kind)[0] if hasattr(kind, "__metadata__") else kind


WHOLE = sorted(name for name in KINDS if inner(name) is int)
REAL = sorted(name for name in KINDS if inner(name) is float)
TEXT = sorted(name for name in KINDS if inner(name) is str)
FLAG = sorted(name for name in KINDS if inner(name) is bool)
CHOSEN = sorted(name for name in KINDS if get_origin(inner(name)) is Literal)


def limits(name: str) -> Range:
    return KINDS[name].__metadata__[0]  # type: ignore[no-any-return]


def test_every_field_is_of_a_kind_that_is_checked() -> None:
    assert sorted([*WHOLE, *REAL, *TEXT, *FLAG, *CHOSEN, "progressive_resizing"]) == sorted(
        field.name for field in fields(Recipe)
    )
    assert all(isinstance(limits(name), Range) and limits(name) != Range() for name in (*WHOLE, *REAL))


def refused(name: str, value: Any) -> None:
    with pytest.raises(CorollaError) as caught:
        replace(PLAIN, **{name: value})
    said = str(caught.value)
    assert said.startswith(f"{name} is ")
    assert "\n" not in said
    assert len(said) < 300


@settings(deadline=None)
@given(name=st.sampled_from(WHOLE), number=st.integers())
def test_whole_numbers_of_every_kind(name: str, number: int) -> None:
    if not limits(name).holds(number):
        refused(name, number)
        return
    shapes = [number, Fraction(number)]
    if abs(number) < 2**53:
        shapes += [float(number), np.float64(number)]
    if abs(number) < 2**63:
        shapes += [np.int64(number), np.array(number), torch.tensor(number)]
    for value in shapes:
        kept = getattr(replace(PLAIN, **{name: value}), name)
        assert (kept, type(kept)) == (number, int)


@settings(deadline=None)
@given(name=st.sampled_from(REAL), number=st.floats())
def test_numbers_of_every_kind(name: str, number: float) -> None:
    assert limits(name).holds(number) <= math.isfinite(number)
    if not limits(name).holds(number):
        for value in (number, np.float64(number)):
            refused(name, value)
        return
    for value in (number, np.float64(number), np.array(number), torch.tensor(number, dtype=torch.float64)):
        kept = getattr(replace(PLAIN, **{name: value}), name)
        assert (kept, type(kept)) == (number, float)


NO_NUMBER = [
    True,
    False,
    np.True_,
    "1",
    b"1",
    1j,
    float("nan"),
    float("inf"),
    [1],
    (1,),
    {},
    np.ones(2),
    object(),
    10**400,
]


@pytest.mark.parametrize("name", [*WHOLE, *REAL])
def test_what_is_no_number(name: str) -> None:
    for value in NO_NUMBER:
        refused(name, value)


@pytest.mark.parametrize("name", WHOLE)
def test_a_part_of_one_is_no_whole_number(name: str) -> None:
    for value in (1.5, np.float32(2.5), Fraction(3, 2), np.nextafter(2.0, 3.0)):
        refused(name, value)


@pytest.mark.parametrize("name", FLAG)
def test_yes_and_no(name: str) -> None:
    for value in (True, np.True_, torch.tensor(True)):
        assert getattr(replace(PLAIN, **{name: value}), name) is True
    for value in (0, 1, 1.0, "yes", "False", [], np.ones(2, bool)):
        refused(name, value)


@pytest.mark.parametrize("name", CHOSEN)
def test_one_of_several_words(name: str) -> None:
    words = get_args(get_args(KINDS[name])[0])
    for word in words:
        if (name, word) != ("head", "zeros"):  # with no epochs
            kept = getattr(replace(PLAIN, **{name: np.str_(word)}), name)
            assert (kept, type(kept)) == (word, str)
    for value in (words[0].upper(), "", "none of them", 1, True, [words[0]], b"none"):
        refused(name, value)


@pytest.mark.parametrize("name", TEXT)
def test_a_path_is_a_text(name: str) -> None:
    kept = getattr(replace(PLAIN, **{name: Path("a") / "b"}), name)
    assert (kept, type(kept)) == (str(Path("a") / "b"), str)
    for value in (1, True, ["a"], b"a", object()):
        refused(name, value)


STARTS = st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=4, unique=True).map(sorted)


@settings(deadline=None)
@given(data=st.data(), starts=STARTS)
def test_progressive_resizing_of_lists_arrays_and_tuples_is_the_same(data: st.DataObject, starts: list[float]) -> None:
    starts = [0.0, *starts]
    shares = data.draw(st.lists(st.floats(0, 1, exclude_min=True), min_size=len(starts), max_size=len(starts)))
    pairs = tuple(zip(starts, shares, strict=True))
    for value in (
        pairs,
        [list(pair) for pair in pairs],
        np.array(pairs),
        [tuple(map(np.float64, pair)) for pair in pairs],
    ):
        assert replace(PLAIN, progressive_resizing=value).progressive_resizing == pairs
    for at in range(1, len(pairs)):
        refused("progressive_resizing", [*pairs[:at], pairs[0], *pairs[at:]])


@pytest.mark.parametrize(
    "growth",
    [
        (), [], ((0.5, 1.0),), ((0.0, 0.0),), ((0.0, 1.1),), ((0.0, -1.0),), ((0.0, 0.5), (1.0, 1.0)), ((0.0,),),
        (0.0, 1.0), ((0.0, 1.0, 1.0),), ((0.0, float("nan")),), ((float("nan"), 1.0),), ((False, True),), "0:1",
        ("ab",), None, 5, {0.0: 1.0}, ((0.0, "1"),), ((0.0, 0.5), (0.6, 0.7), (0.3, 1.0)), np.zeros((0, 2)),
        np.zeros(2), [[0.0, 1.0], None],
    ],
)  # fmt: skip
def test_progressive_resizing_that_makes_no_sense(growth: Any) -> None:
    refused("progressive_resizing", growth)


SIMPLE = st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary()
ANYTHING = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner), max_leaves=6)


@settings(deadline=None)
@given(st.sampled_from(sorted(KINDS)), ANYTHING)
def test_whatever_is_given_is_taken_or_refused_in_one_line_and_lasts(name: str, value: Any) -> None:
    try:
        recipe = replace(RECIPE, **{name: value})
    except CorollaError as error:
        assert str(error).splitlines() == [str(error)]  # noqa: PT017 - either is fine
        return
    assert Recipe(**json.loads(json.dumps(recipe.to_json()))) == recipe


def test_what_a_recipe_says_of_itself_makes_the_same_recipe() -> None:
    for named in RECIPES.values():
        assert Recipe(**json.loads(json.dumps(named.recipe.to_json()))) == named.recipe
