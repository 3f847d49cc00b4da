"""Attribution maps of a classifier's predictions: the table of methods, and the functions that apply them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, get_args, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corolla.classifier import Classifier
from corolla.data.decoding import ImageError
from corolla.data.image_input import ImageInput
from corolla.errors import CorollaError
from corolla.explanations import DEFAULT, Method, refuse_label
from corolla.explanations.methods import head_attention, on_patches, read_shares, relevance, rollout
from corolla.explanations.overlay import Explanation
from corolla.models.vit import Intermediates, ViT
from corolla.precision import Precision
from corolla.predictor import Predictor

TOGETHER = 8  # images per forward pass, at most
ROOM = 2**30  # bytes for the attention of one pass; large images get smaller batches
MOST = 2**34  # bytes for the attention of one image, at most; larger ones are refused
COPIES = 3  # attention weights, their gradients and what the softmax saves for backward

# From the intermediates, the logits of the explained class (B,) and the tokens' weights in the head's input (S,)
# to a value for each token, (B, S), or (B, h, S) if each head has its own map.
METHODS: Mapping[Method, Callable[[Intermediates, Tensor, Tensor], Tensor]] = {
    "relevance": lambda seen, chosen, shares: shares @ relevance(seen.attention, chosen),
    "rollout": lambda seen, chosen, shares: shares @ rollout(seen.attention),
    "attention": lambda seen, chosen, shares: head_attention(seen.attention[-1], shares),
}
NEED_GRADIENTS: frozenset[Method] = frozenset({"relevance"})  # the others have the same map for every class


@overload
def explain(
    classifier: Predictor, image: ImageInput, method: Method = DEFAULT, label: str | None = None
) -> Explanation: ...


@overload
def explain(
    classifier: Predictor, image: list[Any] | tuple[Any, ...], method: Method = DEFAULT, label: str | None = None
) -> list[Explanation]: ...


def explain(
    classifier: Predictor,
    image: ImageInput | list[Any] | tuple[Any, ...],
    method: Method = DEFAULT,
    label: str | None = None,
) -> Explanation | list[Explanation]:
    """The explanation of the prediction for one image; for a list or tuple of images a list of explanations.

    Images are given as to `predict`. With `label`, it explains that class instead of the predicted one. Raises
    `ImageError` for an image that cannot be read, and `CorollaError` for an unknown method or class, and for an
    exported file, which has no gradients.
    """
    if not isinstance(classifier, Classifier):
        raise CorollaError(
            "explain needs a run: give what corolla.load(RUN) returns for a run folder, not for an exported file"
        )
    images = image if isinstance(image, (list, tuple)) else [image]
    explanations = []
    for place, found in explain_all(classifier, images, [method], label):
        if isinstance(found, ImageError):
            raise found.of(place + 1, len(images))
        explanations += found
    return explanations if isinstance(image, (list, tuple)) else explanations[0]


def explain_all(
    classifier: Classifier, images: Sequence[ImageInput], methods: Sequence[Method], label: str | None = None
) -> Iterator[tuple[int, list[Explanation] | ImageError]]:
    """Each image's index with its explanations in the order of `methods`, or why it cannot be read, in order."""
    for method in methods:
        if method not in METHODS:
            raise CorollaError(f"no explanation is called {method!r}; choose one of {', '.join(get_args(Method))}")
    refuse_label(label, classifier.classes)
    together = images_at_once(classifier)
    for start in range(0, len(images), together):
        read = [classifier.read(image) for image in images[start : start + together]]
        good = [pixels for pixels in read if not isinstance(pixels, ImageError)]
        rows = iter(explain_pixels(classifier, np.stack(good), methods, label) if good else ())
        for offset, pixels in enumerate(read):
            yield start + offset, pixels if isinstance(pixels, ImageError) else next(rows)


