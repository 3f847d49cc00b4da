"""The model of a job, in a form that any process can open: a run or an exported file."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from corolla.cache import sha256_of
from corolla.pretrained import is_exported, run_folder

if TYPE_CHECKING:
    from corolla.onnx_runtime.backends import Backend
    from corolla.predictor import Numbers, Predictor

MOST = 8  # predictors per process, since each holds a batch
FILES = ("model.safetensors", "calibration.safetensors")  # of a run, the second if there is one


@dataclass(frozen=True)
class Model:
    """A run on a device, or an exported file on a backend."""

    run: Path
    device: str = "cpu"
    backend: "Backend" = "onnxruntime"
    precision: "Numbers" = "fp32"

    @property
    def exported(self) -> bool:
        """Whether it is an exported file."""
        return is_exported(self.run)

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        return self.exported or self.device.startswith("cpu")

    def absolute(self) -> "Model":
        """The same model with absolute paths."""
        return replace(self, run=run_folder(self.run).absolute())

    def open(self, threads: int | None = None) -> "Predictor":
        """The predictor; `CorollaError` if it is invalid or damaged. `threads` applies to exported files."""
        from corolla.loading import load

        return load(self.run, self.device, self.precision, self.backend, threads)

    def digest(self) -> str:
        """A hash of everything that its predictions depend on: weights, calibration, preprocessing, classes."""
        if self.exported:
            return sha256_of(self.run)
        folder = run_folder(self.run)
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kept = {name: said.get(name) for name in ("architecture", "classes", "preprocessing")}
        kept["flip"] = said.get("recipe", {}).get("hflip_tta")
        kept |= {name: sha256_of(folder / name) for name in FILES if (folder / name).is_file()}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode("utf-8")).hexdigest()

    def computed(self, predictor: "Predictor") -> str:
        """The backend and precision, which affect the last digits."""
        if self.exported:
            return self.backend
        from corolla.classifier import Classifier

        assert isinstance(predictor, Classifier)
        return f"{self.device}, {predictor.precision.mixed}"

    @contextmanager
    def on_threads(self, threads: int) -> Iterator[None]:
        """A context in which a run computes on `threads` CPU threads, whichever thread calls it."""
        if self.exported or not self.on_cpu:
            yield
            return
        import torch
        from threadpoolctl import threadpool_limits

        before = torch.get_num_threads()
        try:
            torch.set_num_threads(threads)
            with threadpool_limits(threads, user_api="blas"):  # NumPy's, which computes the OOD score
                yield
        finally:
            torch.set_num_threads(before)


def threads_for(count: int) -> int:
    """The threads per predictor for `count` processors: one, unless that needs too many predictors."""
    return max(1, count // MOST)
