"""Reads tensors and settings from an untrusted checkpoint file or folder.

safetensors cannot contain code. A `.pth` is a pickle, read with `weights_only`: PyTorch then builds only tensors and
plain containers, and rejects everything else before it runs.
"""

import argparse
import json
import pathlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from corolla.errors import CorollaError, few, first_line
from corolla.weights.google import read_npz

if TYPE_CHECKING:  # a checkpoint is found, or rejected, without it
    from torch import Tensor

LARGEST_SETTINGS = 10_000_000  # bytes of a config.json
INDEX = ".index.json"  # suffix of the file that maps tensors to the files of a large checkpoint
IN_A_FOLDER = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
WANTED = "model.safetensors and no pytorch_model.bin, whole or with an index"
MOST_SHARDS = 1000
READ = (".safetensors", ".pth", ".pth.tar", ".pt", ".ckpt", ".bin", ".npz")


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file: tensors by name, and the settings beside it, if any."""

    file: Path
    tensors: "dict[str, Tensor]"
    settings: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)  # Hugging Face's preprocessor_config.json
    notes: tuple[str, ...] = ()  # a line for each choice made in reading it
    outside: tuple[str, ...] = ()  # names of tensors outside the model, which were left out


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors of a file with one of the suffixes in `READ`, or of a folder with one and its `config.json`."""
    file = file_of(path)
    try:
        if file.suffix == ".npz":
            return Checkpoint(file, *read_npz(file))
        raw = read_shards(file) if file.name.endswith(INDEX) else read_file(file)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise CorollaError(f"cannot read the weights {file}: {first_line(error)}") from None
    from corolla.weights.unwrapping import unwrapped

    try:
        found = unwrapped(raw)
    except CorollaError as error:
        raise CorollaError(f"cannot read the weights {file}: {error}") from None
    if not found.tensors:
        held = f" it holds {few(list(map(str, raw)))};" if isinstance(raw, Mapping) and raw else ""
        raise CorollaError(f"{file} holds no weights by name;{held} give a file that holds a model's state dict")
    settings, images = (read_settings(file.with_name(name)) for name in ("config.json", "preprocessor_config.json"))
    return Checkpoint(file, found.tensors, settings, images, found.notes, found.outside)


def is_readable(path: Path) -> bool:
    """Whether the name of `path` has a supported suffix."""
    return path.name.lower().endswith(READ)


def file_of(path: Path) -> Path:
    """The file to read at `path`; `CorollaError` if there is none with a supported suffix."""
    if path.is_dir():
        found = [path / name for name in IN_A_FOLDER if (path / name).is_file()]
        if not found:
            others = sorted(each.name for each in path.iterdir() if is_readable(each))
            hint = f"give one of its files: {few(others)}" if others else "give the checkpoint's file or folder"
            raise CorollaError(f"{path} holds no {WANTED}; {hint}")
        return found[0]
    if not path.is_file():
        raise CorollaError(f"there are no weights at {path}")
    if not is_readable(path) and path.name not in IN_A_FOLDER:
        raise CorollaError(f"{path} is not a checkpoint that corolla reads; it reads {', '.join(READ)}")
    return path


def read_file(file: Path) -> Any:
    """The content of one file: tensors by name, or any structure of a training script around them."""
    from safetensors.torch import load_file

    return load_file(file) if file.suffix == ".safetensors" else read_pickle(file)


def read_shards(index: Path) -> "dict[str, Tensor]":
    """The tensors of a checkpoint in several files, by its index."""
    where = index_of(index)
    tensors: dict[str, Tensor] = {}
    for shard in shards_in(index):
        held = read_file(index.with_name(shard))
        if not isinstance(held, Mapping):
            raise ValueError(f"its {shard} holds no weights by name")
        tensors |= {name: tensor for name, tensor in held.items() if where.get(name) == shard}
    if missing := where.keys() - tensors.keys():
        raise ValueError(f"its files lack {few(sorted(missing))}")
    return tensors


def shards_in(index: Path) -> list[str]:
    """The files in an index. All must be beside it: any other path raises ValueError."""
    shards = sorted(set(index_of(index).values()))
    for shard in shards:
        if not re.fullmatch(r"[\w-][\w.-]*", shard, re.ASCII) or Path(shard).suffix not in (".safetensors", ".bin"):
            raise ValueError(f"it names {shard!r}, which is not a weights file beside it")
    if len(shards) > MOST_SHARDS:
        raise ValueError(f"it names {len(shards)} files, more than any Vision Transformer takes")
    return shards


def index_of(file: Path) -> dict[str, str]:
    """The file of each tensor; ValueError if the index does not have it."""
    table = read_settings(file).get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(shard, str) for shard in table.values()):
        raise ValueError("its weight_map does not say which file holds which tensor")
    return table


def read_pickle(file: Path) -> Any:
    """The content of a file in PyTorch's own format, restricted to tensors and plain containers."""
    import torch

    try:
        with torch.serialization.safe_globals(harmless()):
            return torch.load(file, map_location="cpu", weights_only=True)
    # On bytes that are not a pickle, its reader raises any exception: IndexError, KeyError, AttributeError, …
    except Exception as error:
        code = isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error)
        reason = f"it holds code, which was not run{code_in(file)}" if code else "it is damaged or not a checkpoint"
        raise ValueError(f"{reason}; save only its state dict, as safetensors, where it was made") from None


def harmless() -> list[Any]:
    """The harmless types that training scripts save beside the weights: arguments, paths, numbers."""
    scalar = np.float64(0).__reduce__()[0]
    paths = [
        (pure, f"{module}.{name}")  # a path of another system is read as a pure path
        for pure, name in ((pathlib.PurePosixPath, "PosixPath"), (pathlib.PureWindowsPath, "WindowsPath"))
        for module in ("pathlib", "pathlib._local")
    ]
    numbers = [(scalar, f"numpy.{module}.multiarray.scalar") for module in ("core", "_core")]
    kinds = [type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")]
    return [argparse.Namespace, *paths, *numbers, np.dtype, *kinds]


def code_in(file: Path) -> str:
    """The names of the code that a pickle would run, as far as they are known without running it."""
    import torch

    try:
        with torch.serialization.safe_globals(harmless()):
            names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # as above
        return ""
    return f" ({few(sorted(names))})" if names else ""


def read_settings(file: Path) -> dict[str, Any]:
    """The content of a JSON file beside the weights; empty without one."""
    if not file.is_file():
        return {}
    try:
        if file.stat().st_size > LARGEST_SETTINGS:
            raise ValueError("it is too large for settings")
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CorollaError(f"cannot read {file}: {first_line(error)}") from None
    return settings if isinstance(settings, dict) else {}
