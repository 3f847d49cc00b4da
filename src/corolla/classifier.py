"""A trained model that answers: weights, preprocessing and class names as one thing.

`predict`, `evaluate`, training's last validation and later the server all ask this object, so they cannot disagree.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from corolla.data.decoding import PictureError, read_picture
from corolla.errors import CorollaError
from corolla.model import Head, ViT
from corolla.precision import Precision, choose_precision
from corolla.preprocessing import Preprocessing
from corolla.pretrained import run_folder
from corolla.run import Run

Picture = str | Path | bytes | BinaryIO | Image.Image
BATCH = 32
TOGETHER = 8  # pictures below which one pass answers for their mirror images too


@dataclass(frozen=True)
class Prediction:
    """One answer: the likeliest class by name, and the `top` classes with their probabilities."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]


class Classifier:
    """A model with the preprocessing and the class names it was trained with."""

    def __init__(
        self,
        model: ViT,
        preprocessing: Preprocessing,
        classes: tuple[str, ...],
        *,
        flip: bool,
        device: str = "cpu",
        precision: Precision | None = None,
    ) -> None:
        self.precision = precision or choose_precision(device)
        self.model = model.eval().to(device)
        self.answering = self.model  # the same numbers, stored as they are computed with
        self.preprocessing = preprocessing
        self.classes = classes
        self.flip = flip  # average the answers for the picture and its mirror image
        self.device = device

    @staticmethod
    def load(run: str | Path, device: str = "cpu", precision: Precision | None = None) -> "Classifier":
        """The classifier of a run folder, or of a run that comes with corolla, by its name.

        It computes in the precision that suits the device unless another is given.
        Raises `CorollaError` if it is neither, or damaged.
        """
        model, config = Run(run_folder(run)).load_model()
        flip = bool(config.recipe.get("flip_average", False))
        classifier = Classifier(
            model, config.preprocessing, config.classes, flip=flip, device=device, precision=precision
        )
        classifier.answering = stored_in(classifier.model, classifier.precision.dtype)
        return classifier

    def predict(self, picture: Picture, top: int = 5) -> Prediction:
        """The answer for one picture: a path, an open file, its bytes or a Pillow image.

        Raises `PictureError` for what cannot be read as a picture.
        """
        [(_, answer)] = self.answers([picture])
        if isinstance(answer, PictureError):
            raise answer
        return self.prediction(answer, top)

    def prediction(self, probabilities: NDArray[np.float32], top: int = 5) -> Prediction:
        """The named answer for one picture's probabilities (classes,); equal ones in class order."""
        order = np.argsort(-probabilities, kind="stable")[: max(top, 1)]
        named = tuple((self.classes[index], float(probabilities[index])) for index in order)
        return Prediction(named[0][0], named[0][1], named)

    def probabilities(
        self, pictures: Sequence[Picture], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The probabilities (pictures, classes), float32; the first unreadable picture raises `PictureError`."""
        rows = np.empty((len(pictures), len(self.classes)), np.float32)
        for index, answer in self.answers(pictures):
            if isinstance(answer, PictureError):
                raise answer
            rows[index] = answer
            if progress:
                progress(index + 1, len(pictures))
        return rows

    def answers(self, pictures: Sequence[Picture]) -> Iterator[tuple[int, NDArray[np.float32] | PictureError]]:
        """Each picture's place and its probabilities (classes,), or why it cannot be read, in order.

        Pictures are decoded in threads while the batch before them is computed. A picture's answer does
        not depend on its neighbours beyond the last bits of floating point.
        """
        with ThreadPoolExecutor(4) as pool:
            ahead = pool.map(self.read, pictures[:BATCH])
            for start in range(0, len(pictures), BATCH):
                tensors = list(ahead)
                ahead = pool.map(self.read, pictures[start + BATCH : start + 2 * BATCH])
                good = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
                rows = iter(self.compute(torch.stack(good)) if good else ())
                for offset, tensor in enumerate(tensors):
                    yield start + offset, tensor if isinstance(tensor, PictureError) else next(rows)

    def read(self, picture: Picture) -> Tensor | PictureError:
        """Decode and preprocess one picture to uint8 pixels (3, H, W), or say why that cannot be done."""
        try:
            if isinstance(picture, Image.Image):
                buffer = BytesIO()
                picture.save(buffer, "PNG")
                picture = buffer.getvalue()
            return self.preprocessing.pixels(read_picture(Path(picture) if isinstance(picture, str) else picture))
        except PictureError as error:
            return error

    @torch.inference_mode()
    def compute(self, pixels: Tensor) -> NDArray[np.float32]:
        """Probabilities (B, classes) of uint8 pixels (B, 3, H, W)."""
        images = self.preprocessing.normalise(pixels.to(self.device))
        views = [images, images.flip(-1)] if self.flip else [images]
        with self.precision.autocast(self.device):
            # One pass for both where they are few, two where twice as many would leave the processor's cache.
            passes = [torch.cat(views)] if len(images) < TOGETHER else views
            chances = torch.cat([self.answering(each).float().softmax(dim=-1) for each in passes])
        chances = chances.view(len(views), len(images), -1).mean(dim=0)
        if not chances.isfinite().all():
            raise CorollaError(
                "the model answers with numbers that are not finite; its weights are damaged, train it again"
            )
        rows: NDArray[np.float32] = chances.cpu().numpy()
        return rows


def stored_in(model: ViT, dtype: torch.dtype) -> ViT:
    """A copy whose matrices and kernels are kept as `dtype`, all else shared; the same model where they are already.

    Autocast would make the same numbers of them in every call. Norms, tokens, positions and heads stay as they are.
    """
    if dtype == model.patches.project.weight.dtype:
        return model
    same: dict[int, Tensor] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)) and not isinstance(module, Head):
            own = module.parameters(recurse=False)
            same |= {id(tensor): nn.Parameter(tensor.detach().to(dtype), requires_grad=False) for tensor in own}
    return copy.deepcopy(model, same)  # which takes these for the copies of those that it meets
