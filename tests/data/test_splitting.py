from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corolla.data.manifest import SPLITS, Example
from corolla.data.splitting import split, units
from corolla.errors import CorollaError


def flat(counts: dict[str, int]) -> list[Example]:
    return [
        Example(f"{label}/{n}.jpg", label, sha256=f"{label}-{n}")
        for label, count in counts.items()
        for n in range(count)
    ]


def table(examples) -> dict[str, tuple[int, ...]]:
    counts = Counter((e.label, e.split) for e in examples)
    return {label: tuple(counts[label, name] for name in SPLITS) for label in sorted({e.label for e in examples})}


def test_seventy_fifteen_fifteen_in_every_class() -> None:
    assert table(split(flat({"rose": 100, "tulip": 1000, "daisy": 20}))) == {
        "daisy": (14, 3, 3),
        "rose": (70, 15, 15),
        "tulip": (700, 150, 150),
    }


def test_every_side_gets_something_of_a_small_class() -> None:
    result = table(split(flat({"a": 3, "b": 4, "c": 5, "d": 7})))
    assert result == {"a": (1, 1, 1), "b": (2, 1, 1), "c": (3, 1, 1), "d": (5, 1, 1)}


def test_many_small_classes_favor_neither_validation_nor_test() -> None:
    result = split(flat({f"{n:03}": 10 for n in range(100)}))
    sides = Counter(example.split for example in result)
    assert sides["train"] == pytest.approx(700, abs=10)
    assert abs(sides["val"] - sides["test"]) <= 2


def test_the_same_seed_gives_the_same_split_in_any_order_under_any_name() -> None:
    examples = flat({"rose": 50, "tulip": 40})
    first = {e.sha256: e.split for e in split(examples, seed=3)}
    renamed = [replace(e, path=f"x{e.path[::-1]}") for e in reversed(examples)]
    assert {e.sha256: e.split for e in split(renamed, seed=3)} == first
    assert {e.sha256: e.split for e in split(examples, seed=4)} != first


def test_other_fractions() -> None:
    assert table(split(flat({"rose": 100}), fractions=(0.5, 0.2, 0.3))) == {"rose": (50, 20, 30)}
    for wrong in ((0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (0.9, -0.1, 0.2), (0.5, 0.5)):
        with pytest.raises(CorollaError, match="three positive numbers"):
            split(flat({"rose": 10}), fractions=wrong)


def test_units_are_joined_by_group_content_and_likeness() -> None:
    examples = [
        Example("0", "a", group="g"),
        Example("1", "a", group="g"),
        Example("2", "a", sha256="s"),
        Example("3", "b", sha256="s", group="h"),
        Example("4", "a"),
        Example("5", "a"),
    ]
    assert sorted(units(examples)) == [[0, 1], [2, 3], [4], [5]]
    assert sorted(units(examples, [(4, 1), (5, 3)])) == [[0, 1, 4], [2, 3, 5]]


def test_images_that_stay_together_get_a_group_unless_they_have_one() -> None:
    examples = [
        *flat({"rose": 20}),
        Example("x", "rose", sha256="x", group="ann"),
        Example("y", "rose", sha256="y"),
    ]
    result = split(examples, [(0, 1), (20, 21)])
    assert result[0].group == result[1].group == "alike-rose-0"
    assert result[20].group == result[21].group == "ann"
    assert not any(example.group for example in result[2:20])


def test_splits_that_are_given_stay() -> None:
    examples = [replace(e, split=SPLITS[n % 3]) for n, e in enumerate(flat({"rose": 9, "tulip": 9}))]
    assert list(split(examples)) == examples


@pytest.mark.parametrize(("given", "missing"), [("test", "val"), ("val", "test")])
def test_a_missing_split_is_taken_from_the_training_images(given: str, missing: str) -> None:
    examples = [replace(e, split="train") for e in flat({"rose": 85, "tulip": 170})]
    kept = [Example(f"t{n}", "rose", given, sha256=f"t{n}") for n in range(7)]
    result = split([*examples, *kept])
    sides = Counter((e.label, e.split) for e in result)
    assert (sides["rose", "train"], sides["tulip", "train"]) == (70, 140)
    assert (sides["rose", missing], sides["tulip", missing]) == (15, 30)
    assert list(result[-7:]) == kept


def test_train_alone_is_split_like_unsplit_images() -> None:
    examples = flat({"rose": 40, "tulip": 60})
    assert split([replace(e, split="train") for e in examples]) == split(examples)


def test_nothing_to_train_on() -> None:
    with pytest.raises(CorollaError, match="nothing to train on"):
        split([Example("1", "rose", "test"), Example("2", "rose", "val")])


def test_too_few_images_or_too_few_independent_ones() -> None:
    with pytest.raises(CorollaError, match=r"'tulip' has too few images \(2\)"):
        split(flat({"rose": 9, "tulip": 2}))
    grouped = [replace(e, group="one" if e.label == "tulip" else "") for e in flat({"rose": 9, "tulip": 9})]
    with pytest.raises(CorollaError, match=r"'tulip' has too few images \(9 in 1 independent sets\)"):
        split(grouped)


def test_large_groups_leave_something_for_every_side() -> None:
    examples = [Example(str(n), "rose", group="ab"[n % 2], sha256=str(n)) for n in range(100)]
    result = table(split([*examples, Example("x", "rose", sha256="x")]))
    assert sorted(result["rose"]) == [1, 50, 50]
    assert result["rose"][0] == 50


people = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 60), st.integers(0, 90)), min_size=30, max_size=120)


@settings(max_examples=60)
@given(people, st.integers(0, 5))
def test_no_group_is_cut_every_class_is_on_every_side_and_sizes_are_close(
    rows: list[tuple[str, int, int]], seed: int
) -> None:
    # A group never crosses classes here, so that every class can be on every side.
    examples = [
        Example(str(n), label, group=f"{label}{group}" if group < 40 else "", sha256=f"{label}{content}")
        for n, (label, group, content) in enumerate(rows)
    ]
    joined = units(examples)
    per_class = Counter(examples[unit[0]].label for unit in joined)
    assume(min(per_class.values()) >= 3)
    result = split(examples, seed=seed)

    sides = defaultdict(set)
    for example in result:
        for key in (example.sha256, f"group {example.group}"):
            if key != "group ":
                sides[key].add(example.split)
    assert all(len(where) == 1 for where in sides.values())
    assert all(min(counts) >= 1 for counts in table(result).values())
    # Off by a unit in each class at most.
    largest = Counter()
    for unit in joined:
        label = examples[unit[0]].label
        largest[label] = max(largest[label], len(unit))
    total = Counter(e.label for e in result)
    for label, counts in table(result).items():
        for count, fraction in zip(counts, (0.7, 0.15, 0.15), strict=True):
            assert abs(count - fraction * total[label]) <= largest[label] + 1
    by_path = {e.path: e for e in result}
    again = split(list(reversed(examples)), seed=seed)
    assert {e.path: e for e in again} == by_path
