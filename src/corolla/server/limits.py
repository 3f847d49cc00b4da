"""What one server takes in, all in one place: whoever asks for more is told so, and nobody else waits for it."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Every bound of a server."""

    body: int = 32 * MEGABYTE  # bytes of one request
    held: int = 256 * MEGABYTE  # bytes of all the requests that are being read or answered
    images: int = 16  # of one request
    pixels: int = 50_000_000  # of one image, by its header; phones make them so large
    queue: int = 256  # images that are being answered or wait for it
    batch: int = 16  # images in one pass of the model; more are hardly faster, and the first waits for the last
    linger: float = 0.005  # seconds that a batch waits for images that are being decoded
    workers: int = 1  # batches that are computed at once, each by its share of the processor's threads
    decoders: int = 2  # images that are decoded at once, each up to 0.2 GB and twice that if it is transparent
    upload: float = 30.0  # seconds that a request may take to arrive
    answer: float = 30.0  # seconds that its answer may take from then on
    drain: float = 5.0  # seconds for which the rest of a refused request is read, so that its sender hears the answer
