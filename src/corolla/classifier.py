"""A trained model that answers: weights, preprocessing and class names as one thing.

`predict`, `evaluate`, training's last validation and later the server all ask this object, so they cannot disagree.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from corolla.head import Head
from corolla.model import ViT
from corolla.precision import Precision, choose_precision
from corolla.preprocessing import Preprocessing
from corolla.pretrained import run_folder
from corolla.run import Run
from corolla.trust.calibration import Calibration
from corolla.trust.outputs import Outputs
from corolla.trust.temperature import tempered

Picture = str | Path | bytes | BinaryIO | Image.Image
BATCH = 32
TOGETHER = 8  # pictures below which one pass answers for their mirror images too


@dataclass(frozen=True)
class Prediction:
    """One answer: the likeliest class by name, and the `top` classes with their probabilities."""

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    accepted: bool = True  # False: the picture is unlike those it learned from, so it is none of these classes
    novelty: float | None = None  # 0: like a middling validation picture; above 1: not accepted; None: not calibrated
    labels: tuple[str, ...] | None = None  # the classes that hold the promised coverage, if one was asked for


@dataclass(frozen=True, eq=False)
class Reply:
    """What the model says about one picture, before it is put into words."""

    probabilities: NDArray[np.float32]  # (classes,)
    novelty: float | None  # None: not calibrated


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
        calibration: Calibration | None = None,
    ) -> None:
        self.precision = precision or choose_precision(device)
        self.model = model.eval().to(device)
        self.answering = self.model  # the same numbers, stored as they are computed with
        self.preprocessing = preprocessing
        self.classes = classes
        self.flip = flip  # average the answers for the picture and its mirror image
        self.device = device
        self.calibration = calibration

    @staticmethod
    def load(
        run: str | Path, device: str = "cpu", precision: Precision | None = None, *, calibrated: bool = True
    ) -> "Classifier":
        """The classifier of a run folder, or of a run that comes with corolla, by its name.

        It computes in the precision that suits the device unless another is given, and answers with what its
        calibration knows if it has one, unless `calibrated` is False.
        Raises `CorollaError` if it is neither, or damaged.
        """
        folder = Run(run_folder(run))
        model, config = folder.load_model()
        sizes = len(config.classes), model.head.in_features, model.config.width
        classifier = Classifier(
            model,
            config.preprocessing,
            config.classes,
            flip=bool(config.recipe.get("flip_average", False)),
            device=device,
            precision=precision,
            calibration=Calibration.load(folder.calibration, sizes) if calibrated else None,
        )
        classifier.answering = stored_in(classifier.model, classifier.precision.dtype)
        return classifier

    def predict(self, picture: Picture, top: int = 5, coverage: float | None = None) -> Prediction:
        """The answer for one picture: a path, an open file, its bytes or a Pillow image.

        With `coverage`, 0.95 for instance, `Prediction.labels` are the classes that hold the right one so often.
        Raises `PictureError` for what cannot be read as a picture, and `CorollaError` for a coverage that cannot be.
        """
        self.check_coverage(coverage)
        [(_, reply)] = self.answers([picture])
        if isinstance(reply, PictureError):
            raise reply
        return self.prediction(reply, top, coverage)

    def prediction(self, reply: Reply, top: int = 5, coverage: float | None = None) -> Prediction:
        """The named answer; equally likely classes in class order."""
        order = np.argsort(-reply.probabilities, kind="stable")
        named = tuple((self.classes[index], float(reply.probabilities[index])) for index in order[: max(top, 1)])
        labels = None
        if coverage is not None and self.calibration:
            [members] = self.calibration.conformal.sets(reply.probabilities[None], coverage)
            labels = tuple(self.classes[index] for index in order if members[index])
        accepted = reply.novelty is None or reply.novelty <= 1
        return Prediction(named[0][0], named[0][1], named, accepted, reply.novelty, labels)

    def check_coverage(self, coverage: float | None) -> None:
        """`CorollaError` for a coverage that this classifier cannot promise."""
        if coverage is not None and self.calibration is None:
            raise CorollaError("a coverage needs a calibrated run; calibrate it with: corolla calibrate RUN")
        if coverage is not None and not 0 < coverage < 1:
            raise CorollaError(f"a coverage of {coverage:g} is none; it lies between 0 and 1, 0.95 for instance")

    def probabilities(
        self, pictures: Sequence[Picture], progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The probabilities (pictures, classes), float32; the first unreadable picture raises `PictureError`."""
        return np.stack([reply.probabilities for reply in self.replies(pictures, progress)])

    def replies(self, pictures: Sequence[Picture], progress: Callable[[int, int], None] | None = None) -> list[Reply]:
        """What it says about every picture, in order; the first unreadable one raises `PictureError`."""
        replies = []
        for index, reply in self.answers(pictures):
            if isinstance(reply, PictureError):
                raise reply
            replies.append(reply)
            if progress:
                progress(index + 1, len(pictures))
        return replies

    def answers(self, pictures: Sequence[Picture]) -> Iterator[tuple[int, Reply | PictureError]]:
        """Each picture's place and what the model says about it, or why it cannot be read, in order.

        Pictures are decoded in threads while the batch before them is computed. A picture's answer does
        not depend on its neighbours beyond the last bits of floating point.
        """
        with ThreadPoolExecutor(4) as pool:
            ahead = pool.map(self.read, pictures[:BATCH])
            for start in range(0, len(pictures), BATCH):
                tensors = list(ahead)
                ahead = pool.map(self.read, pictures[start + BATCH : start + 2 * BATCH])
                good = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
                replies = iter(self.reply(torch.stack(good)) if good else ())
                for offset, tensor in enumerate(tensors):
                    yield start + offset, tensor if isinstance(tensor, PictureError) else next(replies)

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

    def reply(self, pixels: Tensor) -> list[Reply]:
        """What the model says about each of uint8 pixels (B, 3, H, W)."""
        outputs, calibration = self.compute(pixels), self.calibration
        if calibration is None:
            return [Reply(row, None) for row in outputs.probabilities]
        rows = tempered(outputs.probabilities, calibration.temperature)
        novelty = calibration.novelty.score(outputs)
        return [Reply(row, float(strange)) for row, strange in zip(rows, novelty, strict=True)]

    @torch.inference_mode()
    def compute(self, pixels: Tensor) -> Outputs:
        """What the model computes for uint8 pixels (B, 3, H, W), before any calibration."""
        images = self.preprocessing.normalise(pixels.to(self.device))
        views = [images, images.flip(-1)] if self.flip else [images]
        with self.precision.autocast(self.device):
            # One pass for both where they are few, two where twice as many would leave the processor's cache.
            passes = [torch.cat(views)] if len(images) < TOGETHER else views
            seen = [self.pass_through(each) for each in passes]

        def mean(parts: Iterable[Tensor]) -> NDArray[np.float32]:
            rows = torch.cat(list(parts)).float().view(len(views), len(images), -1)
            return np.asarray(rows.mean(dim=0).cpu().numpy(), np.float32)

        textures, features, logits = zip(*seen, strict=True)
        probabilities = mean(each.float().softmax(dim=-1) for each in logits)
        outputs = Outputs(probabilities, mean(logits), mean(features), mean(textures))
        if not np.isfinite(outputs.probabilities).all():
            raise CorollaError(
                "the model answers with numbers that are not finite; its weights are damaged, train it again"
            )
        return outputs

    def pass_through(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Texture (B, D), features (B, C) and logits (B, classes) of normalised pictures (B, 3, H, W)."""
        model = self.answering
        first = model.blocks[0](model.embed(images))
        features, logits = model.answer(model.encode_from(1, first))
        return model.patch_tokens(first).mean(dim=1, dtype=torch.float32), features, logits


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
