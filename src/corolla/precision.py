"""Precision of the large matrix multiplications: training uses the device's fastest, prediction single precision.

Single precision makes a prediction the same to the printed digit on every machine and from an exported file. bfloat16,
which changes the third digit, is used for predictions only on request.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from corolla.errors import CorollaError


@dataclass(frozen=True)
class Precision:
    """What `accelerate` calls mixed precision, and why it was chosen."""

    mixed: Literal["no", "bf16"]
    reason: str

    @property
    def dtype(self) -> torch.dtype:
        """The type of the large matrix multiplications; weights, sums and softmax stay in float32."""
        return torch.bfloat16 if self.mixed == "bf16" else torch.float32

    def autocast(self, device: str) -> torch.autocast:
        """A context in which the large matrix multiplications on `device` run in `dtype`."""
        return torch.autocast(torch.device(device).type, self.dtype, enabled=self.mixed == "bf16")


SINGLE = Precision("no", "predictions then equal those of an exported file")
ANSWERS = {"fp32": SINGLE, "bf16": Precision("bf16", "it was requested")}


def answers_in(name: str) -> Precision:
    """The precision of predictions by its name, `fp32` or `bf16`; `CorollaError` for another name."""
    if name not in ANSWERS:
        raise CorollaError(f"predictions are computed in {' or '.join(ANSWERS)}, not in {name!r}")
    return ANSWERS[name]


def name_of(dtype: torch.dtype) -> str:
    """The type without the name of the library: bfloat16."""
    return str(dtype).removeprefix("torch.")


def choose_precision(device: str) -> Precision:
    """The precision of a training: bfloat16 if the device has units for it.

    Never float16, because its small range makes small ViTs go NaN.
    """
    if device.startswith("cuda"):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "the GPU has bfloat16 units")
        return Precision("no", "the GPU has no bfloat16 units")
    if device.startswith("cpu"):
        if torch.cpu._is_amx_tile_supported():
            return Precision("bf16", "the processor has AMX units")
        if torch.cpu._is_avx512_bf16_supported():
            return Precision("bf16", "the processor has AVX512-BF16 instructions")
        return Precision("no", "the processor has no bfloat16 units")
    return Precision("no", f"float32 is the safe choice on {device}")
