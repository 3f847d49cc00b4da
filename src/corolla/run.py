"""The run folder: what a training leaves behind, file by file, read safely.

Everything that answers about a run (`evaluate`, `predict`, the report, the model card) finds its files here and
nowhere else. Weights are safetensors and the rest is text, so opening somebody's run executes nothing.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corolla import lock
from corolla.atomic import write_json, write_text
from corolla.configuration import ViTConfig
from corolla.data.manifest import Manifest
from corolla.errors import CorollaError, few
from corolla.formats import FORMAT, upgraded
from corolla.paths import AnyPath
from corolla.preprocessing import Preprocessing
from corolla.pretrained import EXPORTED, run_folder
from corolla.sealed import DamagedError, load_sealed, save_sealed

if TYPE_CHECKING:  # what a run is made of is read and refused without them
    import torch

    from corolla.model import ViT

MAX_CLASSES = 100_000
# What `atomic.write_with` and safetensors call a file of a run before it is whole.
STEMS = "model|checkpoint|teacher|calibration|config|manifest|metrics|evaluation|curves|report|README"
UNFINISHED = re.compile(rf"\.(({STEMS})-\w{{8}}\.\w+|tmp\w{{6}})")
MAX_WIDTH, MAX_DEPTH, MAX_SEQUENCE = 16_384, 256, 65_536  # a hostile config.json must not fill the memory


@dataclass(frozen=True)
class Config:
    """What `config.json` holds: everything but the weights that is needed to answer, and where it came from."""

    model: str  # the name it was built from
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
        """The averaged weights of the best epoch on validation."""
        return self.folder / "model.safetensors"

    @property
    def config_file(self) -> Path:
        """Architecture, class names, preprocessing, recipe, versions, split digest."""
        return self.folder / "config.json"

    @property
    def manifest_file(self) -> Path:
        """Which image was trained on, validated on and tested on."""
        return self.folder / "manifest.csv"

    @property
    def metrics_file(self) -> Path:
        """One JSON object a line, an epoch each."""
        return self.folder / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        """What `--resume` needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def teacher(self) -> Path:
        """The fitted teacher of a distillation that is not finished yet."""
        return self.folder / "teacher.safetensors"

    @property
    def curves(self) -> Path:
        """Loss and accuracy over the epochs."""
        return self.folder / "curves.png"

    @property
    def report(self) -> Path:
        """The report as one self-contained page."""
        return self.folder / "report.html"

    @property
    def calibration(self) -> Path:
        """What the model knows about its own answers: temperature, conformal scores, novelty."""
        return self.folder / "calibration.safetensors"

    @property
    def evaluation_file(self) -> Path:
        """The last evaluation's figures."""
        return self.folder / "evaluation.json"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / "README.md"

    def hardly_begun(self) -> bool:
        """Whether nothing lies here but what a training leaves that was killed before it had written its config."""
        early = {lock.NAME, self.manifest_file.name, self.teacher.name}
        return all(path.name in early or UNFINISHED.fullmatch(path.name) for path in self.folder.iterdir())

    def finished(self) -> bool:
        """Whether its last epoch is over, as far as its config can be read."""
        try:
            return bool(self.load_config().training.get("finished"))
        except CorollaError:
            return False

    def sweep(self) -> None:
        """Delete what a killed process had not finished to write; nobody else may be writing here."""
        for path in self.folder.iterdir():
            if UNFINISHED.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)

    def save_model(self, model: "ViT", dtype: "torch.dtype | None" = None) -> None:
        """Write the weights, whole or not at all; with `dtype` all that are not whole numbers in that type."""
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
                f"{self.folder} is not a run folder, for it has no config.json; "
                f"make one with: corolla train DATA --out {self.folder}"
            )
        try:
            values = upgraded(json.loads(self.config_file.read_text(encoding="utf-8")))
            architecture = shape_from(values.pop("architecture"))
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
        """The config of a run that has weights; `CorollaError` if it is none, or has none yet."""
        config = self.load_config()
        if not self.weights.is_file():
            raise CorollaError(
                f"{self.folder} holds no weights yet; finish it with `corolla train … --out {self.folder} --resume`"
            )
        return config

    def load_model(self) -> "tuple[ViT, Config]":
        """The model in evaluation mode on the CPU, and its config; `CorollaError` if the weights do not fit."""
        import torch

        from corolla.branches import DropPath
        from corolla.model import ViT

        config = self.check()
        with torch.device("meta"):  # nothing is drawn at random that the file replaces
            model = ViT(config.architecture)
        try:
            state, _ = load_sealed(self.weights, unsealed=True)  # older runs, and converted weights, have no seal
        except (DamagedError, OSError) as error:
            raise CorollaError(
                f"cannot read the weights {self.weights}: {error}; copy them again from where they came, "
                "or train this run anew"
            ) from None
        check_fit(model, state, self.weights)
        expected = model.state_dict()
        model.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in state.items()}, assign=True)
        for module in model.modules():
            if isinstance(module, DropPath):
                module.reset()
        return model.eval(), config

    def load_manifest(self) -> Manifest:
        """The images of this run, under the root they were read from, with the stream if it was trained on one."""
        data = self.load_config().data
        manifest = Manifest.load(self.manifest_file, Path(data["root"]))
        if not data.get("stream"):
            return manifest
        from corolla.data.shards.unpacking import restore

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
        """Add one epoch's row to `metrics.jsonl`, on the disk before any checkpoint that counts on it."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.jsonl`, when a resumed training goes back to its last checkpoint."""
        write_text(self.metrics_file, "".join(json.dumps(row) + "\n" for row in rows))