def explain_pixels(
    classifier: Classifier, pixels: NDArray[np.uint8], methods: Sequence[Method], label: str | None = None
) -> list[list[Explanation]]:
    """The explanations of each of the preprocessed images (B, H, W, 3), in the order of `methods`.

    The class is the one that `predict` returns. If the prediction is the mean over the image and its horizontal flip,
    the map is the mean of both maps. Maps are always computed in float32.
    """
    probs = np.stack([output.probabilities for output in classifier.infer(pixels)])
    answered = [int(index) for index in probs.argmax(axis=1)]
    classes = answered if label is None else [classifier.classes.index(label)] * len(pixels)
    maps = {}
    for method, values in compute_maps(classifier, pixels, classes, methods).items():
        if not values.isfinite().all():
            raise CorollaError(f"the {method} of this model is not finite; its weights are damaged, train it again")
        maps[method] = values.cpu().numpy()

    def one(place: int, method: Method) -> Explanation:
        heads = maps[method][place]  # (1 or h, rows, columns)
        return Explanation(
            method,
            label=classifier.classes[classes[place]],
            probability=float(probs[place, classes[place]]),
            map=heads.mean(axis=0),
            pixels=pixels[place],
            heads=heads if method == "attention" else None,
        )

    return [[one(place, method) for method in methods] for place in range(len(pixels))]


def compute_maps(
    classifier: Classifier, pixels: NDArray[np.uint8], classes: Sequence[int], methods: Sequence[Method]
) -> dict[Method, Tensor]:
    """The maps (B, heads, rows, columns) of each method, with one head if the method has no maps per head."""
    model, single = classifier.model, Precision("no", "gradients of bfloat16 have too few digits")
    gradients = not NEED_GRADIENTS.isdisjoint(methods)
    numbers = single.autocast(classifier.device)
    with torch.inference_mode(False), torch.set_grad_enabled(gradients), numbers, uncompiled(model):
        images = classifier.images(pixels)
        views = [images, images.flip(-1)] if classifier.flip else [images]
        # The images require gradients so that attention has gradients even if all weights are frozen.
        seen = model.forward_intermediates(torch.cat(views).requires_grad_(gradients))
        places = torch.tensor(classes, device=seen.logits.device).repeat(len(views))
        chosen = seen.logits.gather(1, places[:, None])[:, 0]  # (views x B,)
        shares = read_shares(model, seen.embedded.shape[1])
        grid = model.config.grid((images.shape[-2], images.shape[-1]))
        found: dict[Method, Tensor] = {}
        for method in dict.fromkeys(methods):
            values = METHODS[method](seen, chosen, shares).detach()
            maps = on_patches(values.reshape(len(values), -1, values.shape[-1]), grid)
            upright = [view if place == 0 else view.flip(-1) for place, view in enumerate(maps.chunk(len(views)))]
            found[method] = torch.stack(upright).mean(dim=0)
    return found


def uncompiled(model: ViT) -> AbstractContextManager[object]:
    """A context in which blocks run eagerly: compiled blocks hide the graph from attention to prediction."""
    compiled = any(module._compiled_call_impl is not None for module in model.modules())
    # Only if needed, because it loads the compiler.
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


def images_at_once(classifier: Classifier) -> int:
    """The batch size whose attention fits in `ROOM`.

    `CorollaError` if the attention of a single image is too large for the memory.
    """
    config = classifier.model.config
    rows, columns = config.grid(classifier.preprocessing.image_size)
    tokens = classifier.model.num_prefix_tokens + config.num_reg_tokens + rows * columns
    one = COPIES * (1 + classifier.flip) * config.depth * config.num_heads * tokens**2 * 4
    if one > MOST:
        raise CorollaError(
            f"explaining an image of {tokens:,} tokens would take {one / 2**30:,.0f} GB for the attention of "
            f"{config.depth} blocks; a model for smaller images or with larger patches needs less"
        )
    return max(1, min(TOGETHER, ROOM // one))
