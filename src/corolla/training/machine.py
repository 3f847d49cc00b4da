"""Where a training computes: device and processor in words, the processes for views, accelerate's handle."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

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


def hardware(device: torch.device) -> str:
    """What computes, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} threads of {processor()} with {torch.backends.cpu.get_cpu_capability()}"


def processor() -> str:
    """The processor's name as people know it, where the system tells."""
    try:  # Linux's platform.processor() says x86_64 or nothing at all
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
