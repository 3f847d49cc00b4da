"""The metrics of a server, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from corolla import __version__

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one server, in their own registry; no label comes from a request."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "corolla_requests", "Completed requests.", ("route", "method", "status"), registry=registry
        )
        self.seconds = Histogram(
            "corolla_request_seconds",
            "Seconds from a request's first byte to its response.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.images = Counter(
            "corolla_images",
            "Images by result: answered, none of the classes, unreadable.",
            ("what",),
            registry=registry,
        )
        self.batches = Histogram(
            "corolla_batch_images",
            "Images per batch.",
            buckets=IMAGES,
            registry=registry,
        )
        self.computing = Histogram(
            "corolla_batch_seconds", "Seconds of the model per batch.", buckets=SECONDS, registry=registry
        )
        self.held = Gauge("corolla_held_images", "Images that are being predicted or wait for it.", registry=registry)
        self.bytes = Gauge(
            "corolla_held_bytes", "Bytes of the requests that are being read or processed.", registry=registry
        )
        about = Gauge("corolla_info", "The served model.", ("model", "version"), registry=registry)
        about.labels(model, __version__).set(1)
        ProcessCollector(registry=registry)  # memory, processor time, open files

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
