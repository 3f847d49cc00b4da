"""Where a training computes: the device, the processes that make views, and accelerate's handle on them."""

import os
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from corolla.precision import Precision, choose_precision


@dataclass(frozen=True)
class Machine:
    """Where a training computes."""

    device: str  # as torch names it: cpu, cuda, mps
    workers: int  # processes that make the random views

    @property
    def precision(self) -> Precision:
        """The precision that suits the device."""
        return choose_precision(self.device)

    def accelerator(self) -> Accelerator:
        """accelerate's handle on the device in its precision, whatever this process trained on before."""
        mixed, on_cpu = self.precision.mixed, self.device == "cpu"
        try:
            return Accelerator(cpu=on_cpu, mixed_precision=mixed)
        except ValueError:  # it holds a process to its first device and precision until told to forget them
            AcceleratorState._reset_state(reset_partial_state=True)
            return Accelerator(cpu=on_cpu, mixed_precision=mixed)


def choose_device() -> str:
    """The accelerator that is there, or the CPU."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator else "cpu"


def usual_workers() -> int:
    """Processes that make views: half of the processors, for the other half computes."""
    return max(min((os.cpu_count() or 1) // 2, 8), 1)
