"""The table of the speed comparison: medians, and ratios round by round."""

import pytest

from referee import in_turns
from speed_table import Measured, advantage, header, row, shown


def test_the_advantage_is_the_median_of_the_rounds_so_that_one_slow_round_is_no_matter():
    ours, theirs = [20.0, 10.0, 22.0], [10.0, 5.0, 10.0]  # the machine was slow in the second round, for both
    assert advantage(ours, theirs, more_is_better=True) == 2.0
    assert advantage(ours, theirs, more_is_better=False) == 0.5


def test_rounds_cannot_be_compared_if_one_has_more():
    with pytest.raises(ValueError, match="shorter"):
        advantage([1.0, 2.0], [1.0], more_is_better=True)


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (123.4, "123"), (12.34, "12.3"), (0.567, "0.57")])
def test_figures_have_about_three_digits(value, text):
    assert shown(value) == text


def test_a_row_fits_the_header_and_leaves_out_who_was_not_there():
    measured = Measured("cold start, s", False, {"corolla": [2.0, 3.0, 2.0], "timm": [4.0, 4.5, 5.0]})
    line = row(measured)
    assert line == "| cold start, s | 2.00 | 4.50 (2.00 x) |  |  |  |"
    assert line.count("|") == header().splitlines()[0].count("|") == header().splitlines()[1].count("|")


def test_every_round_begins_with_another_contender(capsys):
    order = []
    answers = in_turns(("a", "b"), 3, lambda name: order.append(name) or {"figure": len(order)})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert answers["a"] == [{"figure": 1}, {"figure": 4}, {"figure": 5}]
