"""`corolla bench`: tables, one JSON object, and one line about what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from corolla.bench.cases import Case
from corolla.bench.ceiling import Ceiling
from corolla.bench.epochs import EpochCost
from corolla.bench.images import ImageSpeed
from corolla.bench.models import Measured, speed
from corolla.bench.report import Report
from corolla.bench.timing import Timing
from corolla.cli.bench_table import counted, print_report

TINY = ["--model", "vit_pico_patch8_64", "--size", 32, "--batch", 2, "--seconds", 0.02, "--workers", 0, "--threads", 1]


@pytest.fixture
def report() -> Report:
    ceilings = {"float32": Ceiling("float32", 1.5e12, (2048, 2048, 2048))}
    case, timing = Case("vit_tiny_patch16_224", 32), Timing(0.25, 0.2, 9)
    speeds = (
        speed(case, Measured("prediction", timing, "float32"), ceilings),
        speed(case, Measured("training", timing, "float32", 1_234_000_000), ceilings),
    )
    images = ImageSpeed("my [b]photos", 256, 224, 2, 1, 250.4, 800.0, 99.94, 1234.5)
    epochs = (EpochCost(160, 512, 128, 3, 12.0, 11.4, 0.64),)
    return Report("2 threads of a processor", "cpu", 2, "no", "a reason", ceilings, speeds, images, epochs, 0.5, 60.0)


def test_the_whole_command_as_json(corolla: Callable, images: Path) -> None:
    said = corolla("bench", *TINY, "--device", "cpu", "--images", images, "--json")
    assert said.status == 0
    figures = json.loads(said.out)
    assert {row["model"] for row in figures["models"]} == {"vit_pico_patch8_32"}
    assert all(row["images_per_second"] > 0 for row in figures["models"])
    assert figures["images"]["source"] == str(images)
    assert [cost["size"] for cost in figures["epochs"]] == [32]


def test_the_tables(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report)
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert ["float32", "1,500", "2048", "x", "2048", "x", "2048"] in lines
    share = f"{128 * report.speeds[1].operations / 1.5e12:.0%}"
    assert any(line[:5] == ["vit_tiny_patch16_224", "training", "float32", "32", "128"] for line in lines)
    assert any(line[-3:] == [share, "1,234", "MB"] for line in lines)
    assert ["160", "px", "512", "128", "5.0%", "5"] in lines
    assert "256 images, of my [b]photos" in out
    assert any(line[-3:] == ["1", "worker", "99.9"] for line in lines)
    assert any(line[-3:] == ["2", "threads", "250"] for line in lines)


def test_where_nobody_counts_memory_there_is_no_column(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    uncounted = Report(**(vars(report) | {"speeds": report.speeds[:1]}))
    print_report(uncounted)
    assert "memory" not in capsys.readouterr().out


def test_numbers_of_things() -> None:
    assert [counted(number, "worker") for number in (0, 1, 2)] == ["no workers", "1 worker", "2 workers"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "vit_tini_patch16_224"], "vit_tiny_patch16_224"),
        (["--model", "tiny", "--size", 64], "'tiny'"),
        (["--size", 65], "65"),
        (["--images", "no such folder"], "no such folder"),
        (["--batch", 0], "--batch"),
        (["--threads", 0], "--threads"),
        (["--seconds", "nan"], "--seconds"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_what_the_user_can_mend_is_one_line(corolla: Callable, words: list[object], expected: str) -> None:
    assert expected in corolla("bench", *words, "--quiet").line
