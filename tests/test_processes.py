"""What several processes tell each other: here three, which torchrun starts."""

from pathlib import Path

import numpy as np
import pytest

from corolla.errors import CorollaError
from corolla.processes import Processes, is_distributed, processes_here
from launching import together

SCRIPT = """
import numpy as np
import torch
import torch.distributed as dist
from corolla.errors import CorollaError, ElsewhereError
from corolla.processes import processes_here, is_distributed

assert is_distributed()
dist.init_process_group("gloo")
here = processes_here()
rank = dist.get_rank()
assert (here.rank, here.count, here.main) == (rank, 3, rank == 0)
assert here.broadcast_object({"from": rank}) == {"from": 0}
assert here.all_reduce(1.0, float(rank)) == (3.0, 3.0)
for total in (0, 1, 2, 3, 7, 8):
    rows = np.arange(2.0 * total, dtype=np.float32).reshape(total, 2)
    part = here.shard_range(total)
    assert np.array_equal(here.all_gather(rows[part.start : part.stop], total), rows), total
assert here.shard_offsets(rank + 1) == ((0, 1, 3)[rank], 6)
image, label = here.ring_recv(torch.full((2,), float(rank)), torch.tensor([rank]))
assert image.tolist() == [(rank - 1) % 3] * 2 and label.tolist() == [(rank - 1) % 3]
tensor = torch.full((2,), float(rank))
here.broadcast([tensor])
assert tensor.tolist() == [0.0, 0.0]
assert here.from_main(lambda: rank) == 0

def fails():
    raise CorollaError("there is no such thing")

try:
    here.from_main(fails)
except CorollaError as error:
    assert str(error) == "there is no such thing"
    assert isinstance(error, ElsewhereError) == (rank > 0)
else:
    raise AssertionError("nobody failed")
here.barrier()
print(f"process {rank} is content")
dist.destroy_process_group()
"""


def test_three_processes_tell_each_other(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    said = together(script, 3)
    assert all(f"process {rank} is content" in said for rank in range(3))


@pytest.mark.parametrize(("total", "count"), [(0, 1), (5, 1), (5, 2), (31, 4), (2, 3)])
def test_parts_hold_everything_once_and_are_as_even_as_can_be(total: int, count: int) -> None:
    parts = [Processes(rank, count).shard_range(total) for rank in range(count)]
    assert [index for part in parts for index in part] == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_alone_answers_itself() -> None:
    alone = processes_here()
    rows = np.arange(6).reshape(3, 2)
    assert alone == Processes()
    assert alone.main
    assert alone.all_gather(rows, 3) is rows
    assert alone.all_reduce(2.0, 3.0) == (2.0, 3.0)
    assert alone.shard_offsets(4) == (0, 4)
    assert alone.broadcast_object("a word") == "a word"
    with pytest.raises(CorollaError, match="as it is"):
        alone.from_main(lambda: fail("as it is"))
    alone.barrier()


def fail(text: str) -> None:
    raise CorollaError(text)


def test_only_a_launcher_makes_it_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not is_distributed()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not is_distributed()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_distributed()
