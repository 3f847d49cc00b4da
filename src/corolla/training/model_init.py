"""Initialization of a training: random or pretrained weights, and a head fitted to frozen features (a linear probe)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from corolla.data.manifest import Manifest, Split
from corolla.errors import CorollaError
from corolla.features.extraction import digest, image_features
from corolla.features.linear_probe import LinearHead, fit_head
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT, resize_pos_embed
from corolla.preprocessing import Preprocessing
from corolla.processes import Processes
from corolla.progress import Progress
from corolla.training.lora import adapt
from corolla.training.optimizers import layer_of
from corolla.training.preflight import shape_of
from corolla.training.recipe import Recipe
from corolla.training.rng import seed_of
from corolla.training.sharding import distribute_like
from corolla.weights import Weights
from corolla.weights.loading import HEADS


@dataclass(frozen=True)
class ModelInit:
    """The model's config, its initial weights if they are pretrained, and its preprocessing."""

    config: ViTConfig
    preprocessing: Preprocessing
    tensors: dict[str, Tensor] | None = None

    def model(self, seed: int) -> ViT:
        """The model to train; its random weights depend on `seed` alone."""
        torch.manual_seed(seed_of(seed, "weights"))
        model = ViT(self.config)
        if self.tensors is not None:
            fresh = model.state_dict()
            new = {name: fresh[name] for name in fresh.keys() - self.tensors.keys()}  # heads, a scale, a token
            model.load_state_dict(new | self.tensors)
        return model


def initialize(recipe: Recipe, num_classes: int, weights: Weights | None = None) -> ModelInit:
    """The initialization of `recipe` with a head of `num_classes`; `weights` are the ones it names, if any."""
    if weights is not None:
        return from_weights(weights, recipe, num_classes)
    config = shape_of(recipe, num_classes)
    return ModelInit(config, Preprocessing(config.image_size))


def from_weights(weights: Weights, recipe: Recipe, num_classes: int) -> ModelInit:
    """The pretrained model with a new head, its learned position embeddings resized to the recipe's images.

    Fixed position embeddings keep the scale they were trained with and are computed for each image size; rotary ones
    keep only `rotary_grid`.
    """
    config, tensors = weights.config, {k: t for k, t in weights.tensors.items() if not k.startswith(HEADS)}
    size = (recipe.image_size, recipe.image_size)
    if config.pos_embed == "learned" and config.image_size != size:
        own = int("token" in config.global_pool) + config.distilled
        old, new = config.grid(config.image_size), config.grid(size)
        positions = tensors["pos_embed"]
        patches = resize_pos_embed(positions[:, own:], old, new, config.pos_embed_antialias)
        tensors["pos_embed"] = torch.cat([positions[:, :own], patches], dim=1)
    if config.pos_embed != "sincos":
        config = replace(config, image_size=size)
    config = replace(config, num_classes=num_classes, drop_path=recipe.drop_path)
    if recipe.distill_token and not config.distilled:
        config = replace(config, distilled=True)
        if "pos_embed" in tensors:  # the new token's position is zero, between the class token's and the patches'
            first, rest = tensors["pos_embed"][:, :1], tensors["pos_embed"][:, 1:]
            tensors["pos_embed"] = torch.cat([first, torch.zeros_like(first), rest], dim=1)
    prepared = weights.preprocessing or Preprocessing(size)
    return ModelInit(config, replace(prepared, image_size=size), tensors)


def choose_trainable(model: ViT, recipe: Recipe, fsdp: bool) -> None:
    """Freeze what the recipe does not train, or add low-rank corrections."""
    if recipe.lora_rank and fsdp:
        raise CorollaError("--lora-rank trains too few weights to shard; leave --fsdp out")
    if recipe.lora_rank:
        adapt(model, recipe.lora_rank)
    else:
        freeze_below(model, recipe.unfreeze_last)


def freeze_below(model: ViT, unfreeze_last: int) -> None:
    """Freeze everything below the last `unfreeze_last` blocks; -1 freezes nothing."""
    if unfreeze_last < 0:
        return
    lowest = model.config.depth + 1 - min(unfreeze_last, model.config.depth)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(layer_of(name, model.config.depth) >= lowest)


def probe_head(
    manifest: Manifest,
    model: ViT,
    preprocessing: Preprocessing,
    device: torch.device,
    processes: Processes,
    progress: Progress,
) -> LinearHead:
    """A head fitted to the frozen features of the training images, chosen on validation (arXiv 2202.10054)."""

    def extract(images: Tensor) -> Tensor:
        return model.pool(model.forward_features(images))

    def features(split: Split) -> Tensor:
        def tell(done: int, total: int) -> None:
            progress.stage(f"features of {split}", done, total)

        examples = manifest.split(split)
        own = processes.shard_range(len(examples))
        part = examples[own.start : own.stop]
        rows = image_features(manifest.root, part, extract, preprocessing, device, tell, digest(model))
        return torch.from_numpy(processes.all_gather(rows.numpy(), len(examples)))

    def tell(done: int, total: int) -> None:
        progress.stage("fitting the head", done, total)

    labels, val_labels = (torch.tensor(manifest.labels(split)) for split in ("train", "val"))
    train, val, classes = features("train"), features("val"), len(manifest.classes)
    return processes.from_main(lambda: fit_head(train, labels, val, val_labels, classes, progress=tell))


@torch.no_grad()
def set_heads(model: ViT, fitted: LinearHead) -> None:
    """Give the model's heads the fitted weights, sharded like them."""
    for head in (model.head, model.head_dist):
        if head is not None:
            head.weight.copy_(distribute_like(fitted.weight, like=head.weight))
            head.bias.copy_(distribute_like(fitted.bias, like=head.bias))
