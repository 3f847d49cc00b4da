import pytest

from corolla.errors import CorollaError
from corolla.inputs.patterns import braced, is_pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a.tar", ["a.tar"]),
        ("{008..011}.tar", ["008.tar", "009.tar", "010.tar", "011.tar"]),
        ("{train,val}-{0..1}", ["train-0", "train-1", "val-0", "val-1"]),
        ("{a{1,2},b}", ["a1", "b", "a2"]),
        ("{a,}.png", ["a.png", ".png"]),
        ("{3..1}", []),
        ("{id}.png", ["{id}.png"]),  # as in a shell
        ("{a..c}.png", ["{a..c}.png"]),
    ],
)
def test_braces(pattern: str, words: list[str]) -> None:
    assert braced(pattern) == words


def test_a_range_has_a_limit() -> None:
    with pytest.raises(CorollaError, match="more than 1,000,000 files"):
        braced("{0..99999999999}.tar")


def test_what_is_a_pattern() -> None:
    assert all(map(is_pattern, ("*.jpg", "?", "a[12]", "{0..3}", "{a,b}")))
    assert not any(map(is_pattern, ("a.jpg", "{a}.jpg", "a,b.jpg", "a..b")))
