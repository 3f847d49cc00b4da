"""A plain script without a main guard trains, however this system begins processes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from corolla.data.sharding import write_shards

ROOT = Path(__file__).resolve().parents[2]
QUICK = 'epochs=2, model="vit_pico_conv8_16", batch_size=8, workers=1, device="cpu"'


def example(data: Path, method: str) -> str:
    """README's example on little data, processes begun by `method`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"## From Python\n\n```python\n(.*?)```", text, re.DOTALL)
    assert found
    code = found[1]
    for old, new in (
        (
            'corolla.train("painted", "runs/painted", minutes=5)',
            f'corolla.train({str(data)!r}, "runs/painted", {QUICK})',
        ),
        ('"rose.jpg"', repr(str(next(data.rglob("*.png"), None) or "missing"))),
    ):
        assert old in code
        code = code.replace(old, new)
    return f'{begun_by(method)}{code}\nprint("ended")\n'


def begun_by(method: str) -> str:
    """How such a script begins."""
    said = 'print("begun", flush=True)'
    return f'{said}\nimport multiprocessing\nmultiprocessing.set_start_method("{method}", force=True)\n'


def ran(words: list[str], folder: Path, **options: object) -> str:
    """What a real Python process printed, which ended well."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    said: str = done.stdout
    return said


@pytest.mark.parametrize(("method", "way"), [("spawn", "script"), ("forkserver", "standard input")])
def test_the_readmes_example_runs_without_a_main_guard(method: str, way: str, swatches: Path, tmp_path: Path) -> None:
    if method == "forkserver" and sys.platform == "win32":
        pytest.skip("Windows has no forkserver")
    code = example(swatches, method)
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    said = ran(["script.py"], tmp_path) if way == "script" else ran(["-"], tmp_path, input=code)
    lines = said.splitlines()
    assert lines.count("begun") == lines.count("ended") == 1  # no process ran the script again
    assert 0 <= float(lines[1]) <= 1
    assert (tmp_path / "runs" / "painted" / "report.html").is_file()


def test_shards_are_streamed_without_a_main_guard(swatches: Path, tmp_path: Path) -> None:
    write_shards(swatches, tmp_path / "shards")
    training = f'import corolla\nrun = corolla.train("shards", "run", {QUICK})\nprint(len(run.history()))\n'
    code = begun_by("spawn") + training
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    assert ran(["script.py"], tmp_path).splitlines() == ["begun", "2"]
