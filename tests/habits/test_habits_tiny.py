"""Sets of a handful of images: everything that is said of them is in the right number, and claims no precision."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corolla.cli import main
from corolla.training.warnings import Outcome, say_after, say_before

TINY = ["--model", "vit_pico_patch8_16", "--workers", "0", "--device", "cpu"]
# A one before a plural, a rate of nothing, and a percentage with decimals.
WRONG = re.compile(r"(?<![\d.,:/-])1[ \u00a0](?!of )(?:[a-z]+ )?(?:images|images|minutes|epochs|classes|files|rows)\b")
Said = Callable[..., tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs `corolla` with the given words and gives what it printed, to both places."""

    def run(*words: object) -> tuple[str, str]:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0, capsys.readouterr().err
        captured = capsys.readouterr()
        return captured.out, captured.err

    return run


@pytest.fixture
def six(tmp_path: Path) -> Path:
    """Two classes, and of each a training image, one to validate and one to test."""
    rows = ["path,label,split"]
    for number, label in enumerate(("cat", "dog")):
        for place, split in enumerate(("train", "val", "test")):
            noise = np.random.default_rng(10 * number + place).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((64, 64)).save(tmp_path / f"{label}-{split}.png")
            rows.append(f"{label}-{split}.png,{label},{split}")
    (tmp_path / "six.csv").write_text("\n".join(rows))
    return tmp_path / "six.csv"


def test_six_images(six: Path, said: Said, tmp_path: Path) -> None:
    run = tmp_path / "run"
    out, err = said("train", six, "--out", run, "--epochs", 1, *TINY)
    assert "6 images of 2 classes: 2 train, 2 val, 2 test" in err
    assert re.search(r"test accuracy (0|50|100)% \(\d+% to \d+%, 2 test images\)", err)
    assert not re.search(r"\b0 images/s", err)
    assert not WRONG.search(err)

    out, err = said("evaluate", run)
    assert re.match(r"accuracy  (0|50|100)%   95 % interval \d+% to \d+%, 2 test images\n", out)
    assert "2\u00a0images say little" in out
    assert not WRONG.search(out + err)

    page = (run / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"<(style|script|svg).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert "2\u00a0test images classified correctly" in re.sub(" +", " ", text)
    assert not WRONG.search(text)

    out, err = said("audit", six, "--out", tmp_path / "audit")
    assert out.startswith("6 images of 2 classes: 2 train, 2 val, 2 test\n")
    assert not WRONG.search(out + err)


def test_one_image(six: Path, said: Said, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said("train", six, "--out", run, "--epochs", 1, *TINY, "--quiet")
    one = tmp_path / "one.csv"
    one.write_text("path,label\ncat-test.png,cat\n")
    out, err = said("evaluate", run, one)
    assert re.match(r"accuracy  (0|100)%   95 % interval \d+% to \d+%, 1 image\n", out)
    assert "1\u00a0image says little" in out
    out, err = said("predict", run, tmp_path / "cat-test.png")
    assert not WRONG.search(out + err)


def test_what_a_training_is_told_of_so_few() -> None:
    before = say_before(views=150, classes=2, batch_size=1, minutes=0.25, pretrained=False)
    assert before is not None
    assert "give it about 1 minute or more" in before
    after = say_after(Outcome(1, 2, 0.5, "test"), minutes=1, pretrained=False)
    assert after is not None
    assert "50% of 2 test images (9% to 91%)" in after
    assert "give it more than 1 minute, or" in after
    alone = say_after(Outcome(0, 1, 0.5, "test"), minutes=2, pretrained=False)
    assert alone is not None
    assert "0% of 1 test image (0% to 79%)" in alone
