"""The measure of planted errors: what is planted, and what counts as found."""

from pathlib import Path

import numpy as np

from corolla.audit.labels import LabelCheck
from corolla.data.manifest import Example, Manifest
from planted_errors import Found, measure, plant, row, write_table

MANIFEST = Manifest(Path("/images"), tuple(Example(f"{n}.jpg", "abc"[n % 3], "train") for n in range(60)))


def test_so_many_labels_become_wrong_by_the_seed():
    wrong = plant(MANIFEST, 0.05, seed=1)
    labels = {example.path: example.label for example in MANIFEST.examples}
    assert len(wrong) == 3
    assert all(labels[path] != label and label in "abc" for path, label in wrong.items())
    assert wrong == plant(MANIFEST, 0.05, seed=1)
    assert wrong.keys() != plant(MANIFEST, 0.05, seed=2).keys()


def test_the_table_holds_the_wrong_labels_and_everything_else_as_it_was(tmp_path: Path):
    write_table(MANIFEST, {"4.jpg": "c"}, tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == "path,label,split,group"
    assert lines[5] == f"{Path('/images/4.jpg')},c,train,"
    assert len(lines) == 61
    assert sum(line.split(",")[1] != "abc"[n % 3] for n, line in enumerate(lines[1:])) == 1


def test_found_is_what_was_planted_among_as_many_of_the_most_suspicious():
    # Of ten images labeled 0, the network gives these chances to the label.
    given = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    paths = tuple(f"{n}.jpg" for n in range(10))
    other = np.column_stack([1 - given[::-1], given[::-1]])  # and ten labeled 1, none of them suspicious but four
    check = LabelCheck(
        "w", ("a", "b"), (*paths, *(f"other {n}.jpg" for n in range(10))), np.repeat([0, 1], 10),
        np.vstack([np.column_stack([given, 1 - given]), other]), 5,
    )  # fmt: skip
    found = measure(check, {"0.jpg", "2.jpg", "5.jpg"}, paths)
    assert (found.planted, found.first) == (3, 2)
    told = {suspect.path for suspect in check.suspects} & set(paths)
    assert (found.told, found.right) == (len(told), len(told & {"0.jpg", "2.jpg", "5.jpg"}))
    assert 0 < found.told < 10


def test_a_row_shows_mean_and_range():
    line = row("w", "all", [Found(10, 8, 20, 9), Found(10, 9, 20, 10)])
    assert line == "| w | all | 10 | 85.0% (80.0% to 90.0%) | 20 | 47.5% (45.0% to 50.0%) | 95.0% (90.0% to 100.0%) |"
