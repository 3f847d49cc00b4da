"""Loads a checkpoint of any library, or a run, as our Vision Transformer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corolla.errors import CorollaError, few
from corolla.formats import upgraded_architecture, upgraded_tensors
from corolla.models.config import ViTConfig, check_size, config_from
from corolla.models.vit import ViT
from corolla.paths import AnyPath
from corolla.preprocessing import Preprocessing
from corolla.progress import Progress
from corolla.run import Run, check_fit
from corolla.weights import bridging
from corolla.weights.fetching import is_run, located
from corolla.weights.formats import FORMATS, CheckpointFormat, is_idle, nearest, recognize
from corolla.weights.images import from_hugging_face, from_timm
from corolla.weights.reading import Checkpoint, read_checkpoint
from corolla.weights.renaming import to_ours
from corolla.weights.rotary import completed, reordered, told_by_tensors
from corolla.weights.settings import told
from corolla.weights.shapes import architecture

HEADS = ("head.", "head_dist.")  # prefixes of the heads in our names

EITHER_ARCHITECTURE = (
    "facebookresearch's DeiT III and timm's vit_*_patch16_rope_ape_224 have tensors of the same names and shapes; it "
    'is read as DeiT III; a config.json with "architecture" beside it says which it is'
)


@dataclass(frozen=True)
class Weights:
    """A checkpoint with our names. Without a head it cannot classify; `model` then adds a new one."""

    source: Path
    dialect: str
    config: ViTConfig  # num_classes is 1 if there is no head
    tensors: dict[str, Tensor]  # by our names, in float32
    preprocessing: Preprocessing | None = None  # of the images it was trained on, if known
    classes: tuple[str, ...] | None = None  # their names in order, if known
    idle: tuple[str, ...] = ()  # tensors that do not affect the outputs and were left out
    notes: tuple[str, ...] = ()  # a line for each choice made in reading the file

    @property
    def has_head(self) -> bool:
        """Whether it can classify as it is."""
        return "head.weight" in self.tensors

    def model(self, num_classes: int | None = None) -> ViT:
        """The model in evaluation mode; with `num_classes` its head is a new one of zeros for so many classes."""
        if num_classes is None and not self.has_head:
            raise CorollaError(f"{self.source} has no head; give the number of classes for a new one")
        model = ViT(self.config if num_classes is None else replace(self.config, num_classes=num_classes))
        state = dict(self.tensors)
        if num_classes is not None:
            fresh = model.state_dict()
            state |= {name: fresh[name] for name in fresh if name.startswith(HEADS)}
        model.load_state_dict(state)
        return model.eval()


def load_weights(source: AnyPath, heads: int | None = None, progress: Progress | None = None) -> Weights:
    """Read a run of ours, or weights of timm, torchvision, Hugging Face transformers, facebookresearch or Google.

    `source` is a path, a name of `corolla.weights.registry`, or a repository on the Hugging Face Hub; the last two are
    downloaded once. The format is recognized by its names. `heads` is the number of attention heads, for a file without
    settings whose heads are not 64 wide. Raises `CorollaError`, in one line, if the source cannot be
    downloaded or read, for tensors without a place in our model, and for shapes that do not form a Vision Transformer.
    """
    path, published = located(source, progress)
    weights = read_weights(path, heads, known=published is not None)
    if progress:
        for note in weights.notes:
            progress.note(f"{weights.source}: {note}")
    if published is None or weights.preprocessing is not None:
        return weights
    return replace(weights, preprocessing=published.preprocessing)


def read_weights(path: Path, heads: int | None = None, known: bool = False) -> Weights:
    """The weights at `path`, described only by its own files unless its architecture is `known` from elsewhere."""
    if is_run(path):
        model, run = Run(path).load_model()
        return Weights(path, "corolla", run.architecture, dict(model.state_dict()), run.preprocessing, run.classes)
    checkpoint = read_checkpoint(path)
    shape = bridging.shape_in(checkpoint.settings)
    if shape is not None:
        return read_bridged(checkpoint, shape)
    dialect = recognize(checkpoint.tensors)
    if dialect is None:
        raise unrecognized(checkpoint)
    if any(name.startswith("patch_embed.stem.") for name in checkpoint.tensors):
        raise CorollaError(f"{checkpoint.file} is of a corolla model with a convolutional stem; give its run folder")
    try:
        asked = told_by_tensors(checkpoint.tensors, told(checkpoint.settings, heads), dialect.name)
    except (ValueError, TypeError, AttributeError) as error:
        raise CorollaError(f"the weights {checkpoint.file} ({dialect.name}) cannot be used: {error}") from None
    held = checkpoint.tensors if asked.turning is None else completed(checkpoint.tensors)
    theirs, idle = sorted_out(held, dialect)
    renamed = to_ours(theirs, dialect.table)
    if renamed.unknown:
        raise CorollaError(
            f"{checkpoint.file} ({dialect.name}) has {len(renamed.unknown)} tensors that this Vision Transformer "
            f"has no place for: {few(renamed.unknown)}"
        )
    if whole := [name for name, tensor in renamed.tensors.items() if not tensor.is_floating_point()]:
        raise CorollaError(f"{checkpoint.file} has integers instead of weights: {few(whole)}")
    tensors = {name: tensor.to(torch.float32) for name, tensor in renamed.tensors.items()}
    try:
        after = any(name.startswith("fc_norm.") for name in theirs)
        if "head.weight" in tensors and any("pooler." in name for name in idle) and not asked.idle_pooler:
            raise ValueError(
                "it has a pooler and a head, and nothing says which tokens the head reads; take the pooler's tensors "
                'out, or put a config.json with "architectures": ["ViTForImageClassification"] beside it, if it reads '
                "the class token"
            )
        config = architecture(tensors, asked, dialect.name, norm_after_pooling=after)
        check_size(config)
        preprocessing = from_timm(checkpoint.settings) or from_hugging_face(checkpoint.images)
    except (ValueError, TypeError, AttributeError) as error:
        raise CorollaError(f"the weights {checkpoint.file} ({dialect.name}) cannot be used: {error}") from None
    classes = named_classes(checkpoint.settings, config.num_classes)
    idle += checkpoint.outside
    notes = checkpoint.notes
    if not known and "architecture" not in checkpoint.settings and fits_rope_ape(theirs, config):
        notes += (EITHER_ARCHITECTURE,)
    weights = Weights(checkpoint.file, dialect.name, config, tensors, preprocessing, classes, idle, notes)
    with torch.device("meta"):  # shapes are enough to find missing and mismatched tensors
        expected = ViT(config)
    head = {} if weights.has_head else {name: p for name, p in expected.state_dict().items() if name.startswith(HEADS)}
    check_fit(expected, tensors | head, checkpoint.file, "the architecture from its shapes")
    return replace(weights, tensors=reordered(tensors, asked.turning, config.num_heads))


def fits_rope_ape(tensors: Mapping[str, Tensor], config: ViTConfig) -> bool:
    """Whether tensors read as DeiT III may also be from timm's vit_*_patch16_rope_ape_224."""
    positions = tensors.get("pos_embed")
    only_patches = positions is not None and positions.shape[1] == 14 * 14
    return only_patches and config.patch_size == 16 and {"cls_token", "blocks.0.gamma_1"} <= tensors.keys()


