"""What a server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from corolla import __version__

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server, in a registry of its own; labels come from our words, never from a request's."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.requests = Counter(
            "corolla_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self.seconds = Histogram(
            "corolla_request_seconds",
            "From a request's first byte to its answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.images = Counter(
            "corolla_images",
            "Images by what became of them: answered, none of the classes, unreadable.",
            ("what",),
            registry=registry,
        )
        self.batches = Histogram(
            "corolla_batch_images",
            "Images that went through the model together.",
            buckets=IMAGES,
            registry=registry,
        )
        self.computing = Histogram(
            "corolla_batch_seconds", "What the model took for a batch.", buckets=SECONDS, registry=registry
        )
        self.held = Gauge("corolla_held_images", "Images that are being answered or wait for it.", registry=registry)
        self.bytes = Gauge(
            "corolla_held_bytes", "Bytes of the requests that are being read or answered.", registry=registry
        )
        about = Gauge("corolla_info", "What is served.", ("model", "version"), registry=registry)
        about.labels(model, __version__).set(1)
        ProcessCollector(registry=registry)  # memory, processor time, open files

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self.registry)
