"""`corolla predict --out`: the table, one line about it, and one line about whatever is wrong."""

import json
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corolla.batch_inference import job as plan
from corolla.batch_inference.run import Told


@pytest.fixture
def model(graph: object, small: object, card: Callable, tmp_path: Path) -> Path:
    from corolla.export.onnx import with_card

    file = tmp_path / "small.onnx"
    file.write_bytes(with_card(graph, card(small)))  # type: ignore[arg-type]
    return file


def test_the_table_says_what_json_says(corolla: Callable, trained: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows.parquet"
    said = corolla("predict", trained, images, "--out", out, "--top", 2, "--device", "cpu", "--quiet")
    assert said.status == 0, said.err
    assert said.out.startswith(f"{out}: 36 rows, ")
    assert said.out.rstrip().endswith(" rows/s")
    table = pq.read_table(out).to_pylist()
    answers = json.loads(corolla("predict", trained, images, "--json", "--top", 2, "--device", "cpu").out)
    for row, answer in zip(table, answers, strict=True):
        assert row["path"] == answer["path"]
        assert row["label"] == answer["label"]
        assert row["probability"] == pytest.approx(answer["probability"], abs=1e-4)
        assert row["label_2"] == answer["top"][1]["label"]
        assert row["accepted"] is None  # it is not calibrated
        assert row["ood_score"] is None


@pytest.fixture
def room(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with two images and a letter in each kind of place that a word can name."""
    folder = tmp_path / "room"
    first, second = (file.read_bytes() for file in sorted((images / "red").iterdir())[:2])
    files = {"photos/1.png": first, "photos/2.png": second, "photos/3.png": b"a letter"}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "list.csv").write_text("number,path\n1,photos/2.png\n2,photos/gone.png\n3,photos\\1.png\n")
    pq.write_table(pa.table({"image": ["photos/1.png", "photos/3.png"]}), folder / "list.parquet")
    with tarfile.open(folder / "shard.tar", "w") as shard:
        for name in files:
            shard.add(folder / name, name)
        shard.addfile(tarfile.TarInfo("photos/1.cls"))
    held = fsspec.filesystem("memory")
    for name, content in files.items():
        held.pipe_file(f"/{name}", content)
    held.pipe_file("/shard.tar", (folder / "shard.tar").read_bytes())
    monkeypatch.chdir(folder)
    yield folder
    held.rm("/photos", recursive=True)
    held.rm("/shard.tar")


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("photos", ["photos/1.png", "photos/2.png", "photos/3.png"]),
        ("photos/*.png", ["photos/1.png", "photos/2.png", "photos/3.png"]),
        ("photos/{2..1}.png", None),
        ("photos/{1,3}.png", ["photos/1.png", "photos/3.png"]),
        ("list.csv", ["photos/2.png", "photos/gone.png", "photos\\1.png"]),
        ("list.parquet", ["photos/1.png", "photos/3.png"]),
        ("shard.tar", ["shard.tar/photos/1.png", "shard.tar/photos/2.png", "shard.tar/photos/3.png"]),
        ("file://{folder}/photos/2.png", ["{folder}/photos/2.png"]),
        ("memory://photos", ["memory://photos/1.png", "memory://photos/2.png", "memory://photos/3.png"]),
        ("memory://photos/1.png", ["memory://photos/1.png"]),
        ("memory://shard.tar", [f"memory://shard.tar/photos/{number}.png" for number in (1, 2, 3)]),
        ("photos/gone.png", None),
        ("memory://gone", None),
    ],
)
def test_a_word_means_the_same_with_and_without_a_table(
    word: str, names: list[str] | None, corolla: Callable, model: Path, room: Path
) -> None:
    word = word.replace("{folder}", room.as_posix())
    shown = corolla("predict", model, word, "--json", "--quiet")
    table = corolla("predict", model, word, "--out", "rows.parquet", "--quiet")
    answers = json.loads(shown.out)
    if names is None:  # an entry with the reason, and an error
        [answer] = answers
        assert answer["path"] == word
        assert answer["error"] in ("no such file", "no file matches this pattern")
        assert (shown.status, table.status) == (2, 2)
        assert table.line.startswith(("corolla: there is no ", "corolla: no file matches "))
        return
    rows = pq.read_table("rows.parquet").to_pylist()
    told = [row["path"].replace("memory:///", "memory://") for row in rows]
    assert told == [name.replace("{folder}", room.as_posix()) for name in names]
    for row, answer in zip(rows, answers, strict=True):
        assert row["path"] == answer["path"]
        assert (row["label"], row["error"]) == (answer.get("label"), answer.get("error"))
    assert any(row["label"] for row in rows)


def test_bad_images_are_counted(corolla: Callable, model: Path, tmp_path: Path, images: Path) -> None:
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.jpg").write_text("a letter")
    one = next(images.rglob("*.png"))
    said = corolla("predict", model, tmp_path / "mixed", one, "--out", tmp_path / "1.parquet")
    assert (said.status, said.out.split(",")[:2]) == (0, [f"{tmp_path / '1.parquet'}: 2 rows", " 1 of them unreadable"])
    said = corolla("predict", model, tmp_path / "mixed", "--out", tmp_path / "2.parquet", "--quiet")
    assert said.status == 2
    assert said.err == "corolla: the one image could not be read\n"
    assert pq.read_table(tmp_path / "2.parquet").to_pylist()[0]["error"] == "not an image in a known format"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "--engine", "ray"], "name it with --out"),
        (["x", "--out", "a.parquet", "--json"], "--json cannot be combined with --out"),
        (["x", "--out", "a.parquet", "--csv", "a.csv", "--plot", "a.png"], "--csv and --plot cannot be combined"),
        (["x", "--out", "a.parquet", "--explain", "maps"], "--explain cannot be combined"),
        (["x", "--out", "a.csv"], "a.csv should end in .parquet"),
        (["x", "--out", "a.parquet"], "there is no x"),
        (["memory://gone", "--out", "a.parquet"], "there is no memory://gone"),
        (["-", "--out", "a.parquet"], "standard input cannot be read twice"),
        (["x", "--out", "a.parquet", "--device", "cuda"], "leave out --device cuda"),
        (["x", "--out", "a.parquet", "--coverage", "3"], "lies between 0 and 1"),
        (["x", "--out", "a.parquet", "--engine", "spark"], "spark"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line(
    words: list[str], said: str, corolla: Callable, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in corolla("predict", model, *words).line
    assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]


def test_a_backend_is_for_files(corolla: Callable, trained: Path, tmp_path: Path) -> None:
    ended = corolla("predict", trained, "x", "--out", tmp_path / "a.parquet", "--backend", "openvino")
    assert "is for exported files" in ended.line


@pytest.mark.parametrize("missing", ["pyarrow", "ray"])
def test_what_is_not_installed_is_named(
    missing: str, corolla: Callable, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "ray":
        monkeypatch.setattr("corolla.batch_inference.run.find_spec", lambda _: None)
    ended = corolla("predict", model, images, "--out", tmp_path / "a.parquet", "--engine", "ray", "--quiet")
    assert f"pip install 'corolla[{'parquet' if missing == 'pyarrow' else 'ray'}]'" in ended.line


def test_ctrl_c_says_what_is_kept_and_the_same_command_goes_on(
    start: Callable, model: Path, images: Path, tmp_path: Path
) -> None:
    out, words = tmp_path / "rows.parquet", [str(images)] * 120
    process: subprocess.Popen[bytes] = start("predict", model, *words, "--out", out)
    until = time.monotonic() + 300
    while not list(plan.folder_of(out).glob("part-*")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert said == b""
    [line] = told.decode().splitlines()
    assert line.startswith("corolla: stopped; ")
    assert line.endswith(" of 4,320 rows are saved, and the same command resumes")
    again: subprocess.Popen[bytes] = start("predict", model, *words, "--out", out)
    said, told = again.communicate(timeout=300)
    assert again.returncode == 0, told
    assert said.startswith(f"{out}: 4,320 rows, ".encode())
    assert pq.read_metadata(out).num_rows == 4320


def test_ctrl_c_before_the_list_is_there(
    corolla: Callable, model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, told: Told, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("corolla.batch_inference.run.predict", stop)
    ended = corolla("predict", model, images, "--out", tmp_path / "a.parquet")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err == "corolla: stopped before the images were listed; the same command starts again\n"


@pytest.mark.parametrize(("which", "words"), [("run", ["--backend", "openvino"]), ("file", ["--device", "cuda"])])
def test_serve_refuses_what_predict_refuses(
    which: str, words: list[str], corolla: Callable, model: Path, trained: Path
) -> None:
    asked = {"run": trained, "file": model}[which]
    assert corolla("serve", asked, "--port", 0, *words).line == corolla("predict", asked, "x.png", *words).line
