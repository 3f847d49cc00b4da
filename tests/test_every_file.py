"""Every file is the same, byte by byte, whenever and by whichever process it is written, but for the times it tells."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "every_file.py"
KINDS = {
    *(".safetensors", ".npz", ".onnx"),
    *(".json", ".jsonl", ".csv", ".parquet", ".md", ".html", ".png", ".jpg", ".tar"),
    "",  # decoded images, `pixels` in the cache
}
# What tells when it was written and how long that took; docs/architecture.md names them.
TIMED = {"run/config.json", "run/metrics.jsonl", "run/README.md", "run/report.html", "halted/checkpoint.safetensors"}
TIMED |= {"halted/config.json", "halted/metrics.jsonl"}

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """What two processes have written, which differ in all that no file should depend on."""
    folder = tmp_path_factory.mktemp("every file")
    images = draw_images(folder / "images")
    return [written(folder, images, hash_seed=1, TZ="UTC"), written(folder, images, hash_seed=2, TZ="Asia/Tokyo")]


def draw_images(folder: Path) -> Path:
    """Three classes of fifty, which is enough to calibrate with."""
    file = Path(__file__).parent / "cli" / "conftest.py"
    found = importlib.util.spec_from_file_location("drawing", file)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return Path(module.draw_images(folder, 50, seed=5))


def written(folder: Path, images: Path, hash_seed: int, **environment: str) -> Tree:
    """The files that one process writes into an empty folder, its cache among them, by their paths there."""
    work = folder / "work"  # the same for both: some files tell where others lie
    work.mkdir()
    own = {"PYTHONHASHSEED": str(hash_seed), "COROLLA_CACHE": str(work / "cache"), "OMP_NUM_THREADS": "1"}
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, SCRIPT, images], cwd=work, env=os.environ | own | paths | environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    files = [path for path in work.rglob("*") if path.is_file()]
    tree = {path.relative_to(work).as_posix(): path.read_bytes() for path in files}
    work.rename(folder / f"written {hash_seed}")
    return tree


def test_two_processes_write_the_same_bytes(trees: list[Tree]) -> None:
    one, other = map(lasting, trees)
    assert one.keys() == other.keys()
    assert [path for path in one if one[path] != other[path]] == []


def lasting(tree: Tree) -> Tree:
    """Without what the cache knows a file by: when it was last changed."""
    known = {path: content for path, content in tree.items() if path.startswith(("cache/checked/", "cache/indexed/"))}
    indexed = sorted(content for path, content in known.items() if path.endswith(".npz"))
    return {path: tree[path] for path in tree.keys() - known.keys()} | {"indexed": b"".join(indexed)}


def test_that_is_so_for_every_kind_of_file(trees: list[Tree]) -> None:
    assert {Path(path).suffix for path in trees[0]} >= KINDS
    names = {path.rpartition("/")[2] for path in trees[0]}
    assert names >= {"model.safetensors", "calibration.safetensors", "checkpoint.safetensors", "teacher.safetensors"}
    assert names >= {"model.npz", "index.safetensors", "manifest.csv", "evaluation.json", "stream.json", "shards.json"}
    assert any(path.startswith("cache/features/") for path in trees[0])


def test_times_stand_in_the_files_that_are_said_to_tell_them_and_in_no_other(trees: list[Tree]) -> None:
    """Trained a day later and as if much slower."""
    tree = trees[0]
    sooner, later = ({p.removeprefix(f): c for p, c in tree.items() if p.startswith(f)} for f in ("runs/", "later/"))
    assert {path for path in later if later[path] != sooner[path]} == TIMED
