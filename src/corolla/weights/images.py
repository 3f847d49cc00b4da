"""The preprocessing of a checkpoint: read from the settings beside it, and written back.

Unsupported settings are rejected by name, since the wrong preprocessing reduces the accuracy.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from corolla.preprocessing import FILTERS, IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from corolla.weights.hints import check, pixels, refused, shown, unknown
from corolla.weights.timm_settings import LIBRARY as TIMM
from corolla.weights.timm_settings import part
from corolla.weights.transformers_settings import LIBRARY as TRANSFORMERS

RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
HALF, CLIP = [0.5] * 3, ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
VIT = {"size": {"height": 224, "width": 224}, "resample": 2, "image_mean": HALF, "image_std": HALF, "squares": True}
BIT = {"size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": True, "resample": 3, "image_mean": CLIP[0],
       "image_std": CLIP[1], "squares": False}  # fmt: skip
USUAL: dict[str, dict[str, Any]] = {  # the defaults of each image processor
    "": VIT,
    "ViT": VIT,
    "DeiT": VIT | {"size": 256, "crop_size": 224, "do_center_crop": True, "resample": 3},
    "Bit": BIT,
    "CLIP": BIT,
}
ENDINGS = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor")
ONLY: dict[str, Collection[Any]] = {
    "do_resize": (True,),
    "do_rescale": (True,),
    "do_center_crop": (True, False),
    "do_normalize": (True, False),
    "do_pad": (False,),
    "do_flip_channel_order": (False,),
    "do_thumbnail": (False,),
    "do_align_long_axis": (False,),
    "auto_map": (),
    "crop_pct": (),
    "max_size": (),
    "size_divisor": (),
}
READ = {"size", "crop_size", "resample", "rescale_factor", "image_mean", "image_std", "default_to_square",
        "image_processor_type", "feature_extractor_type"}  # fmt: skip
OF_NO_MATTER = {  # every image is RGB here; the rest concerns labels, layouts and devices
    "do_convert_rgb", "do_reduce_labels", "pad_size", "processor_class", "data_format", "input_data_format", "device",
    "return_tensors", "disable_grouping", "transformers_version",
}  # fmt: skip
TOLERANCE = 1e-6  # for a factor that is written as a decimal


def from_timm(settings: Mapping[str, Any]) -> Preprocessing | None:
    """The preprocessing in timm's `config.json`; None if it has no mean and standard deviation.

    Raises ValueError with the name of an unsupported setting. Other missing settings have timm's defaults.
    """
    asked = part(settings, "pretrained_cfg")
    if asked.get("mean") is None and asked.get("std") is None:
        return None
    check(asked, {"crop_mode": ("center", "squash"), "interpolation": tuple(FILTERS)}, TIMM, "pretrained_cfg.")
    size = asked.get("input_size") or [3, 224, 224]
    if len(size) != 3 or size[0] != 3:
        raise refused("pretrained_cfg.input_size", size, "three colors", TIMM)
    told = pixels(part(settings, "model_args").get("img_size")) if asked.get("fixed_input_size") else None
    return Preprocessing.from_json(
        {
            "image_size": list(told or size[1:]),
            "crop_fraction": asked.get("crop_pct") or 0.875,
            "interpolation": asked.get("interpolation") or "bicubic",
            "mean": list(asked.get("mean") or IMAGENET_MEAN),
            "std": list(asked.get("std") or IMAGENET_STD),
            "crop_mode": asked.get("crop_mode") or "center",
        }
    )


def to_timm(preprocessing: Preprocessing) -> dict[str, Any]:
    """The preprocessing as entries of `pretrained_cfg`."""
    return {
        "input_size": [3, *preprocessing.image_size],
        "crop_pct": preprocessing.crop_fraction,
        "crop_mode": preprocessing.crop_mode,
        "interpolation": preprocessing.interpolation,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
    }


def from_hugging_face(settings: Mapping[str, Any]) -> Preprocessing | None:
    """The preprocessing in a `preprocessor_config.json`; None without one. ValueError for an unsupported setting.

    A crop of a resized image becomes a resize of the crop: the same except for rounding and the resampling at the
    edges.
    """
    if not settings:
        return None
    asked = whole(settings)
    check(asked, ONLY, TRANSFORMERS)
    for key in sorted(settings.keys() - ONLY.keys() - READ - OF_NO_MATTER):
        if settings[key] is not None and not key.startswith("_"):
            raise unknown(key, settings[key], TRANSFORMERS)
    if asked["resample"] not in RESAMPLE:
        raise refused("resample", asked["resample"], "2 (bilinear) or 3 (bicubic)", TRANSFORMERS)
    factor = asked.get("rescale_factor", 1 / 255)
    if not isinstance(factor, float) or not math.isclose(factor, 1 / 255, rel_tol=TOLERANCE):
        raise refused("rescale_factor", factor, "1/255", TRANSFORMERS)
    normalized = asked.get("do_normalize", True)
    mean, std = (channels(asked[key]) for key in ("image_mean", "image_std"))
    return Preprocessing.from_json(
        geometry(asked)
        | {
            "interpolation": RESAMPLE[asked["resample"]],
            "mean": mean if normalized else [0.0] * 3,
            "std": std if normalized else [1.0] * 3,
        }
    )


def whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the defaults of their processor; ValueError for an unknown processor."""
    named = settings.get("image_processor_type") or settings.get("feature_extractor_type") or ""
    ending = next((each for each in ENDINGS if str(named).endswith(each)), "")
    kind = str(named).removesuffix(ending)
    if kind not in USUAL:
        known = ", ".join(f"{each}ImageProcessor" for each in USUAL if each)
        raise refused("image_processor_type", named, known, TRANSFORMERS)
    return USUAL[kind] | {key: value for key, value in settings.items() if value is not None}


