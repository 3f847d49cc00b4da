"""A few facts about a trained model: for a server's page, and for an exported file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from corolla.evaluation.metrics import wilson

if TYPE_CHECKING:
    from corolla.run import Config, Run


@dataclass(frozen=True)
class Accuracy:
    """The accuracy on `images` of a split, with its 95 % interval."""

    value: float
    low: float
    high: float
    images: int
    split: str


@dataclass(frozen=True)
class Facts:
    """The facts about a model."""

    name: str
    architecture: str
    parameters: int | None = None
    accuracy: Accuracy | None = None
    ended: str | None = None  # when its training ended, ISO 8601
    began_with: str | None = None  # the pretrained weights it was trained from; None: random ones

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @staticmethod
    def from_json(said: dict[str, Any]) -> "Facts":
        """From the values of `to_json`, which may be untrusted; invalid values are left out."""
        try:
            told = said["accuracy"]
            known = accuracy(told["value"], told.get("images", told.get("pictures")), told["split"])  # 0.1's own word
        except (ValueError, TypeError, KeyError, ArithmeticError):
            known = None
        return Facts(
            name=str(said.get("name", "")),
            architecture=str(said.get("architecture", "")),
            began_with=text(said.get("began_with")),
            parameters=whole(said.get("parameters")),
            accuracy=known,
            ended=text(said.get("ended")),
        )


def facts_of(run: "Run") -> Facts:
    """The facts in a run's files, which may be untrusted; `CorollaError` if its config cannot be read."""
    config = run.load_config()
    return Facts(
        name=run.folder.resolve().name,
        architecture=config.model,
        began_with=began_with(config),
        parameters=whole(config.training.get("parameters")),
        accuracy=tested(run.evaluation_file) or validated(config.data, config.training),
        ended=text(config.training.get("ended")),
    )


def began_with(config: "Config") -> str | None:
    """The name of the pretrained weights that a training started from, without the folders of its path."""
    return PurePath(text(config.recipe.get("weights")) or "").name or None


def tested(file: Path) -> Accuracy | None:
    """The accuracy of the last saved evaluation on test images that were not trained on, if there is one."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said["split"] != "test" or said["trained_on"]:
            return None
        return accuracy(said["accuracy"], said["n"], "test")
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None


def validated(data: dict[str, Any], training: dict[str, Any]) -> Accuracy | None:
    """The accuracy on the validation images, for a run without an evaluation."""
    try:
        images = sum(data["counts"]["val"].values())
        return accuracy(training["best_val_accuracy"], images, "val")
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return None


def accuracy(share: Any, images: Any, split: str) -> Accuracy:
    """The accuracy with its interval; ValueError or TypeError for invalid values."""
    if split not in ("test", "val"):
        raise ValueError(f"the split is {split}; it should be test or val")
    low, high = wilson(round(share * images), int(images))
    return Accuracy(float(share), low, high, int(images), split)


def whole(value: Any) -> int | None:
    """The value if it is an integer."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """The value if it is a string."""
    return value if isinstance(value, str) else None
