"""The page that holds runs against each other, as a browser opens it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import opened
from corolla.evaluation.metrics import Evaluation
from corolla.report.comparison import compare_runs, learning, write_comparison
from corolla.report.facts import training

MakeRun = Callable[..., Any]
NAMES = ("daisy", "rose", "tulip")


def worse(evaluation: Evaluation, wrong: int) -> Evaluation:
    """The same answers, the first few of them turned to another class."""
    rows = evaluation.probabilities.copy()
    rows[:wrong] = np.roll(rows[:wrong], 1, axis=1)
    return Evaluation(evaluation.classes, "test", evaluation.paths, evaluation.labels, rows, evaluation.root)


def test_a_clear_difference_is_called_one_and_a_small_one_is_not(make_run: MakeRun, tmp_path: Path) -> None:
    run, evaluation, _ = make_run(NAMES, images=40)
    rows = compare_runs([(run, evaluation), (run, worse(evaluation, 60)), (run, worse(evaluation, 2))])
    assert [row.letter for row in rows] == ["A", "B", "C"]
    assert [row.verdict for row in rows[1:]] == ["worse", "no clear difference"]
    assert rows[1].p_value == 2 * rows[1].comparison.p_value
    file = tmp_path / "pages" / "comparison.html"
    write_comparison(rows, file)
    for width, dark in ((1280, False), (390, True)):
        with opened(file, width=width, dark=dark) as (page, complaints):
            assert "B against A: worse." in page.inner_text("main")
            assert page.locator("tbody tr").count() == 3
            assert page.locator("svg").is_visible()
            page.locator("summary").nth(1).click()
            assert page.locator("dl:visible").count() == 2
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert complaints == []


def test_names_of_folders_stay_text(make_run: MakeRun, tmp_path: Path) -> None:
    run, evaluation, _ = make_run(NAMES, folder_name="<b onclick='x'>$a_b$")
    file = tmp_path / "comparison.html"
    write_comparison(compare_runs([(run, evaluation), (run, evaluation)]), file)
    source = file.read_text(encoding="utf-8")
    assert "<b onclick" not in source
    assert "&lt;b onclick" in source
    assert "a_b" not in re.findall(r"<svg.*?</svg>", source, re.DOTALL)[0]


def test_single_dots_are_not_drawn_as_curves(make_run: MakeRun, tmp_path: Path) -> None:
    run, evaluation, _ = make_run(NAMES)
    [first, *_] = run.metrics_file.read_text(encoding="utf-8").splitlines()
    run.metrics_file.write_text(first + "\n", encoding="utf-8")
    file = tmp_path / "comparison.html"
    write_comparison(compare_runs([(run, evaluation), (run, evaluation)]), file)
    source = file.read_text(encoding="utf-8")
    assert "<svg" not in source
    assert "Learning" not in source


@pytest.mark.parametrize(("mixed", "numbers"), [("no", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_the_numbers_that_it_computed_in_are_named(make_run: MakeRun, mixed: str, numbers: str) -> None:
    run, _, _ = make_run(NAMES)
    config = run.load_config()
    config = replace(config, training=config.training | {"device": "cpu", "precision": mixed})
    assert dict(training(config))["Device"] == f"cpu, {numbers}"


def test_the_minutes_of_an_epoch_are_those_until_its_end() -> None:
    history = [{"seconds": 30, "val_accuracy": 0.5}, {"seconds": 60}, {"seconds": 30, "val_accuracy": 0.7}, 3]
    assert learning(history) == ([0.5, 2.0], [0.5, 0.7])
    assert learning([]) == ([], [])
