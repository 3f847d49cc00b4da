"""The processes that work on one command, on one machine or on many, and their communication.

`torchrun` and `accelerate launch` start the command several times; accelerate connects the processes (see
`corolla.training.runtime`), and the rest of corolla sees only this module. A single process is the usual case: then
every method returns at once and torch is not loaded.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from corolla.errors import CorollaError, ElsewhereError

if TYPE_CHECKING:  # `corolla train --help` imports this module
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")
Row = TypeVar("Row", bound="np.generic")


@dataclass(frozen=True)
class Processes:
    """This process's rank (from 0) among `count`; `device` computes and carries the messages."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def shard_range(self, total: int) -> range:
        """The range of `total` items that this process works on; the parts differ in length by one at most."""
        return range(self.rank * total // self.count, (self.rank + 1) * total // self.count)

    def broadcast_object(self, value: T) -> T:
        """The main process's value, in every process."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def from_main(self, compute: Callable[[], T]) -> T:
        """The result of `compute` in the main process, sent to every process; if it fails there, all fail."""
        if self.count == 1:
            return compute()
        result: tuple[T | None, str | None] = (None, None)
        failure: Exception | None = None
        if self.main:
            try:
                result = compute(), None
            except (CorollaError, OSError) as error:
                failure, result = error, (None, str(error))
        value, said = self.broadcast_object(result)
        if failure is not None:
            raise failure
        if said is not None:
            raise ElsewhereError(said)
        return value  # type: ignore[return-value]

    def all_reduce(self, *values: float) -> tuple[float, ...]:
        """Each value summed over the processes."""
        if self.count == 1:
            return values
        import torch
        import torch.distributed as dist

        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return tuple(tensor.tolist())

    def all_gather(self, rows: "NDArray[Row]", total: int) -> "NDArray[Row]":
        """All-gather: the rows of all processes in order, each of which has the rows of `part(total)`.

        Shorter parts are padded for the transfer and cut again, so every row appears once.
        """
        if self.count == 1:
            return rows
        import numpy as np
        import torch
        import torch.distributed as dist

        longest = -(-total // self.count)
        filled = np.zeros((longest, *rows.shape[1:]), rows.dtype)
        filled[: len(rows)] = rows
        mine = torch.from_numpy(filled).to(self.device)
        everybody = [torch.empty_like(mine) for _ in range(self.count)]
        dist.all_gather(everybody, mine)
        lengths = [len(Processes(rank, self.count).shard_range(total)) for rank in range(self.count)]
        return np.concatenate([each.cpu().numpy()[:n] for each, n in zip(everybody, lengths, strict=True)])

    def shard_offsets(self, own: int) -> tuple[int, int]:
        """The start of this process's `own` items in the concatenation over all processes, and the total number."""
        if self.count == 1:
            return 0, own
        import torch
        import torch.distributed as dist

        mine = torch.tensor([own], device=self.device)
        everybody = [torch.empty_like(mine) for _ in range(self.count)]
        dist.all_gather(everybody, mine)
        numbers = [int(each) for each in everybody]
        return sum(numbers[: self.rank]), sum(numbers)

    def ring_recv(self, *tensors: "Tensor") -> Sequence["Tensor"]:
        """Receive `tensors` of the previous process in the ring, of the same shapes; the last precedes the first."""
        if self.count == 1:
            return tensors
        import torch
        import torch.distributed as dist

        received = [torch.empty_like(tensor) for tensor in tensors]
        after, earlier = (self.rank + 1) % self.count, (self.rank - 1) % self.count
        journeys = [dist.P2POp(dist.isend, tensor.contiguous(), after) for tensor in tensors]
        journeys += [dist.P2POp(dist.irecv, tensor, earlier) for tensor in received]
        for journey in dist.batch_isend_irecv(journeys):
            journey.wait()
        return received

    def broadcast(self, tensors: Sequence["Tensor"]) -> None:
        """Broadcast the main process's values into `tensors`, in place."""
        if self.count > 1:
            import torch.distributed as dist

            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def barrier(self) -> None:
        """A barrier: wait until every process has reached this call."""
        self.all_reduce(0.0)


ALONE = Processes()


@contextmanager
def without_script() -> Iterator[None]:
    """Processes started in this context do not import the user's script; they need only corolla's own modules.

    Where processes are spawned (macOS, Windows, and Linux from Python 3.14 on) each would import the main module first,
    and a script without a main guard would start its training again in every process. A script from standard input
    could not be imported at all.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # without a file, so there is nothing to import
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def is_distributed() -> bool:
    """Whether a launcher started this command more than once."""
    return int(os.environ.get("WORLD_SIZE", "1") or 1) > 1


def processes_here(device: str = "cpu") -> Processes:
    """The processes that are already connected; this one alone if none are."""
    if "torch.distributed" not in sys.modules:
        return ALONE
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return ALONE
    return Processes(dist.get_rank(), dist.get_world_size(), device)
