"""A recipe: every setting of a training in one frozen dataclass, saved with the run; its presets and overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Annotated, Any, Literal, TypedDict, get_type_hints

from corolla.errors import CorollaError
from corolla.paths import AnyPath
from corolla.training.recipe_fields import (
    MOST,
    BelowOne,
    Count,
    CountOrNone,
    Help,
    NotNegative,
    PartOfOne,
    Positive,
    ProgressiveResizing,
    Range,
    Share,
    checked,
)

Optimizer = Literal["muon", "adamw"]
Policy = Literal["none", "light", "trivial", "rand"]
ClassWeights = Literal["none", "balanced"]
FirstHead = Literal["zeros", "probe"]
Distilling = Literal["soft", "hard"]


# The panels of `corolla train --help`
ADAPTING, DISTILLATION, OPTIMIZATION = "Pretrained weights", "Distillation", "Optimization"
REGULARIZATION, PREDICTION = "Regularization and augmentation", "Prediction"


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; `corolla.training.recipes` has the named recipes.

    The type of a field contains its range and its text for `corolla train --help`.
    """

    name: str
    model: Annotated[
        str, Help("Model name, such as vit_tiny_patch16_224; `corolla summary NAME` describes it.", "NAME")
    ]
    image_size: Annotated[Count, Help("Side of the square input images, in pixels.", "PX")]
    epochs: Annotated[CountOrNone, Help("Number of passes over the training images; not together with --minutes.", "N")]
    # Pretrained weights
    weights: Annotated[
        str,
        Help(
            "Start from pretrained weights: a run, anybody's checkpoint, or a name from `corolla weights list`.",
            "NAME_OR_PATH",
            ADAPTING,
        ),
    ] = ""  # "": random weights
    head: Annotated[
        FirstHead,
        Help("Initial head: zeros, or probe, a logistic regression on the frozen features.", "NAME", ADAPTING),
    ] = "zeros"
    unfreeze_last: Annotated[
        int, Range(-1, MOST), Help("Train only the last K blocks and the head; -1 trains all layers.", "K", ADAPTING)
    ] = -1  # all, including the embedding
    lora_rank: Annotated[
        CountOrNone,
        Help(
            "Train only LoRA updates of rank R to the blocks' matrices; 0 trains the matrices themselves.",
            "R",
            ADAPTING,
        ),
    ] = 0  # arXiv 2106.09685
    layer_decay: Annotated[
        PartOfOne, Help("Multiply the learning rate by X for each block further from the head.", "X", ADAPTING)
    ] = 1.0
    # Distillation
    teacher: Annotated[
        str,
        Help("Learn from a teacher: efficientnet-lite0, a run, a checkpoint or any timm model.", "NAME", DISTILLATION),
    ] = ""  # "": no teacher
    teacher_epochs: Annotated[
        CountOrNone, Help("Fine-tune the teacher for at most N epochs after its head was fitted.", "N", DISTILLATION)
    ] = 3
    distillation_type: Annotated[
        Distilling, Help("Learn from the teacher's probabilities (soft) or its top class (hard).", "NAME", DISTILLATION)
    ] = "soft"
    distill_alpha: Annotated[
        Share, Help("Weight of the teacher's predictions in the loss; the labels get the rest.", "X", DISTILLATION)
    ] = 0.5
    distill_token: Annotated[
        bool,
        Help("Add a distillation token with its own head (DeiT); the model must have a class token.", "", DISTILLATION),
    ] = False  # DeiT, arXiv 2012.12877
    distill_temperature: Annotated[
        Positive,
        Help("Temperature that softens the teacher's probabilities; 1 does not change them.", "T", DISTILLATION),
    ] = 1.0
    feature_distill_weight: Annotated[
        NotNegative,
        Help("Weight of the loss that compares feature maps with the teacher's; 0 turns it off.", "X", DISTILLATION),
    ] = 0.0  # arXiv 2207.10026
    # Optimization
    optimizer: Annotated[
        Optimizer,
        Help(
            "Optimizer of the blocks' matrices and the stem: muon or adamw; everything else uses AdamW.",
            "NAME",
            OPTIMIZATION,
        ),
    ] = "muon"
    learning_rate: Annotated[Positive, Help("Peak learning rate.", "LR", OPTIMIZATION)] = 1.5e-3
    weight_decay: Annotated[NotNegative, Help("Decoupled weight decay.", "X", OPTIMIZATION)] = 0.05
    warmup: Annotated[
        BelowOne, Help("Fraction of the steps over which the learning rate rises to its peak.", "X", OPTIMIZATION)
    ] = 0.06
    batch_size: Annotated[Count, Help("Images per batch.", "N", OPTIMIZATION)] = 64
    grad_accum_steps: Annotated[
        Count, Help("Add up the gradients of N batches before each step.", "N", OPTIMIZATION)
    ] = 1
    clip_grad_norm: Annotated[
        Positive, Help("Maximum norm of the gradient; a larger gradient is clipped to it.", "X", OPTIMIZATION)
    ] = 1.0
    ema_decay: Annotated[
        BelowOne,
        Help(
            "Decay per step of the exponential moving average (EMA) of the weights, which is saved.", "X", OPTIMIZATION
        ),
    ] = 0.99
    last_epoch: Annotated[
        PartOfOne,
        Help("Fraction of the last epoch to train on; --minutes may choose a smaller one.", "X", OPTIMIZATION),
    ] = 1.0
    validations: Annotated[
        Count, Help("Validate about N times during the training; --minutes may allow fewer.", "N", OPTIMIZATION)
    ] = 20
    patience: Annotated[
        CountOrNone, Help("Stop after N validations without improvement; 0 never stops early.", "N", OPTIMIZATION)
    ] = 0
    # Regularization and augmentation
    label_smoothing: Annotated[BelowOne, Help("Label smoothing of the loss.", "X", REGULARIZATION)] = 0.1
    drop_path: Annotated[
        BelowOne,
        Help(
            "Stochastic depth: probability of skipping the last block; lower for earlier blocks.", "X", REGULARIZATION
        ),
    ] = 0.1
    class_weights: Annotated[
        ClassWeights,
        Help("Class weights in the loss: none, or balanced (larger for rare classes).", "NAME", REGULARIZATION),
    ] = "none"
    random_resized_crop_scale: Annotated[
        PartOfOne, Help("Minimum area of a random crop, as a fraction of the image's area.", "X", REGULARIZATION)
    ] = 0.3
    auto_augment: Annotated[
        Policy,
        Help(
            "Augmentation of color and geometry: none, light, trivial (TrivialAugment) or rand (RandAugment).",
            "NAME",
            REGULARIZATION,
        ),
    ] = "light"
    random_erasing_prob: Annotated[
        Share, Help("Probability of erasing a random rectangle of an image.", "X", REGULARIZATION)
    ] = 0.25
    mixup_cutmix_prob: Annotated[
        Share, Help("Probability that MixUp or CutMix is applied to a batch.", "X", REGULARIZATION)
    ] = 0.5
    progressive_resizing: Annotated[
        ProgressiveResizing,
        Help(
            "Train on small images first: 0:0.5,0.3:1 uses half the image size for the first 30 % of the epochs, then "
            "the full size; 0:1 always uses the full size.",
            "LIST",
            REGULARIZATION,
        ),
    ] = ((0.0, 1.0),)
    # Prediction
    hflip_tta: Annotated[
        bool, Help("Average the predictions for the image and its horizontal flip.", "", PREDICTION)
    ] = True

    def __post_init__(self) -> None:
        """Convert the values to plain Python ones; a one-line `CorollaError` for a value that cannot be used."""
        for name, kind in kinds().items():
            object.__setattr__(self, name, checked(name, getattr(self, name), kind))
        if self.lora_rank and self.unfreeze_last >= 0:
            raise CorollaError("lora_rank and unfreeze_last were both given; choose one of them")
        if self.epochs == 0 and self.head == "zeros":
            raise CorollaError("zero epochs with a head of zeros would learn nothing; set --epochs to at least 1")

    @property
    def length(self) -> float:
        """The number of epochs, with a fraction if the last one is cut short."""
        return max(self.epochs - 1 + self.last_epoch, 0.0)

    def image_size_at(self, progress: float, multiple: int) -> int:
        """The image size at `progress` in [0, 1] of a training, a multiple of `multiple` pixels (the patch size)."""
        share = [share for start, share in self.progressive_resizing if progress >= start][-1]
        return max(round(self.image_size * share / multiple), 1) * multiple

    def changed(self, **values: Any) -> "Recipe":
        """The same recipe with those of `values` that are not None; `CorollaError` for a name it does not have."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(values.keys() - known):
            raise CorollaError(f"a recipe has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `config.json`."""
        return asdict(self)


