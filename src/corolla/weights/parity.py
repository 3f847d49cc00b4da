"""Compares the outputs of timm and transformers for a checkpoint with ours.

Reading back our own file does not detect a misunderstood setting. Here the library itself builds the model
from the settings file.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from importlib import import_module, metadata
from io import StringIO
from logging import ERROR
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from corolla.errors import CorollaError, first_line
from corolla.weights.loading import Weights
from corolla.weights.reading import IN_A_FOLDER, read_checkpoint, read_settings
from corolla.weights.timm_settings import is_timms
from corolla.weights.transformers_settings import is_transformers

TOLERANCE = 1e-4  # of the largest output: the possible effect of other kernels
INSTALL = "pip install 'corolla[bridges]'"
Answers = Callable[[Tensor], Tensor]
Size = tuple[int, int]


def of_source(weights: Weights) -> tuple[str, ...]:
    """A line on the comparison with the library that `weights` come from; `CorollaError` if its outputs differ."""
    if weights.dialect == "corolla":
        return ()
    settings = read_settings(weights.source.with_name("config.json"))
    folder = weights.source.parent
    if isinstance(settings.get("architecture"), str):
        return compared("timm", str(weights.source), weights, lambda: timm_reads(weights))
    if "model_type" in settings and not is_timms(settings) and is_transformers(settings):
        if weights.source.name not in IN_A_FOLDER:
            return (f"not verified with transformers: it cannot read a file named {weights.source.name}",)
        return compared("transformers", str(folder), weights, lambda: transformers_reads(folder, weights))
    return (
        f"{weights.source} was not verified with a library: no config.json names its model, only its shapes are known",
    )


def of_written(weights: Weights, out: Path, to: str, needs: str | None) -> tuple[str, ...]:
    """The same for the library that the folder `out` is for, after it has imported `needs`."""
    library = {"timm": "timm", "huggingface": "transformers"}.get(to)
    if library is None:
        return ()

    def reads() -> tuple[Answers, Size]:
        if needs:
            import_module(needs)
        return timm_folder(out, weights) if library == "timm" else transformers_reads(out, weights)

    return compared(library, str(out), weights, reads)


@torch.inference_mode()
def compared(library: str, where: str, weights: Weights, reads: Callable[[], tuple[Answers, Size]]) -> tuple[str, ...]:
    """The line on the outputs of the library's model, which `reads` builds; `CorollaError` if they differ."""
    try:
        version = metadata.version(library)
        import_module(library)
    except ImportError:  # PackageNotFoundError is one
        return (f"{library} is not installed, so {where} was not verified with it; to verify: {INSTALL}",)
    try:
        with quiet(library):
            answers, size = reads()
            images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
            expected = answers(images)
    except Exception as error:  # a library may raise any exception
        return (f"{library} {version} could not load {where}: {first_line(error)}",)
    seen = weights.model(None if weights.has_head else 1).forward_intermediates(images)
    found = seen.logits if weights.has_head else seen.pooled
    if found.shape != expected.shape:
        raise CorollaError(f"{library} {version} builds another model from {where}: outputs {tuple(expected.shape)}")
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= TOLERANCE:
        raise CorollaError(
            f"{library} {version} computes different outputs for {where}, by {difference:.1e} of the largest one; "
            "do not use it here, and please report it"
        )
    return (f"{library} {version} computes the same outputs for {where}, within {difference:.1e} of the largest one",)


def timm_reads(weights: Weights) -> tuple[Answers, Size]:
    """The timm architecture in the settings, with the file's tensors loaded by timm itself."""
    import timm

    classes = weights.config.num_classes if weights.has_head else 0
    model = timm.create_model(f"local-dir:{weights.source.parent}", pretrained=False, num_classes=classes)
    tensors = read_checkpoint(weights.source).tensors
    module = import_module(type(model).__module__)  # each of timm's families converts foreign names in its own way
    options = {"adapt_layer_scale": True} if hasattr(module, "VisionTransformer") else {}
    model.load_state_dict(module.checkpoint_filter_fn(dict(tensors), model, **options))
    return timm_answers(model, weights)


def timm_folder(folder: Path, weights: Weights) -> tuple[Answers, Size]:
    """Load a folder as a user of timm does."""
    import timm

    return timm_answers(timm.create_model(f"local-dir:{folder}", pretrained=True), weights)


def timm_answers(model: Any, weights: Weights) -> tuple[Answers, Size]:
    """Its outputs, and its image size."""
    model.eval()
    size = getattr(getattr(model, "patch_embed", None), "img_size", None) or weights.config.image_size

    def answers(images: Tensor) -> Tensor:
        found: Tensor = model(images)
        return found

    return answers, (size[0], size[1])


def transformers_reads(folder: Path, weights: Weights) -> tuple[Answers, Size]:
    """Load a folder as a user of transformers does; code in the folder is not run."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if hasattr(config, "mask_ratio"):
        config.mask_ratio = 0.0  # MAE's fraction of randomly masked patches; we use all patches
    named = (config.architectures or [""])[0]
    usual = transformers.AutoModelForImageClassification if weights.has_head else transformers.AutoModel
    kind = getattr(transformers, named, usual) if weights.has_head else usual
    model = kind.from_pretrained(
        folder, config=config, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    ).eval()

    def answers(images: Tensor) -> Tensor:
        output = model(images)
        found: Tensor = output.logits if weights.has_head else output.last_hidden_state[:, 0]
        return found

    return answers, weights.config.image_size


def quiet(library: str) -> AbstractContextManager[object]:
    """A context without transformers' progress bars and loading messages, and without timm's list of skipped names."""
    return transformers_quiet() if library == "transformers" else redirect_stdout(StringIO())


@contextmanager
def transformers_quiet() -> Iterator[None]:
    """A context without transformers' progress bars and log; restores both afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
