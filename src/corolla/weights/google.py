"""Google's `.npz` (the paper's own checkpoints and AugReg): converts arrays from JAX's to PyTorch's layout.

JAX's Flax stores kernels as (in, out), convolutions as (height, width, in, out) and attention heads on a separate
axis. `/` in its names becomes a dot here, and the renaming table does the rest.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from corolla.atomic import write_with

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 20_000_000_000  # bytes of all arrays unpacked; ViT-G/14 takes 7.4 GB
Array = NDArray[Any]


def read_npz(file: Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """The tensors in PyTorch's layout, and as settings the number of heads, which the shapes show here.

    Raises ValueError or `zipfile.BadZipFile` for other files. The archive cannot contain code.
    """
    import torch

    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
            raise ValueError("it unpacks to more than any Vision Transformer takes")
    tensors: dict[str, Tensor] = {}
    settings: dict[str, Any] = {}
    with np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            array = arrays[name]
            if not np.issubdtype(array.dtype, np.floating):
                raise ValueError(f"{name} holds {array.dtype}, not floating-point numbers")
            if name.endswith("/query/bias"):
                settings["num_heads"] = int(array.shape[0])
            tensors[name.replace("/", ".")] = torch.from_numpy(np.array(to_torch(name, array), dtype=np.float32))
    return tensors, settings


def to_torch(name: str, array: Array) -> Array:
    """One array in PyTorch's layout."""
    if name.endswith(("/query/bias", "/key/bias", "/value/bias")):
        return array.reshape(-1)  # (h, d)
    if name.endswith(("/query/kernel", "/key/kernel", "/value/kernel")):
        return array.reshape(array.shape[0], -1).T  # (D, h, d)
    if name.endswith("/out/kernel"):
        return array.reshape(-1, array.shape[-1]).T  # (h, d, D)
    if name.endswith("/kernel"):
        return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
    return array


def write_npz(file: Path, tensors: "Mapping[str, Tensor]", heads: int) -> None:
    """The inverse: write tensors with Google's names (with dots) in PyTorch's layout to an archive."""
    arrays: dict[str, Any] = {}
    for name, tensor in tensors.items():
        slashed = name.replace(".", "/")
        arrays[slashed] = to_jax(slashed, tensor.numpy(), heads)
    write_with(file, lambda temporary: np.savez(temporary, **arrays))


def to_jax(name: str, array: Array, heads: int) -> Array:
    """One array in Flax's layout."""
    if name.endswith(("/query/bias", "/key/bias", "/value/bias")):
        return array.reshape(heads, -1)
    if name.endswith(("/query/kernel", "/key/kernel", "/value/kernel")):
        return array.T.reshape(array.shape[1], heads, -1)
    if name.endswith("/out/kernel"):
        return array.T.reshape(heads, -1, array.shape[0])
    if name.endswith("/kernel"):
        return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    return array
