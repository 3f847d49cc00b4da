"""The order of an epoch over a stream of images: it depends only on seed and epoch, not on processes or workers.

The parts of the stream are permuted and concatenated. This sequence is cut into lanes of equal length, and every
batch takes equally many images of each lane. So a batch mixes distant parts of the stream, a process or worker reads
only its own lanes, and each part is read about once. Within a lane images are shuffled in windows (shuffle buffers), of
which only one is in memory. Resuming at a batch needs no saved state: its position is computed.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch

from corolla.data.stream import ImageStream, StreamedImage
from corolla.training.rng import seed_of

MOST_LANES = 16
BUFFER = 4096  # images of all lanes' windows together
BUFFER_BYTES = 256e6  # and about the most bytes of their files


@dataclass(frozen=True, slots=True)
class Drawn:
    """One image of an epoch; `index` is its number in the unshuffled stream."""

    index: int
    image: StreamedImage


@dataclass(frozen=True)
class InterleavedShuffle:
    """The reading order of one epoch over `stream` in batches of `batch_size`."""

    stream: ImageStream
    batch_size: int
    seed: int
    epoch: int

    @cached_property
    def count(self) -> int:
        """The number of lanes: the largest divisor of the batch size up to `MOST_LANES`."""
        return lanes_of(self.batch_size)

    @property
    def share(self) -> int:
        """Images per lane in a batch."""
        return self.batch_size // self.count

    @cached_property
    def window(self) -> int:
        """The size of a lane's shuffle window: the windows of all lanes together fill the buffer."""
        most = min(BUFFER, BUFFER_BYTES / max(self.stream.image_bytes, 1.0))
        return max(int(most) // self.count, self.share)

    @cached_property
    def parts(self) -> list[int]:
        """The numbers of the parts in this epoch's order."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch, "parts"))
        order: list[int] = torch.randperm(len(self.stream.parts), generator=generator).tolist()
        return order

    @cached_property
    def ends(self) -> list[int]:
        """The end of each of `parts` in the epoch's sequence."""
        return list(accumulate(self.stream.parts[number].count for number in self.parts))

    @cached_property
    def starts(self) -> list[int]:
        """The start of each part in the unshuffled stream."""
        return [0, *accumulate(part.count for part in self.stream.parts)]

    @property
    def length(self) -> int:
        """Images per lane."""
        return self.ends[-1] // self.count

    def windows(self, lane: int, position: int) -> Iterator[tuple[int, list[Drawn]]]:
        """The shuffled windows of a lane, from the one that contains `position` on, each with its start."""
        # The first windows of the lanes differ in length; otherwise all would have to be filled at the same time.
        shift = self.window * lane // self.count
        number = (position + shift) // self.window
        start = max(number * self.window - shift, 0)
        images = self.read(lane * self.length + start)
        while start < self.length:
            end = min((number + 1) * self.window - shift, self.length)
            some = [next(images) for _ in range(end - start)]
            generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch, "window", lane, number))
            yield start, [some[place] for place in torch.randperm(len(some), generator=generator).tolist()]
            start, number = end, number + 1

    def read(self, position: int) -> Iterator[Drawn]:
        """The epoch's sequence from `position` on, unshuffled."""
        for place in range(bisect_right(self.ends, position), len(self.parts)):
            number = self.parts[place]
            count = self.stream.parts[number].count
            start = max(position - (self.ends[place] - count), 0)
            for index, image in enumerate(self.stream.read(number, start), start=self.starts[number] + start):
                yield Drawn(index, image)


def lanes_of(batch_size: int) -> int:
    """The largest divisor of the batch size up to `MOST_LANES`."""
    return max(lanes for lanes in range(1, MOST_LANES + 1) if batch_size % lanes == 0)
