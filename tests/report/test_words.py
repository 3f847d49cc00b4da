"""Figures in words, and what happens to values that are none."""

import math

import pytest

from corolla.report import words


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (words.percent(0.83421), "83.4 %"),
        (words.percent(1, 0), "100 %"),
        (words.percent(None), "–"),
        (words.percent("0.5"), "–"),
        (words.percent(math.nan), "–"),
        (words.interval((0.801, 0.8634)), "80.1 to 86.3 %"),
        (words.decimal(0.55551), "0.556"),
        (words.decimal(math.inf), "–"),
        (words.whole(3670), "3,670"),
        (words.whole(True), "–"),
        (words.count(1, "image"), "1 image"),
        (words.count(0, "image"), "0 images"),
        (words.count(2000, "class", "classes"), "2,000 classes"),
        (words.parameters(2_912_345), "2.9 million"),
        (words.parameters(1_200_000_000), "1.2 billion"),
        (words.parameters(900), "900"),
        (words.parameters([]), "–"),
        (words.duration(0.5), "30 seconds"),
        (words.duration(28.4), "28 minutes"),
        (words.duration(185), "3 h 05 min"),
        (words.duration(-1), "–"),
        (words.listed(["a", "b", "c"], 2), "a, b and 1 more"),
        (words.listed(["a", "b"], 2), "a, b"),
    ],
)
def test_written(written: str, expected: str) -> None:
    assert written.replace(words.SPACE, " ") == expected
