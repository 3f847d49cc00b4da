"""What `corolla.train` may be given is every field of a recipe, and nothing else."""

from dataclasses import fields
from typing import get_args, get_type_hints

from corolla.training.overrides import RecipeOverrides
from corolla.training.recipe import Recipe, kinds


def test_every_field_of_a_recipe_may_be_overridden_and_nothing_else() -> None:
    assert list(get_type_hints(RecipeOverrides)) == [field.name for field in fields(Recipe) if field.name != "name"]


def test_an_override_has_the_type_of_its_field_or_is_none() -> None:
    plain = (bool, int, float, str)
    for name, hint in get_type_hints(RecipeOverrides).items():
        kind = get_args(kinds()[name])[0]
        assert type(None) in get_args(hint)
        assert kind not in plain or name in ("weights", "teacher") or kind in get_args(hint), name
