"""Turns layers into a photograph: composites them and simulates the camera."""

import numpy as np
from PIL import Image, ImageFilter

from corolla.painted.backdrop import ramp
from corolla.painted.light import Light
from corolla.painted.surfaces import floats


def paste(image: Image.Image, layer: Image.Image, blur: float = 0.0) -> None:
    """Composite a premultiplied layer onto an RGB image, in place, blurred by `blur` pixels."""
    if blur > 0.0:
        layer = layer.filter(ImageFilter.GaussianBlur(blur))
    layer = layer.convert("RGBA")
    image.paste(layer, (0, 0), layer)


def cast(image: Image.Image, layer: Image.Image, light: Light, rng: np.random.Generator) -> None:
    """Darken a surface where the plants of a layer shadow it, in place."""
    unit = min(image.size)
    distance = unit * rng.uniform(0.03, 0.2)
    mask = Image.new("L", image.size)
    mask.paste(layer.getchannel("a"), (int(-light.towards[0] * distance), int(-light.towards[1] * distance)))
    mask = mask.filter(ImageFilter.GaussianBlur(0.004 * unit + 0.15 * distance))
    strength = 0.75 * light.shadow
    image.paste(Image.new("RGB", image.size, (12, 14, 20)), (0, 0), mask.point(lambda a: int(a * strength)))


def develop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The effects of a camera: focus, shake, color, exposure, contrast, vignette and grain."""
    unit = min(image.size)
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.0, 0.009)))
    if rng.random() < 0.08:
        shake = np.abs(rng.normal(0.0, 0.008 * unit, 2))
        image = image.filter(ImageFilter.GaussianBlur((shake[0], shake[1])))
    pixels = floats(np.asarray(image))
    gray = pixels.mean(axis=2, keepdims=True)
    pixels = gray + (pixels - gray) * np.float32(rng.uniform(0.75, 1.15))
    pixels *= floats(rng.uniform(0.85, 1.25) * np.exp(rng.normal(0.0, 0.05, 3)))  # exposure and white balance
    pixels = (pixels - 118.0) * np.float32(rng.uniform(0.8, 1.2)) + 118.0
    if rng.random() < 0.4:
        y, x = ramp(image.size)[:, :1] - 0.5, floats(np.linspace(-0.5, 0.5, image.size[0]))[None, :]
        pixels *= 1.0 - np.float32(rng.uniform(0.2, 0.9)) * (x * x + y * y)[..., None]
    if rng.random() < 0.5:
        strength = np.float32(rng.uniform(1.0, 6.0))
        pixels += strength * rng.standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
    return Image.fromarray(np.clip(pixels, 0.0, 255.0).astype(np.uint8))
