"""What answers in a job, told so that any process can open it: a run, or a file that was exported from one."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corolla.data.hashing import sha256_of
from corolla.pretrained import EXPORTED, run_folder

if TYPE_CHECKING:
    from corolla.portable.backends import Backend
    from corolla.predictor import Predictor

FILES = ("model.safetensors", "calibration.safetensors")  # of a run, the second if there is one


@dataclass(frozen=True)
class Model:
    """A run on a device, or an exported file on a backend."""

    run: Path
    device: str = "cpu"
    backend: "Backend" = "onnxruntime"

    @property
    def exported(self) -> bool:
        """Whether it is a file."""
        return self.run.suffix == EXPORTED

    def open(self, threads: int | None = None) -> "Predictor":
        """The predictor, on so many threads of the processor if told; `CorollaError` if it is none, or damaged."""
        if self.exported:
            from corolla.portable.predictor import PortablePredictor

            return PortablePredictor.load(self.run, self.backend, threads)
        import torch

        from corolla.classifier import Classifier

        if threads:
            torch.set_num_threads(threads)
        return Classifier.load(self.run, self.device)

    def digest(self) -> str:
        """A hash of all that its answers depend on: weights, calibration, preprocessing, classes."""
        if self.exported:
            return sha256_of(self.run)
        folder = run_folder(self.run)
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kept = {name: said.get(name) for name in ("architecture", "classes", "preprocessing")}
        kept["flip"] = said.get("recipe", {}).get("flip_average")
        kept |= {name: sha256_of(folder / name) for name in FILES if (folder / name).is_file()}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode("utf-8")).hexdigest()

    def computed(self, predictor: "Predictor") -> str:
        """In what it computes, for that moves the last digits."""
        if self.exported:
            return self.backend
        from corolla.classifier import Classifier

        assert isinstance(predictor, Classifier)
        return f"{self.device}, {predictor.precision.mixed}"
