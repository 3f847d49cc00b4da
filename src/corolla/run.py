"""The run folder: the files of a training, and how to read them safely.

Everything that reads a run (`evaluate`, `predict`, the report, the model card) finds its files here and nowhere
else. Weights are safetensors and the rest is text, so opening a run of somebody else executes no code.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corolla import lock
from corolla.atomic import write_json, write_text
from corolla.checksummed import DamagedError, load_sealed, save_sealed
from corolla.data.manifest import Manifest
from corolla.errors import CorollaError, few
from corolla.formats import FORMAT, upgraded, upgraded_tensors
from corolla.models.config import ViTConfig, check_size, config_from
from corolla.paths import AnyPath
from corolla.preprocessing import Preprocessing
from corolla.pretrained import is_exported, run_folder

if TYPE_CHECKING:  # a run's files are read and rejected without them
    import torch

    from corolla.models.vit import ViT

MAX_CLASSES = 100_000
# The names that `atomic.write_with` and safetensors give a file of a run until it is complete.
STEMS = "model|checkpoint|teacher|calibration|config|manifest|metrics|evaluation|curves|report|README"
UNFINISHED = re.compile(rf"\.(({STEMS})-\w{{8}}\.\w+|tmp\w{{6}})")


@dataclass(frozen=True)
class Config:
    """The content of `config.json`: everything but the weights that prediction needs, and how the run was made."""

    model: str  # the name that the model was built from
    architecture: ViTConfig
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    recipe: dict[str, Any]  # every value the training ran with, the derived ones too
    data: dict[str, Any]  # source, root, digest, counts by split and class
    versions: dict[str, str]
    training: dict[str, Any]  # seed, device, precision, minutes, best epoch

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"format": FORMAT} | asdict(self)


@dataclass(frozen=True)
class Run:
    """A run folder and the names of its files."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The averaged weights (EMA) of the best epoch on validation."""
        return self.folder / "model.safetensors"

    @property
    def config_file(self) -> Path:
        """Architecture, class names, preprocessing, recipe, versions, split digest."""
        return self.folder / "config.json"

    @property
    def manifest_file(self) -> Path:
        """The images of the training, validation and test splits."""
        return self.folder / "manifest.csv"

    @property
    def metrics_file(self) -> Path:
        """One JSON object per line and epoch."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """What `--resume` needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def teacher(self) -> Path:
        """The fitted teacher of an unfinished distillation."""
        return self.folder / "teacher.safetensors"

    @property
    def curves(self) -> Path:
        """The plot of loss and accuracy over the epochs."""
        return self.folder / "curves.png"

    @property
    def report(self) -> Path:
        """The report as one self-contained page."""
        return self.folder / "report.html"

    @property
    def calibration(self) -> Path:
        """The calibration: temperature, conformal scores, OOD scores."""
        return self.folder / "calibration.safetensors"

    @property
    def evaluation_file(self) -> Path:
        """The metrics of the last evaluation."""
        return self.folder / "evaluation.json"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / "README.md"

    def has_no_config_yet(self) -> bool:
        """Whether the folder has only files of a training that was killed before it wrote its config."""
        early = {lock.NAME, self.manifest_file.name, self.teacher.name}
        return all(path.name in early or UNFINISHED.fullmatch(path.name) for path in self.folder.iterdir())

    def finished(self) -> bool:
        """Whether its last epoch is over; False if its config cannot be read."""
        try:
            return bool(self.load_config().training.get("finished"))
        except CorollaError:
            return False

    def sweep(self) -> None:
        """Delete files that a killed process did not finish; no other process may be writing here."""
        for path in self.folder.iterdir():
            if UNFINISHED.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)

    def save_model(self, model: "ViT", dtype: "torch.dtype | None" = None) -> None:
        """Write the weights, whole or not at all; with `dtype`, floating-point tensors in that type."""
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        if dtype is not None:
            state = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        save_sealed(state, self.weights, {"format": "pt"})

    def save_config(self, config: Config) -> None:
        """Write `config.json`, whole or not at all."""
        write_json(self.config_file, config.to_json())

    def load_config(self) -> Config:
        """Read and check `config.json`; `CorollaError` if it is missing, damaged or from a newer corolla."""
        if not self.config_file.is_file():
            raise CorollaError(
                f"{self.folder} is not a run folder: it has no config.json; "
                f"make one with: corolla train DATA --out {self.folder}"
            )
        try:
            values = upgraded(json.loads(self.config_file.read_text(encoding="utf-8")))
            architecture = config_from(values.pop("architecture"))
            config = Config(
                **values
                | {
                    "classes": tuple(values["classes"]),
                    "preprocessing": Preprocessing.from_json(values["preprocessing"]),
                },
                architecture=architecture,
            )
            check_bounds(config)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorollaError(f"cannot read {self.config_file}: {error}") from None
        return config

    def check(self) -> Config:
        """The config of a run that has weights; `CorollaError` if it is not a run, or has no weights yet."""
        config = self.load_config()
        if not self.weights.is_file():
            raise CorollaError(
                f"{self.folder} holds no weights yet; finish it with `corolla train … --out {self.folder} --resume`"
            )
        return config

    def load_model(self) -> "tuple[ViT, Config]":
        """The model in evaluation mode on the CPU, and its config; `CorollaError` if the weights do not fit."""
        import torch

        from corolla.models.vit import DropPath, ViT

        config = self.check()
        with torch.device("meta"):  # no random initialization, because the file replaces it
            model = ViT(config.architecture)
        try:
            state, _ = load_sealed(self.weights, unsealed=True)  # older runs, and converted weights, have no seal
        except (DamagedError, OSError) as error:
            raise CorollaError(
                f"cannot read the weights {self.weights}: {error}; copy them again from their source, "
                "or train this run again"
            ) from None
        state = upgraded_tensors(state)
        check_fit(model, state, self.weights)
        expected = model.state_dict()
        model.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in state.items()}, assign=True)
        for module in model.modules():
            if isinstance(module, DropPath):
                module.reset()
        return model.eval(), config

    def load_manifest(self) -> Manifest:
        """The images of this run, under their original root, with the stream if it was trained on one."""
        data = self.load_config().data
        manifest = Manifest.load(self.manifest_file, Path(data["root"]))
        if not data.get("stream"):
            return manifest
        from corolla.data.streams.unpacking import restore

        return restore(manifest, data["stream"])

    def history(self) -> list[dict[str, Any]]:
        """The epochs of `metrics.jsonl`; a last line cut short by a crash is left out."""
        if not self.metrics_file.is_file():
            return []
        epochs = []
        for line in self.metrics_file.read_text(encoding="utf-8").splitlines():
            try:
                epochs.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return epochs

    def append_history(self, row: dict[str, Any]) -> None:
        """Add one epoch's row to `metrics.jsonl`; it is on the disk before any checkpoint that relies on it."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.jsonl` when a resumed training goes back to its last checkpoint."""
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in rows))


