"""A full disk, a memory that must not grow, and Ray beside the local engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corolla.batch_inference import job as plan
from corolla.batch_inference.run import Told, predict
from corolla.errors import CorollaError
from corolla.progress import Progress

MEMORY = """
import sys
from corolla.batch_inference.run import predict
model, out, table = sys.argv[1:]
predict(model, [table], out)
lines = open("/proc/self/status").read().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc tells the memory here")
def test_memory_does_not_grow_with_rows(model: Path, images: Path, tmp_path: Path) -> None:
    """Megabytes at the most, of a job of its own process with so many rows."""
    files = sorted(images.rglob("*.png"))[:4]
    peaks = []
    for count in (1_000, 12_000):
        table = tmp_path / f"{count}.csv"
        table.write_text("path\n" + "".join(f"{files[row % 4]}\n" for row in range(count)), encoding="utf-8")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", MEMORY, str(model), str(tmp_path / f"{count}.parquet"), str(table)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
        assert pq.read_metadata(tmp_path / f"{count}.parquet").num_rows == count
    assert peaks[1] < peaks[0] + 30, peaks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_is_done(model: Path, images: Path, small_disk: Path, tmp_path: Path) -> None:
    out, told, filler = small_disk / "rows.parquet", Told(), small_disk / "filler"

    class Fill(Progress):
        def stage(self, title: str, done: int, total: int, detail: str = "") -> None:
            if title == "predicting" and not filler.exists():
                with filler.open("wb") as file, suppress(OSError):
                    while True:
                        file.write(b"x" * 512)
                        file.flush()

    with pytest.raises(CorollaError) as raised:
        predict(model, [str(images)], out, chunk=32, told=told, progress=Fill())
    assert "no space left on device; make room" in str(raised.value)
    assert f"; {told.kept} of 150 rows are saved, and the same command resumes" in str(raised.value)
    assert not out.exists()
    assert not list(plan.folder_of(out).glob(".*"))
    filler.unlink()
    assert predict(model, [str(images)], out, chunk=32).rows == 150
    predict(model, [str(images)], tmp_path / "unbroken.parquet", chunk=32)
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "unbroken.parquet"))


def test_a_full_disk_before_the_first_answer(model: Path, images: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 120_000)
    with pytest.raises(CorollaError, match="no space left on device; make room"):
        predict(model, [str(images)] * 20, small_disk / "rows.parquet", chunk=32)
    (small_disk / "filler").unlink()
    assert predict(model, [str(images)], small_disk / "rows.parquet", chunk=32).rows == 150


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'corolla[ray]'")
def test_ray_gives_the_same_rows_and_goes_on_where_the_local_engine_was_stopped(
    model: Path, images: Path, tmp_path: Path
) -> None:
    """In a process of its own: Ray and its threads would outlive the test."""
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "x.png").write_bytes(next(images.rglob("*.png")).read_bytes())
    script = f"""
import json, shutil
from pathlib import Path
import pyarrow.parquet as pq
from corolla.batch_inference import on_ray
from corolla.batch_inference.run import Told, predict
from corolla.errors import CorollaError
from corolla.progress import Progress

class Stop(Progress):
    def stage(self, *others):
        raise KeyboardInterrupt

model, images, folder = {str(model)!r}, [{str(images)!r}], Path({str(tmp_path)!r})
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
predict(model, images, folder / "local.parquet", chunk=32)
predict(model, images, folder / "ray.parquet", engine="ray", chunk=32)
try:
    predict(model, images, folder / "both.parquet", chunk=32, progress=Stop())
except KeyboardInterrupt:
    kept = len(list((folder / "both.parquet.unfinished").glob("part-*")))
told = predict(model, images, folder / "both.parquet", engine="ray", chunk=32)
tables = [pq.read_table(folder / f"{{name}}.parquet").to_pylist() for name in ("local", "ray", "both")]
hand_out = on_ray.hand_out

def vanish(*words):
    shutil.rmtree(folder / "gone")
    hand_out(*words)

on_ray.hand_out = vanish
try:
    predict(model, [str(folder / "gone")], folder / "none.parquet", engine="ray")
    said = ""
except CorollaError as error:
    said = str(error)
ray.shutdown()
print(json.dumps([tables[0] == tables[1], tables[0] == tables[2], len(tables[0]), kept, told.made, said]))
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    same, resumed, rows, kept, made, said = json.loads(done.stdout.splitlines()[-1])
    assert (same, resumed, rows) == (True, True, 150)
    assert 1 <= kept < 5
    assert made == 150 - sum([32, 32, 32, 32, 22][:kept])
    assert said == f"{gone} is not there any more; bring it back"
