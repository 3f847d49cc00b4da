"""How the pictures should be prepared that a checkpoint reads: from the settings beside it, and back into them."""

from typing import Any

from corolla.preprocessing import Preprocessing

HUGGING_FACE_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
SIDES = ("shortest_edge", "height", "width")


def from_timm(settings: dict[str, Any]) -> Preprocessing | None:
    """What `pretrained_cfg` in timm's `config.json` asks for; None where it says nothing of mean and deviation."""
    asked = settings.get("pretrained_cfg")
    if not isinstance(asked, dict) or not {"mean", "std", "input_size"} <= asked.keys():
        return None
    return Preprocessing.from_json(
        {
            "image_size": list(asked["input_size"][1:]),
            "crop_fraction": asked.get("crop_pct", 1.0),
            "interpolation": asked.get("interpolation", "bicubic"),
            "mean": list(asked["mean"]),
            "std": list(asked["std"]),
        }
    )


def to_timm(preprocessing: Preprocessing) -> dict[str, Any]:
    """The lines of `pretrained_cfg` that say it."""
    return {
        "input_size": [3, *preprocessing.image_size],
        "crop_pct": preprocessing.crop_fraction,
        "crop_mode": "center",
        "interpolation": preprocessing.interpolation,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
    }


def from_hugging_face(settings: dict[str, Any]) -> Preprocessing | None:
    """What a `preprocessor_config.json` asks for; None where it says nothing of mean and deviation."""
    if not {"image_mean", "image_std"} <= settings.keys():
        return None
    resized = sides(settings.get("size", 224))
    cropped = sides(settings.get("crop_size", resized)) if settings.get("do_center_crop") else resized
    return Preprocessing.from_json(
        {
            "image_size": list(cropped),
            "crop_fraction": min(cropped[0] / resized[0], 1.0),
            "interpolation": HUGGING_FACE_RESAMPLE.get(settings.get("resample", 2), "bicubic"),
            "mean": list(settings["image_mean"]),
            "std": list(settings["image_std"]),
        }
    )


def to_hugging_face(preprocessing: Preprocessing) -> dict[str, Any]:
    """A `preprocessor_config.json` for the processor that every version of transformers has and that crops the middle.

    It takes the middle out of the resized picture, we resize the middle: the same but for rounding and the resampling
    at the edges. A picture that is not square it would fill up with black; then it resizes the whole, as near as it
    comes to ours.
    """
    height, width = preprocessing.image_size
    [resample] = [number for number, name in HUGGING_FACE_RESAMPLE.items() if name == preprocessing.interpolation]
    square = height == width
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": round(height / preprocessing.crop_fraction)}
        if square
        else {"height": height, "width": width},
        "resample": resample,
        "do_center_crop": square,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    }


def sides(size: Any) -> tuple[int, int]:
    """Height and width of a size in any of Hugging Face's spellings; ValueError for another."""
    if isinstance(size, dict):
        size = [size[name] for name in SIDES if name in size]
    values = size if isinstance(size, list) else [size]
    if not values or not all(isinstance(value, int) and value > 0 for value in values):
        raise ValueError(f"the preprocessing's size {size!r} is not whole numbers of pixels")
    return values[0], values[-1]