def find_run(run: AnyPath) -> Run:
    """The run at a path, or of a name that comes with corolla; `CorollaError` for an exported file."""
    if is_exported(run):
        raise CorollaError(f"{run} is an exported file, and this needs the run that it was made from")
    return Run(run_folder(run))


def check_bounds(config: Config) -> None:
    """ValueError for a config that corolla never writes and that would fill the memory."""
    check_size(config.architecture)
    if not 2 <= len(config.classes) <= MAX_CLASSES or len(config.classes) != config.architecture.num_classes:
        raise ValueError(f"{len(config.classes)} class names do not fit {config.architecture.num_classes} outputs")
    if not all(isinstance(name, str) for name in config.classes) or len(set(config.classes)) != len(config.classes):
        raise ValueError("class names should be distinct strings")


def check_fit(
    model: "ViT", state: dict[str, Any], source: Path, expected_by: str = "the architecture in config.json"
) -> None:
    """`CorollaError` names the tensors of `state` that are missing, unexpected or of another shape than in `model`."""
    expected = model.state_dict()
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    shapes = sorted(
        f"{name} is {tuple(state[name].shape)}, should be {tuple(expected[name].shape)}"
        for name in expected.keys() & state.keys()
        if state[name].shape != expected[name].shape
    )
    faults = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if any(names for _, names in faults):
        told = "; ".join(f"{len(names)} {what} ({few(names)})" for what, names in faults if names)
        raise CorollaError(f"the weights {source} do not fit {expected_by}: {told}")