def find_run(run: AnyPath) -> Run:
    """The run that a path means, or the name of one that comes with corolla; `CorollaError` for an exported file."""
    if str(run).endswith(EXPORTED):
        raise CorollaError(f"{run} is an exported file, and this needs the run that it was made of")
    return Run(run_folder(run))


def shape_from(values: dict[str, Any]) -> ViTConfig:
    """An architecture from plain values; ValueError, TypeError or KeyError if they are of none."""
    tuples = ["image_size", "stem"] + (["rotary_grid"] if values.get("rotary_grid") is not None else [])
    return ViTConfig(**values | {key: tuple(values[key]) for key in tuples})


def check_bounds(config: Config) -> None:
    """ValueError for a config that no training of ours writes and that would fill the memory."""
    check_shape(config.architecture)
    if not 2 <= len(config.classes) <= MAX_CLASSES or len(config.classes) != config.architecture.num_classes:
        raise ValueError(f"{len(config.classes)} class names do not fit {config.architecture.num_classes} outputs")
    if not all(isinstance(name, str) for name in config.classes) or len(set(config.classes)) != len(config.classes):
        raise ValueError("class names should be different texts")


def check_shape(shape: ViTConfig) -> None:
    """ValueError for an architecture larger than any there is, which would fill the memory."""
    rows, columns = shape.grid(shape.image_size)
    whole = (
        shape.num_classes,
        shape.width,
        shape.depth,
        shape.heads,
        shape.mlp_dim,
        shape.patch_size,
        *shape.stem,
    )
    if not all(isinstance(value, int) and value > 0 for value in whole):
        raise ValueError("the architecture's sizes should be whole numbers above zero")
    if (
        shape.width > MAX_WIDTH
        or shape.mlp_dim > 8 * MAX_WIDTH
        or shape.depth > MAX_DEPTH
        or max(shape.stem, default=0) > MAX_WIDTH
    ):
        raise ValueError("the architecture is larger than any Vision Transformer")
    if not isinstance(shape.stem_blocks, int) or not 0 <= shape.stem_blocks <= MAX_DEPTH:
        raise ValueError("the architecture's stem has no such number of residual blocks")
    if rows * columns > MAX_SEQUENCE or not 0 <= shape.registers <= 1024:
        raise ValueError("the architecture has more tokens than any Vision Transformer")


def check_fit(
    model: "ViT", state: dict[str, Any], source: Path, expected_by: str = "the architecture in config.json"
) -> None:
    """`CorollaError` names what of `state` is missing, unexpected or of another shape than in `model`."""
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