def unrecognized(checkpoint: Checkpoint) -> CorollaError:
    """The error for tensors in no known format: their names, and the closest format."""
    known, found = ", ".join(known.name for known in FORMATS), few(checkpoint.tensors, 5)
    near, many = nearest(checkpoint.tensors)
    likest = (
        f"; closest is {near.name} ({many} of {len(checkpoint.tensors)} names), but without {near.sign}" if many else ""
    )
    return CorollaError(f"{checkpoint.file} is in no format that corolla knows ({known}){likest}; it holds {found}")


def read_bridged(checkpoint: Checkpoint, shape: dict[str, Any]) -> Weights:
    """A folder with our own names, which another library reads with `corolla.bridges`."""
    tensors = upgraded_tensors(bridging.ours(checkpoint.tensors))
    try:
        config = config_from(upgraded_architecture(shape) | {"num_classes": len(tensors["head.weight"])})
        check_size(config)
        with torch.device("meta"):
            expected = ViT(config)
        preprocessing = from_timm(checkpoint.settings) or from_hugging_face(checkpoint.images)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorollaError(f"cannot read the architecture beside {checkpoint.file}: {error}") from None
    check_fit(expected, tensors, checkpoint.file)
    classes = named_classes(checkpoint.settings, config.num_classes)
    return Weights(checkpoint.file, "corolla", config, tensors, preprocessing, classes)


def sorted_out(theirs: dict[str, Tensor], dialect: CheckpointFormat) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without the format's prefix and without idle ones, and the names of these."""
    short = {name.removeprefix(dialect.prefix): tensor for name, tensor in theirs.items()}
    idle = tuple(name for name in short if is_idle(name, dialect))
    return {name: tensor for name, tensor in short.items() if name not in idle}, idle


def named_classes(settings: dict[str, Any], count: int) -> tuple[str, ...] | None:
    """The class names in order, if `id2label` (Hugging Face) or `label_names` (timm) has one for each output."""
    names, numbered = settings.get("label_names"), settings.get("id2label")
    if isinstance(numbered, dict):
        names = [numbered.get(str(number)) for number in range(count)]
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) if len(set(names)) == count else None
