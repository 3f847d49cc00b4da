"""Runs that come with corolla, by name: weights, config and model card, without their images.

Each was made by `corolla train` and `corolla weights convert RUN OUT --to corolla --half`; its card says how.
"""

from pathlib import Path

from corolla.paths import AnyPath, at

NAMES = ("flowers",)
EXPORTED = ".onnx"  # suffix of an exported file


def is_exported(path: AnyPath) -> bool:
    """Whether `path` names an exported file and not a run, by its suffix."""
    return str(path).endswith(EXPORTED)


def run_folder(run: AnyPath) -> Path:
    """The folder of `run`: a path to a run, or the name of one that comes with corolla; an existing path wins."""
    path = at(run)
    if str(run) in NAMES and not (path / "config.json").is_file():
        return Path(__file__).parent / str(run)
    return path
