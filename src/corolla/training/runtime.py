"""The runtime of a training: device, data loader workers, connected processes, accelerate's `Accelerator`.

`torchrun`, `accelerate launch` and the like start the same command several times and set its environment;
accelerate connects these processes, with gloo on CPUs and NCCL on GPUs.
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

PATIENCE = timedelta(hours=12)  # to wait for the other processes: one of them may fit a teacher


@dataclass(frozen=True)
class Runtime:
    """The device and the processes of a training."""

    device: str  # as torch names it: cpu, cuda, mps
    workers: int  # data loader workers of each training process
    fsdp: bool = False  # shard weights, gradients and optimizer state over the processes

    @cached_property
    def precision(self) -> Precision:
        """The best precision for the device."""
        return choose_precision(self.device)

    @cached_property
    def processes(self) -> Processes:
        """The processes that train together, connected; this one alone if no launcher started more."""
        if os.environ.get("ACCELERATE_USE_FSDP", "false") == "true":
            raise CorollaError("corolla shards a model itself: leave out accelerate's --use_fsdp, and add --fsdp")
        if not is_distributed():
            if self.fsdp:
                raise CorollaError("--fsdp shards a model over processes; start several with torchrun")
            return Processes()
        joined = processes_here(str(self.accelerator().device))
        atexit.register(leave_group)
        return joined

    def accelerator(self) -> Accelerator:
        """accelerate's `Accelerator` for the device and its precision, even if this process used others before."""
        try:
            return self.new_accelerator()
        except ValueError:  # accelerate keeps a process on its first device and precision until its state is reset
            AcceleratorState._reset_state(reset_partial_state=True)
            return self.new_accelerator()

    def new_accelerator(self) -> Accelerator:
        """A new `Accelerator` for this runtime."""
        handlers = []
        if is_distributed():
            handlers = [
                DistributedDataParallelKwargs(gradient_as_bucket_view=True),
                InitProcessGroupKwargs(timeout=PATIENCE),
            ]
        on_cpu = self.device == "cpu"
        return Accelerator(cpu=on_cpu, mixed_precision=self.precision.mixed, kwargs_handlers=handlers)


def leave_group() -> None:
    """Leave the process group, so that the other processes see a clean end."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def choose_device() -> str:
    """The available accelerator, or the CPU."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator.type if accelerator else "cpu"


def usual_workers() -> int:
    """The default number of data loader workers: half of the processors, because the other half computes."""
    return max(min((os.cpu_count() or 1) // 2, 8), 1)


def hardware(device: torch.device) -> str:
    """A description of the device that computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{count(torch.get_num_threads(), 'thread')} of {processor()} with {torch.backends.cpu.get_cpu_capability()}"


def processor() -> str:
    """The processor's marketing name, if the system gives it."""
    try:  # Linux's platform.processor() says x86_64 or nothing at all
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
