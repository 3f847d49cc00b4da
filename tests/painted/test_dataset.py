"""Sets of painted flowers: even classes, the same files by any number of processes, nothing half-written or foreign."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from corolla.errors import CorollaError
from corolla.lock import locked
from corolla.painted import KINDS, dataset, paint_dataset
from corolla.painted.dataset import SEED_STRIDE, jpeg


def test_data_set_is_a_folder_of_even_classes(tmp_path: Path) -> None:
    folder, seen = tmp_path / "gemalte Blüten 花", []
    assert paint_dataset(folder, 12, size=32, seed=4, progress=lambda done, of: seen.append((done, of))) == folder
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert Counter(name.split("/")[0] for name in files) == dict(zip(KINDS, (3, 3, 2, 2, 2), strict=True))
    assert files[:3] == [f"daisy/painted-0000{number}.jpg" for number in range(3)]
    assert seen == [(done, 12) for done in range(13)]
    for name in files:
        with Image.open(folder / name) as image:
            image.load()
            assert (image.format, image.mode, max(image.size)) == ("JPEG", "RGB", 32)


def test_seeds_of_a_data_set_share_no_image(tmp_path: Path) -> None:
    contents = [
        path.read_bytes()
        for seed in (0, 1)
        for path in paint_dataset(tmp_path / str(seed), 10, size=32, seed=seed).rglob("*.jpg")
    ]
    assert len(set(contents)) == 20


def test_painting_again_finishes_what_was_broken_off(tmp_path: Path) -> None:
    paint_dataset(tmp_path, 10, size=32)
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*.jpg")}
    (tmp_path / "rose" / "painted-00001.jpg").unlink()
    (tmp_path / "tulip" / "painted-00000.jpg").write_bytes(b"half")
    paint_dataset(tmp_path, 10, size=32)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jpg")} == whole


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_any_number_of_processes_paints_the_same_files(tmp_path: Path, processes: int) -> None:
    """The images of a set depend on its seed alone, and on no image painted before."""
    seen: list[int] = []
    folder = paint_dataset(
        tmp_path, 23, size=32, seed=5, processes=processes, progress=lambda done, of: seen.append(done)
    )
    assert seen == list(range(24))
    assert len(list(folder.rglob("*.jpg"))) == 23
    for file in folder.rglob("*.jpg"):
        assert file.read_bytes() == jpeg(file.parent.name, 5 * SEED_STRIDE + int(file.stem[-5:]), 32)


def test_large_sets_are_painted_on_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def painted(paint: Callable, images: list[tuple], processes: int) -> Iterator[bytes]:
        asked.append(processes)
        yield from (b"" for _ in images)

    monkeypatch.setattr(dataset, "painted", painted)
    monkeypatch.setattr(dataset, "FEWEST", 10)
    for cores, count in ((1, 100), (2, 100), (16, 100), (16, 15), (16, 5)):
        monkeypatch.setattr(dataset, "processors", lambda cores=cores: cores)
        paint_dataset(tmp_path / f"{cores}-{count}", count)
    assert asked == [1, 2, 10, 1, 1]


def test_what_a_killed_painter_left_is_cleared_away(tmp_path: Path) -> None:
    paint_dataset(tmp_path, 5, size=32)
    whole = sorted(tmp_path.rglob("*"))
    (tmp_path / "rose" / ".painted-00000-a1b2c3_x.jpg").write_bytes(b"half")
    (tmp_path / ".DS_Store").touch()
    paint_dataset(tmp_path, 5, size=32)
    assert sorted(tmp_path.rglob("*")) == sorted([*whole, tmp_path / ".DS_Store"])


def test_no_two_paint_into_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path, "painting"), pytest.raises(CorollaError, match="another process works in"):
        paint_dataset(tmp_path, 5, size=32)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Ctrl-C for one process alone")
def test_ctrl_c_leaves_whole_files(tmp_path: Path) -> None:
    """The script has no main guard and starts processes afresh, as on macOS and Windows."""
    script = tmp_path / "plain.py"
    script.write_text(
        "import multiprocessing, pathlib\n"
        "multiprocessing.set_start_method('spawn', force=True)\n"
        "from corolla.painted import paint_dataset\n"
        "print('begun', flush=True)\n"
        "paint_dataset(pathlib.Path('set'), 5000, size=64, processes=2)\n"
    )
    command = [sys.executable, "-W", "error", str(script)]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        deadline = time.monotonic() + 120
        while not len(list((tmp_path / "set").rglob("painted*.jpg"))) > 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        said, complaint = running.communicate(timeout=120)
    assert said == "begun\n"  # once: nobody else ran the script
    assert complaint.count("Traceback") == 1
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    files = [path for path in (tmp_path / "set").rglob("*") if path.is_file()]
    assert 20 < len(files) < 5000
    for file in files[::20]:
        assert file.read_bytes() == jpeg(file.parent.name, int(file.stem[-5:]), 64)


@pytest.mark.parametrize("stranger", ["notes.txt", "rose/mine.jpg", "rose/painted-00002.jpg"])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).parent.mkdir(exist_ok=True)
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(CorollaError, match="new or empty folder"):
        paint_dataset(tmp_path, 10, size=32)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / stranger]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "flowers").write_text("")
    with pytest.raises(CorollaError, match="is a file"):
        paint_dataset(tmp_path / "flowers", 10, size=32)


def test_fewer_images_than_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="one of each kind"):
        paint_dataset(tmp_path / "few", 4)
    assert not (tmp_path / "few").exists()


def test_no_process_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="with 0 processes"):
        paint_dataset(tmp_path / "none", 10, processes=0)
    assert not (tmp_path / "none").exists()
