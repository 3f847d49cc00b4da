"""Numbers with their words, as everything that is printed writes them."""

import pytest

from corolla.report import words
from corolla.text import FEW, amount, count, decimals_of, rate


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (count(0, "image"), "0 images"),
        (count(1, "image"), "1 image"),
        (count(3670, "image"), "3,670 images"),
        (count(1, "class", "classes"), "1 class"),
        (count(2, "class", "classes"), "2 classes"),
        (count(1, "row is", "rows are"), "1 row is"),
        (amount(1, "minute"), "1 minute"),
        (amount(1.0, "minute"), "1 minute"),
        (amount(0.5, "minute"), "0.5 minutes"),
        (amount(20, "minute fits", "minutes fit"), "20 minutes fit"),
        (rate(0.2134), "0.213"),
        (rate(0.04), "0.04"),
        (rate(34.56), "34.6"),
        (rate(1250.4), "1,250"),
        (words.count(1, "test image"), "1\N{NO-BREAK SPACE}test image"),
    ],
)
def test_words_of_numbers(said: str, expected: str) -> None:
    assert said == expected


def test_few_images_bear_no_decimals() -> None:
    assert [decimals_of(n) for n in (1, 2, FEW - 1, FEW, 10_000)] == [0, 0, 0, 1, 1]
