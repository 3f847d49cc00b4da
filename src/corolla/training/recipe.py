"""A recipe: every choice of a training as one frozen value, kept with the run."""

from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from corolla.errors import CorollaError
from corolla.training.values import (
    MOST,
    BelowOne,
    Count,
    CountOrNone,
    Growth,
    NotNegative,
    PartOfOne,
    Positive,
    Range,
    Share,
    checked,
)

Optimiser = Literal["muon", "adamw"]
Policy = Literal["none", "light", "trivial", "rand"]
ClassWeights = Literal["none", "balanced"]
FirstHead = Literal["zeros", "probe"]
Distilling = Literal["soft", "hard"]


@dataclass(frozen=True)
class Recipe:
    """What a training does, value by value; `corolla.training.recipes` holds the named ones."""

    name: str
    # The model and the time it gets
    model: str  # a name of corolla.sizes; with `weights` what their architecture is called
    image_size: Count  # pixels of the final, square picture
    epochs: CountOrNone  # 0: nothing but the first head
    # What it begins with
    weights: str = ""  # a path or a name of corolla.weights; "" begins at random
    head: FirstHead = "zeros"  # probe: logistic regression on the frozen features
    train_blocks: Annotated[int, Range(-1, MOST)] = -1  # the last so many blocks learn; -1: all, and the embedding too
    lora_rank: CountOrNone = (
        0  # above 0, matrices of the blocks learn a correction of this rank only (arXiv 2106.09685)
    )
    # Small pictures first: (from this share of the epochs, this share of image_size)
    growth: Growth = ((0.0, 1.0),)
    last_epoch: PartOfOne = 1.0  # share of the last epoch's batches that are trained on; minutes may cut it short
    validations: Count = 20  # about so many in the whole training; where they take long, minutes may allow fewer
    patience: CountOrNone = 0  # stop after so many validations without a better one; 0 never stops early
    # Optimisation
    optimiser: Optimiser = "muon"  # for the blocks' matrices and the stem; everything else is AdamW's
    learning_rate: Positive = 1.5e-3  # the peak
    weight_decay: NotNegative = 0.05
    warmup: BelowOne = 0.06  # share of the steps that the learning rate takes to reach its peak
    batch_size: Count = 64
    accumulate: Count = 1  # batches whose gradients are added up before a step
    clip_norm: Positive = 1.0
    average_decay: BelowOne = 0.99  # of the exponential moving average of the weights, a step
    layer_decay: PartOfOne = 1.0  # the learning rate of a block is so many times that of the block above it
    # Regularisation
    label_smoothing: BelowOne = 0.1
    drop_path: BelowOne = 0.1
    class_weights: ClassWeights = "none"  # balanced: a rare class's pictures count for more
    # Augmentation
    crop_scale: PartOfOne = 0.3  # smallest share of the area that a random crop keeps
    policy: Policy = "light"
    erasing: Share = 0.25  # share of the pictures that lose a rectangle
    mixing: Share = 0.5  # share of the batches put through MixUp or CutMix
    # Distillation
    teacher: str = ""  # a run, an efficientnet-lite or a model of timm; "" learns from the labels alone
    teacher_epochs: CountOrNone = 3  # of fine-tuning it, at most, after its head was fitted
    distillation: Distilling = "soft"
    distill_share: Share = 0.5  # of the loss, that is the teacher's answers'; the labels have the rest
    distill_token: bool = False  # a second token with its own head learns from the teacher (arXiv 2012.12877)
    temperature: Positive = 1.0  # above 1 the soft answers are made softer
    guidance: NotNegative = 0.0  # weight of the teacher's feature maps in the loss (arXiv 2207.10026)
    # Answering
    flip_average: bool = True  # average the answers for the picture and its mirror image

    def __post_init__(self) -> None:
        """Make plain values of what is given, and refuse what no training can run with, each in one line."""
        for name, kind in kinds().items():
            object.__setattr__(self, name, checked(name, getattr(self, name), kind))
        if self.lora_rank and self.train_blocks >= 0:
            raise CorollaError("lora_rank and train_blocks were both given; choose one of them")
        if self.epochs == 0 and self.head == "zeros":
            raise CorollaError("no epochs and a head of zeros would learn nothing; give --epochs at least 1")

    @property
    def length(self) -> float:
        """Epochs, of which the last may be a part of one."""
        return max(self.epochs - 1 + self.last_epoch, 0.0)

    def image_size_at(self, progress: float, multiple: int) -> int:
        """The pixels at `progress` in [0, 1] of a training, in whole patches of `multiple` pixels."""
        share = [share for start, share in self.growth if progress >= start][-1]
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
    """What each field of a recipe may be, by its type."""
    return get_type_hints(Recipe, include_extras=True)
