"""A recipe: every choice of a training as one frozen value, kept with the run."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from corolla.errors import CorollaError

Optimiser = Literal["muon", "adamw"]
Policy = Literal["none", "light", "trivial", "rand"]
ClassWeights = Literal["none", "balanced"]
FirstHead = Literal["zeros", "probe"]
Distilling = Literal["soft", "hard"]
CHOICES = {
    "optimiser": Optimiser,
    "policy": Policy,
    "class_weights": ClassWeights,
    "head": FirstHead,
    "distillation": Distilling,
}


@dataclass(frozen=True)
class Recipe:
    """What a training does, value by value; `corolla.training.recipes` holds the named ones."""

    name: str
    # The model and the time it gets
    model: str  # a name of corolla.sizes, or what `weights` are called
    image_size: int  # pixels of the final, square picture
    epochs: int  # 0: nothing but the first head
    # What it begins with
    weights: str = ""  # a path or a name of corolla.weights; "" begins at random
    head: FirstHead = "zeros"  # probe: logistic regression on the frozen features
    train_blocks: int = -1  # the last so many blocks learn; -1: all, and the embedding too
    lora_rank: int = 0  # above 0, matrices of the blocks learn a correction of this rank only (arXiv 2106.09685)
    # Small pictures first: (from this share of the epochs, this share of image_size)
    growth: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    last_epoch: float = 1.0  # share of the last epoch's batches that are trained on; minutes may cut it short
    validations: int = 20  # about so many in the whole training; where they take long, minutes may allow fewer
    patience: int = 0  # stop after so many validations without a better one; 0 never stops early
    # Optimisation
    optimiser: Optimiser = "muon"  # for the blocks' matrices and the stem; everything else is AdamW's
    learning_rate: float = 1.5e-3  # the peak
    weight_decay: float = 0.05
    warmup: float = 0.06  # share of the steps that the learning rate takes to reach its peak
    batch_size: int = 64
    accumulate: int = 1  # batches whose gradients are added up before a step
    clip_norm: float = 1.0
    average_decay: float = 0.99  # of the exponential moving average of the weights, a step
    layer_decay: float = 1.0  # the learning rate of a block is so many times that of the block above it
    # Regularisation
    label_smoothing: float = 0.1
    drop_path: float = 0.1
    class_weights: ClassWeights = "none"  # balanced: a rare class's pictures count for more
    # Augmentation
    crop_scale: float = 0.3  # smallest share of the area that a random crop keeps
    policy: Policy = "light"
    erasing: float = 0.25  # share of the pictures that lose a rectangle
    mixing: float = 0.5  # share of the batches put through MixUp or CutMix
    # Distillation
    teacher: str = ""  # a run, an efficientnet-lite or a model of timm; "" learns from the labels alone
    teacher_epochs: int = 3  # of fine-tuning it, at most, after its head was fitted
    distillation: Distilling = "soft"
    distill_share: float = 0.5  # of the loss, that is the teacher's answers'; the labels have the rest
    distill_token: bool = False  # a second token with its own head learns from the teacher (arXiv 2012.12877)
    temperature: float = 1.0  # above 1 the soft answers are made softer
    guidance: float = 0.0  # weight of the teacher's feature maps in the loss (arXiv 2207.10026)
    # Answering
    flip_average: bool = True  # average the answers for the picture and its mirror image

    def __post_init__(self) -> None:
        """Refuse values that no training can run with, each in one line."""
        for name in ("image_size", "batch_size", "accumulate", "validations"):
            if getattr(self, name) < 1:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should be at least 1")
        for name in ("warmup", "average_decay", "label_smoothing", "drop_path"):
            if not 0 <= getattr(self, name) < 1:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should be at least 0 and below 1")
        for name in ("erasing", "mixing", "distill_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should lie between 0 and 1")
        for name in ("crop_scale", "layer_decay", "last_epoch"):
            if not 0 < getattr(self, name) <= 1:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should be above 0 and at most 1")
        for name in ("learning_rate", "clip_norm", "temperature"):
            if not getattr(self, name) > 0:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should be above 0")
        for name in ("weight_decay", "patience", "epochs", "lora_rank", "teacher_epochs", "guidance"):
            if not getattr(self, name) >= 0:
                raise CorollaError(f"{name} is {getattr(self, name)}; it should not be below 0")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise CorollaError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(choices))}")
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