def geometry(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Size, fraction and kind of the crop."""
    resized, crops = asked["size"], asked.get("do_center_crop", False)
    squares = asked.get("default_to_square", asked["squares"])
    shortest = isinstance(resized, dict) and resized.keys() == {"shortest_edge"}
    shortest = shortest or (isinstance(resized, int) and not squares)
    height, width = sides(resized)
    rows, columns = sides(asked.get("crop_size", 224)) if crops else (height, width)
    if shortest and not crops:
        raise refused("size", resized, "images of one size, by a center crop or by height and width", TRANSFORMERS)
    if rows > height or columns > width:
        raise refused("crop_size", asked["crop_size"], f"a crop that lies within {shown(resized)}", TRANSFORMERS)
    if shortest and rows != columns:
        raise refused(
            "crop_size", asked["crop_size"], "a square crop of an image resized by its shortest edge", TRANSFORMERS
        )
    if abs(rows / height - columns / width) > 1 / min(height, width):  # more than rounding
        raise refused(
            "crop_size", asked["crop_size"], f"the same fraction of both sides of {shown(resized)}", TRANSFORMERS
        )
    return {
        "image_size": [rows, columns],
        "crop_fraction": rows / height,
        "crop_mode": "center" if shortest else "squash",
    }


def sides(size: Any) -> tuple[int, int]:
    """Height and width of a size in any of Hugging Face's formats; ValueError otherwise."""
    if isinstance(size, dict) and size.keys() in ({"height", "width"}, {"shortest_edge"}):
        found = pixels([size["height"], size["width"]] if "height" in size else size["shortest_edge"])
    else:
        found = None if isinstance(size, dict) else pixels(size)
    if found is None:
        raise refused("size", size, "height and width, or the shortest edge, in integer pixels", TRANSFORMERS)
    return found


def channels(value: Any) -> list[Any]:
    """One number per channel, from a list or a single number."""
    return list(value) if isinstance(value, list | tuple) else [value] * 3


def to_hugging_face(preprocessing: Preprocessing) -> dict[str, Any]:
    """A `preprocessor_config.json` for the center-cropping processor that every version of transformers has.

    It crops the resized image, we resize the crop: the same except for rounding and the resampling
    at the edges. It cannot represent the largest crop of a shape that is not square, see `said_by_hugging_face`; then
    it squashes the whole image, the closest to ours.
    """
    (height, width), fraction = preprocessing.image_size, preprocessing.crop_fraction
    [resample] = [number for number, name in RESAMPLE.items() if name == preprocessing.interpolation]
    crops = preprocessing.crop_mode == "squash" or said_by_hugging_face(preprocessing)
    share = fraction if crops else 1.0
    size = {"height": round(height / share), "width": round(width / share)}
    if preprocessing.crop_mode == "center" and crops:
        size = {"shortest_edge": size["height"]}
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": resample,
        "do_center_crop": crops,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    }


def said_by_hugging_face(preprocessing: Preprocessing) -> bool:
    """Whether transformers can represent this preprocessing."""
    height, width = preprocessing.image_size
    return preprocessing.crop_mode == "squash" or height == width
