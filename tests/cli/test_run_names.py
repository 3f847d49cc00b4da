from pathlib import Path

import pytest

from corolla.cli.run_names import called, fresh
from corolla.cli.train import unnamed


def test_the_folder_is_always_a_fresh_one(tmp_path: Path) -> None:
    assert fresh(tmp_path / "demo") == tmp_path / "demo"
    (tmp_path / "demo").mkdir()
    assert fresh(tmp_path / "demo") == tmp_path / "demo"
    for name in ("demo", "demo-2", "demo-3"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "file").touch()
    assert fresh(tmp_path / "demo") == tmp_path / "demo-4"
    (tmp_path / "a-b").touch()
    assert fresh(tmp_path / "a-b") == tmp_path / "a-b-2"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("photos", "photos"),
        ("photos/", "photos"),
        ("a/my set.zip", "my-set.zip"),
        ("train-{0..9}.tar", "train--0..9-.tar"),
    ],
)
def test_data_gives_its_name(data: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert called(data) == name


def test_a_file_gives_its_name_without_the_ending_and_the_current_folder_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set.csv").touch()
    assert called("set.csv") == "set"
    assert called(".") == tmp_path.name


def test_a_run_without_a_name_gets_one_after_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert unnamed("photos", resume=False) == Path("runs/photos")
    (tmp_path / "runs/photos").mkdir(parents=True)
    (tmp_path / "runs/photos/config.json").touch()
    assert unnamed("photos", resume=False) == Path("runs/photos-2")
    assert unnamed("photos", resume=True) == Path("runs/photos")
