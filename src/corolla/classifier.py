"""A trained model that answers: weights, preprocessing and class names as one thing."""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.head import Head
from corolla.model import ViT
from corolla.paths import AnyPath
from corolla.precision import SINGLE, Precision
from corolla.predictor import ModelOutput, Predictor
from corolla.preprocessing import Preprocessing
from corolla.run import find_run
from corolla.trust.calibration import Calibration
from corolla.trust.outputs import Outputs
from corolla.trust.temperature import apply_temperature

TOGETHER = 8  # images below which one pass answers for their mirror images too


class Classifier(Predictor):
    """A model with the preprocessing and the class names it was trained with."""

    calibration: Calibration | None

    def __init__(
        self,
        model: ViT,
        preprocessing: Preprocessing,
        classes: tuple[str, ...],
        *,
        flip: bool,
        device: str = "cpu",
        precision: Precision = SINGLE,
        calibration: Calibration | None = None,
    ) -> None:
        self.precision = precision
        self.model = model.eval().to(device)
        self.answering = self.model  # the same numbers, stored as they are computed with
        self.preprocessing = preprocessing
        self.classes = classes
        self.flip = flip  # average the answers for the image and its mirror image
        self.device = device
        self.calibration = calibration

    @staticmethod
    def load(
        run: AnyPath, device: str = "cpu", precision: Precision = SINGLE, *, calibrated: bool = True
    ) -> "Classifier":
        """The classifier of a run folder, or of a run that comes with corolla, by its name.

        It computes in single precision unless another is given, and answers with what its calibration knows if it has
        one, unless `calibrated` is False.
        Raises `CorollaError` if it is neither, or damaged.
        """
        folder = find_run(run)
        model, config = folder.load_model()
        sizes = len(config.classes), model.head.in_features, model.config.width
        classifier = Classifier(
            model,
            config.preprocessing,
            config.classes,
            flip=bool(config.recipe.get("hflip_tta", False)),
            device=device,
            precision=precision,
            calibration=Calibration.load(folder.calibration, sizes) if calibrated else None,
        )
        classifier.answering = cast_weights(classifier.model, classifier.precision.dtype)
        return classifier

    def reply(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """What the model says about each of preprocessed images (B, H, W, 3)."""
        outputs, calibration = self.compute(pixels), self.calibration
        if calibration is None:
            return [ModelOutput(row, None) for row in outputs.probabilities]
        rows = apply_temperature(outputs.probabilities, calibration.temperature)
        novelty = calibration.novelty.score(outputs)
        return [ModelOutput(row, float(strange)) for row, strange in zip(rows, novelty, strict=True)]

    def images(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Preprocessed images (B, H, W, 3) as the model reads them, (B, 3, H, W)."""
        return self.preprocessing.normalize(torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def compute(self, pixels: NDArray[np.uint8]) -> Outputs:
        """What the model computes for preprocessed images (B, H, W, 3), before any calibration."""
        images = self.images(pixels)
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
        """Texture (B, D), features (B, C) and logits (B, classes) of normalized images (B, 3, H, W)."""
        model = self.answering
        turns = model.turns_for((images.shape[-2], images.shape[-1]), images)
        first = model.blocks[0](model.embed(images), turns)
        features, logits = model.answer(model.encode_from(1, first, turns))
        return model.patch_tokens(first).mean(dim=1, dtype=torch.float32), features, logits


def cast_weights(model: ViT, dtype: torch.dtype) -> ViT:
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
