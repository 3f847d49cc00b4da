"""The notebooks: committed without outputs, and every cell runs."""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import corolla

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Chance would get so far about once in a hundred times.
AT_LEAST = {"from_scratch": 0.35, "from_pretrained": 0.62}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def printed(cell: Any, stream: str) -> str:
    return "".join(output.text for output in cell.outputs if output.get("name") == stream)


def test_both_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == AT_LEAST.keys()


@every_notebook
def test_a_notebook_is_kept_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    for cell in cells(notebook, "code"):
        assert (cell.outputs, cell.execution_count) == ([], None)
    assert path.read_text(encoding="utf-8") == nbformat.writes(notebook) + "\n"


@every_notebook
def test_a_notebook_opens_anywhere(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert "Open in Colab" in notebook.cells[0].source
    assert cells(notebook, "code")[0].source.startswith("# %pip install corolla\n")
    targets = re.findall(r"\]\(([^)#\s]+)", "\n".join(cell.source for cell in cells(notebook, "markdown")))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []
    assert re.findall(r"""["'](?:/|~|[A-Za-z]:)[^"']*""", "\n".join(c.source for c in cells(notebook, "code"))) == []


@every_notebook
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this Python and with the sources that these tests see; what it leaves goes to a folder of the test's."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # before a kernel that the user has set up
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import sys\nprint(sys.executable)\nprint(corolla.__file__)"))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    *code, asked = cells(notebook, "code")
    assert printed(asked, "stdout").splitlines() == [sys.executable, corolla.__file__]
    assert [line for cell in code for line in printed(cell, "stderr").splitlines() if "Warning" in line] == []
    images = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(images) >= 4
    accuracy = re.search(r"^test accuracy ([\d.]+)%", printed(code[-1], "stdout"), re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) / 100 >= AT_LEAST[path.stem]
