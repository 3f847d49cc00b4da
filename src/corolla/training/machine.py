"""Where a training computes: device and processor in words, the processes for views, accelerate's handle.

`torchrun`, `accelerate launch` and the like start the same command several times and say so in its environment;
accelerate joins these processes, with gloo on CPUs and NCCL on GPUs.
"""

import atexit
import os
import platform
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from accelerate.state import AcceleratorState

from corolla.errors import CorollaError
from corolla.precision import Precision, choose_precision
from corolla.processes import Processes, is_distributed, processes_here
from corolla.text import count

PATIENCE = timedelta(hours=12)  # for the other processes: one of them may have a teacher to fit


@dataclass(frozen=True)
class Runtime:
    """Where a training computes."""

    device: str  # as torch names it: cpu, cuda, mps
    workers: int  # processes that make the random views, of each process that trains
    fsdp: bool = False  # weights, gradients and optimizer's state are shared out over the processes

    @cached_property
    def precision(self) -> Precision:
        """The precision that suits the device."""
        return choose_precision(self.device)

    @cached_property
    def processes(self) -> Processes:
        """The processes that train together, joined; this one alone where no launcher started more."""
        if os.environ.get("ACCELERATE_USE_FSDP", "false") == "true":
            raise CorollaError("corolla shares out a model itself: leave --use_fsdp to accelerate out, and add --fsdp")
        if not is_distributed():
            if self.fsdp:
                raise CorollaError("--fsdp shares a model out over processes; start several with torchrun")
            return Processes()
        joined = processes_here(str(self.accelerator().device))
        atexit.register(leave_group)
        return joined

    def accelerator(self) -> Accelerator:
        """accelerate's handle on the device in its precision, whatever this process trained on before."""
        try:
            return self.new_accelerator()
        except ValueError:  # it holds a process to its first device and precision until told to forget them
            AcceleratorState._reset_state(reset_partial_state=True)
            return self.new_accelerator()

    def new_accelerator(self) -> Accelerator:
        """What accelerate makes of it."""
        handlers = []
        if is_distributed():
            handlers = [
                DistributedDataParallelKwargs(gradient_as_bucket_view=True),
                InitProcessGroupKwargs(timeout=PATIENCE),
            ]
        on_cpu = self.device == "cpu"
        return Accelerator(cpu=on_cpu, mixed_precision=self.precision.mixed, kwargs_handlers=handlers)


def leave_group() -> None:
    """Tell the other processes that this one has ended well."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


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
    return f"{count(torch.get_num_threads(), 'thread')} of {processor()} with {torch.backends.cpu.get_cpu_capability()}"


def processor() -> str:
    """The processor's name as people know it, where the system tells."""
    try:  # Linux's platform.processor() says x86_64 or nothing at all
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