@cache
def kinds() -> dict[str, Any]:
    """The annotated type of each field of a recipe."""
    return get_type_hints(Recipe, include_extras=True)


@dataclass(frozen=True)
class Preset:
    """A model and an image size that `--minutes` can choose, if the training sees enough images."""

    model: str
    image_size: int
    progressive_resizing: tuple[tuple[float, float], ...]
    fewest_views: int  # images seen in the whole training; with fewer, a smaller preset learns more
    # Other values of the recipe, if few views need smaller batches or less regularization
    values: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with this preset's values."""
        return recipe.changed(
            model=self.model, image_size=self.image_size, progressive_resizing=self.progressive_resizing, **self.values
        )


class RecipeOverrides(TypedDict, total=False):
    """Keyword arguments of `corolla.train`, typed so that editors complete them; None keeps the recipe's value.

    A test checks that their names equal the fields of `Recipe`, which documents them.
    """

    model: str | None
    image_size: int | None
    epochs: int | None
    weights: AnyPath | None
    head: FirstHead | None
    unfreeze_last: int | None
    lora_rank: int | None
    layer_decay: float | None
    teacher: AnyPath | None
    teacher_epochs: int | None
    distillation_type: Distilling | None
    distill_alpha: float | None
    distill_token: bool | None
    distill_temperature: float | None
    feature_distill_weight: float | None
    optimizer: Optimizer | None
    learning_rate: float | None
    weight_decay: float | None
    warmup: float | None
    batch_size: int | None
    grad_accum_steps: int | None
    clip_grad_norm: float | None
    ema_decay: float | None
    last_epoch: float | None
    validations: int | None
    patience: int | None
    label_smoothing: float | None
    drop_path: float | None
    class_weights: ClassWeights | None
    random_resized_crop_scale: float | None
    auto_augment: Policy | None
    random_erasing_prob: float | None
    mixup_cutmix_prob: float | None
    progressive_resizing: Sequence[Sequence[float]] | None  # pairs (start, fraction of the image size)
    hflip_tta: bool | None
