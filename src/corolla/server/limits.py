"""The limits of one server: larger requests are refused, so that no other request waits for them."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """All limits of a server."""

    body: int = 32 * MEGABYTE  # bytes of one request
    held: int = 256 * MEGABYTE  # bytes of all requests that are being read or processed
    images: int = 16  # of one request
    pixels: int = 50_000_000  # of one image, by its header; phones make them so large
    queue: int = 256  # images that are being predicted or wait for it
    batch: int = 16  # images per forward pass; more are hardly faster, and the first waits for the last
    linger: float = 0.005  # seconds that a batch waits for images that are being decoded
    workers: int = 1  # batches that are computed at once, each by a part of the processor's threads
    decoders: int = 2  # images decoded at once, each up to 0.2 GB, or 0.4 GB if it is transparent
    upload: float = 30.0  # seconds that a request may take to arrive
    answer: float = 30.0  # seconds that its response may take from then on
    drain: float = 5.0  # seconds to read the rest of a refused request, so that its sender gets the response
