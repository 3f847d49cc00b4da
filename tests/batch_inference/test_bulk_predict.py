"""A row for each image in the order of the list, the same as one by one; and whoever is killed goes on."""

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corolla.batch_inference import job as plan
from corolla.batch_inference.run import Told, predict
from corolla.data.decoding import ImageError
from corolla.errors import CorollaError
from corolla.onnx_runtime.predictor import OnnxPredictor
from corolla.progress import Progress


@pytest.fixture(scope="module")
def unbroken(model: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The rows of a job that nothing disturbed."""
    out = tmp_path_factory.mktemp("unbroken") / "rows.parquet"
    predict(model, [str(images)], out, chunk=32)
    return pq.read_table(out).to_pylist()  # type: ignore[no-any-return]


def test_rows_are_what_each_image_is_answered(model: Path, images: Path, unbroken: list, tmp_path: Path) -> None:
    files = sorted(images.rglob("*.png"))
    assert [row["path"] for row in unbroken] == [str(file) for file in files]
    predictor = OnnxPredictor.load(model)
    for file, row in zip(files, unbroken, strict=True):
        [(_, output)] = predictor.iter_outputs([file])
        if isinstance(output, ImageError):
            assert row["error"] == output.reason
            assert {row[name] for name in row if name not in ("path", "error")} == {None}
            continue
        expected = predictor.to_prediction(output)
        assert (row["label"], row["accepted"], row["error"]) == (expected.label, expected.accepted, None)
        told = [row["probability"], row["ood_score"], row["probability_2"], row["probability_3"]]
        top = [probability for _, probability in expected.top[1:]]
        assert told == pytest.approx([expected.probability, expected.ood_score, *top], 1e-4)
        assert [row["label"], row["label_2"], row["label_3"]] == [label for label, _ in expected.top]


def test_nothing_but_the_table_is_left(rows: Callable, images: Path, tmp_path: Path) -> None:
    assert len(rows(images)) == 150
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]


def test_columns_follow_what_is_asked(rows: Callable, images: Path, tmp_path: Path) -> None:
    [row] = rows(next(images.rglob("*.png")), top=1, coverage=0.9)
    assert list(row) == ["path", "label", "probability", "accepted", "ood_score", "labels", "error"]
    assert row["label"] in row["labels"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing kills so here")
def test_killed_at_any_moment_no_row_is_lost_or_made_twice(
    start: Callable, model: Path, images: Path, tmp_path: Path
) -> None:
    dice, kept, sources = random.Random(0), [], [images] * 6
    predict(model, [str(word) for word in sources], tmp_path / "unbroken.parquet", chunk=32)
    expected = pq.read_table(tmp_path / "unbroken.parquet").to_pylist()
    assert [row["path"] for row in expected] == [str(file) for file in sorted(images.rglob("*.png"))] * 6
    for job in range(3):
        out = tmp_path / f"rows {job}.parquet"
        for _ in range(3):
            process = start(model, out, *sources)
            for _ in range(1 + dice.randrange(6)):  # it says when it begins, and of each part
                process.stdout.readline()
            time.sleep(dice.uniform(0, 0.1))
            process.kill()
            process.communicate()
            kept.append(len(list(plan.folder_of(out).glob("part-*.parquet"))))
        if not out.exists() or plan.folder_of(out).exists():
            finished = start(model, out, *sources)
            _, errors = finished.communicate(timeout=300)
            assert finished.returncode == 0, errors
        assert pq.read_table(out).to_pylist() == expected
        assert not plan.folder_of(out).exists()
    assert len(set(kept)) >= 3  # moments were different ones


class StopAfter(Progress):
    """Breaks off after so many chunks, as Ctrl-C may at any time."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
        if title == "predicting":
            assert "rows/s" in detail
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt


def test_whole_parts_are_not_made_again(
    rows: Callable, images: Path, unbroken: list, tmp_path: Path, told: Told
) -> None:
    with pytest.raises(KeyboardInterrupt):
        rows(images, progress=StopAfter(2), told=told)
    assert (told.rows, told.kept) == (150, told.made)
    parts = {part: part.stat().st_mtime_ns for part in tmp_path.glob("rows.parquet.unfinished/part-*")}
    assert 2 <= len(parts) <= 4
    again, kept = Told(), [0] * 2

    class Watch(Progress):
        def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
            kept[0] += 1
            kept[1] += {part: part.stat().st_mtime_ns for part in parts} == parts

    assert rows(images, told=again, progress=Watch()) == unbroken
    assert kept == [5 - len(parts)] * 2
    assert (again.rows, again.kept, again.failed) == (150, 150, 2)


@pytest.mark.parametrize("moment", ["plan.json", "joined.parquet", "rows.parquet", "removed"])
def test_killed_between_the_last_steps(
    moment: str, rows: Callable, images: Path, unbroken: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps after the last chunk, each made the last that happened."""
    work = tmp_path / "rows.parquet.unfinished"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "plan.json":
            patch.setattr("corolla.batch_inference.run.answer_here", stop)
        elif moment == "joined.parquet":
            patch.setattr(Path, "replace", lambda file, to: stop() if file.name == moment else file.rename(to))
        elif moment == "rows.parquet":
            patch.setattr(plan.Job, "remove", stop)
        else:
            patch.setattr(Path, "unlink", lambda file, missing_ok=False: stop() if file.name == "plan.json" else None)
        with pytest.raises(KeyboardInterrupt):
            rows(images)
    assert (work / "plan.json").exists()
    assert rows(images) == unbroken
    assert not work.exists()


@pytest.mark.parametrize("change", ["cut", "bits", "foreign", "short"])
def test_a_damaged_part_is_made_again(
    change: str, rows: Callable, images: Path, unbroken: list, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        rows(images, progress=StopAfter(3))
    first, second, *others = sorted(tmp_path.glob("rows.parquet.unfinished/part-*"))
    lengths = [pq.read_metadata(part).num_rows for part in (second, *others)]
    content = bytearray(first.read_bytes())
    if change == "cut":
        first.write_bytes(content[: len(content) // 2])
    elif change == "bits":
        for place in range(200, 500, 40):
            content[place] ^= 1
        first.write_bytes(content)
    elif change == "foreign":
        pq.write_table(pq.read_table(first).replace_schema_metadata(None), first)
    else:
        pq.write_table(pq.read_table(first).slice(1), first)
    told = Told()
    assert rows(images, told=told) == unbroken
    assert told.made == 150 - sum(lengths)


def test_a_part_that_breaks_before_the_end_is_told_and_mended(
    rows: Callable, images: Path, unbroken: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = plan.Job.finish

    def damaged(work: plan.Job, out: Path) -> None:
        work.part(1).write_bytes(work.part(1).read_bytes()[:-20])
        whole(work, out)

    with monkeypatch.context() as patch:
        patch.setattr(plan.Job, "finish", damaged)
        with pytest.raises(CorollaError, match=r"part-000001\.parquet was damaged"):
            rows(images)
    assert rows(images) == unbroken


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"top": 2}, "another --top"),
        ({"coverage": 0.9}, "another --coverage"),
        ({"backend": "openvino"}, "another way of computing"),
        ({"run": "flowers", "top": 3}, "another model and another way of computing"),
        ({"sources": ["0"]}, "another images"),
    ],
    ids=str,
)
def test_another_job_is_not_gone_on_with(change: dict, said: str, model: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    with pytest.raises(KeyboardInterrupt):
        predict(model, [str(images)], out, chunk=32, progress=StopAfter(1))
    before = {file: file.read_bytes() for file in plan.folder_of(out).iterdir()}
    asked = {"run": model, "sources": [str(images)], "chunk": 32} | change
    asked["sources"] = [str(images / word) for word in asked["sources"]]
    with pytest.raises(CorollaError) as raised:
        predict(asked.pop("run"), asked.pop("sources"), out, **asked)
    assert said in str(raised.value)
    assert f"or delete {plan.folder_of(out)}" in str(raised.value)
    assert {file: file.read_bytes() for file in plan.folder_of(out).iterdir()} == before


def test_a_result_is_never_written_over(rows: Callable, images: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_text("mine")
    with pytest.raises(CorollaError, match="is there; choose another name"):
        rows(images)
    (tmp_path / "rows.parquet.unfinished").mkdir()
    with pytest.raises(CorollaError, match="is there; choose another name"):
        rows(images)
    assert (tmp_path / "rows.parquet").read_text() == "mine"


def test_a_folder_of_anything_else_is_left_alone(rows: Callable, images: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet.unfinished").mkdir()
    (tmp_path / "rows.parquet.unfinished" / "letter.txt").write_text("mine")
    with pytest.raises(CorollaError, match=r"letter\.txt"):
        rows(images)
    assert (tmp_path / "rows.parquet.unfinished" / "letter.txt").read_text() == "mine"


def test_two_cannot_work_at_one_result(model: Path, images: Path, rows: Callable, tmp_path: Path) -> None:
    class Meanwhile(Progress):
        said = ""

        def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
            if not self.said:
                with pytest.raises(CorollaError) as raised:
                    predict(model, [str(images)], tmp_path / "rows.parquet", chunk=32)
                Meanwhile.said = str(raised.value)

    assert len(rows(images, progress=Meanwhile())) == 150
    assert "another process is working" in Meanwhile.said


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 2, "rows": 1, "chunk": 32}'])
def test_a_damaged_plan_is_one_line(content: str, rows: Callable, images: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        rows(images, progress=StopAfter(1))
    (tmp_path / "rows.parquet.unfinished" / "plan.json").write_text(content)
    with pytest.raises(CorollaError, match=r"plan\.json.* to start again"):
        rows(images)


def test_a_damaged_list_is_one_line(rows: Callable, images: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        rows(images, progress=StopAfter(1))
    file = tmp_path / "rows.parquet.unfinished" / "list.parquet"
    content = bytearray(file.read_bytes())
    for place in range(0, len(content) // 2, 20):
        content[place] ^= 255
    file.write_bytes(content)
    with pytest.raises(CorollaError, match="to start again"):
        rows(images)


def test_a_folder_that_vanishes_ends_the_job_and_loses_nothing(
    rows: Callable, images: Path, unbroken: list, tmp_path: Path, told: Told
) -> None:
    own = tmp_path / "own"
    shutil.copytree(images, own)

    class Vanish(Progress):
        def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
            if title == "predicting" and own.exists():
                own.rename(tmp_path / "away")

    with pytest.raises(CorollaError, match="is not there any more; bring it back"):
        rows(own, progress=Vanish(), told=told)
    assert told.kept < 150
    (tmp_path / "away").rename(own)
    again = rows(own)
    assert [row["error"] for row in again] == [row["error"] for row in unbroken]


@pytest.mark.parametrize("how", ["renamed", "unmounted"])
def test_a_folder_that_is_empty_by_now_counts_as_gone(how: str, rows: Callable, images: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(images / "0" / "000 é.png", own / "1.png")

    def gone(work: plan.Job) -> list[int]:
        (own / "1.png").unlink()
        if how == "renamed":
            own.rmdir()
        return [0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan.Job, "missing", gone)
        with pytest.raises(CorollaError, match="is not there any more; bring it back"):
            rows(own)


def test_another_folder_is_as_good_to_go_on_from(
    rows: Callable, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images)
    with pytest.raises(KeyboardInterrupt):
        rows("0", "1", progress=StopAfter(1))
    monkeypatch.chdir(tmp_path)
    made = rows(images / "0", images / "1")
    assert [row["path"] for row in made[:2]] == [str(Path("0", "000 é.png")), str(Path("0", "002 é.png"))]
    assert sum(row["error"] is not None for row in made) == 2


def test_the_list_is_that_of_the_beginning(rows: Callable, images: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(images / "0", own)
    with pytest.raises(KeyboardInterrupt):
        rows(own, progress=StopAfter(1))
    shutil.copy(images / "1" / "001 é.png", own / "000.png")
    (own / "148 é.png").unlink()
    made = rows(own)
    assert len(made) == 75
    assert made[-1]["error"] == "no such file"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"out": "rows.csv"}, r"should end in \.parquet"),
        ({"engine": "spark"}, "there is no engine 'spark'"),
        ({"chunk": 33}, "multiple of 32"),
        ({"coverage": 2.0}, "lies between 0 and 1"),
        ({"run": "nowhere.onnx"}, "no such file"),
    ],
    ids=str,
)
def test_what_cannot_be(asked: dict, said: str, model: Path, images: Path, tmp_path: Path) -> None:
    words = {"run": model, "out": "rows.parquet"} | asked
    with pytest.raises(CorollaError, match=said):
        predict(words.pop("run"), [str(images)], tmp_path / words.pop("out"), **words)
    assert list(tmp_path.iterdir()) == []
