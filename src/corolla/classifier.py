"""A trained model that predicts: weights, preprocessing and class names in one object."""

import copy
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from corolla.errors import CorollaError
from corolla.models.vit import Head, Intermediates, ViT
from corolla.paths import AnyPath
from corolla.precision import SINGLE, Precision
from corolla.predictor import ModelOutput, Predictor
from corolla.preprocessing import Preprocessing
from corolla.run import find_run
from corolla.uncertainty.calibration import Calibration
from corolla.uncertainty.ood import Outputs
from corolla.uncertainty.temperature import apply_temperature

TOGETHER = 8  # with fewer images than this, one forward pass computes their horizontal flips too


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
        self.answering = self.model  # the same weights, stored in the precision that computes
        self.preprocessing = preprocessing
        self.classes = classes
        self.flip = flip  # average the predictions for the image and its horizontal flip
        self.device = device
        self.calibration = calibration

    @staticmethod
    def load(
        run: AnyPath, device: str = "cpu", precision: Precision = SINGLE, *, calibrated: bool = True
    ) -> "Classifier":
        """The classifier of a run folder, or of a run that comes with corolla, by its name.

        It computes in single precision unless another is given, and applies its calibration if it has one, unless
        `calibrated` is False.
        Raises `CorollaError` if `run` is neither, or damaged.
        """
        folder = find_run(run)
        model, config = folder.load_model()
        sizes = len(config.classes), model.head.in_features, model.config.embed_dim
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

    def infer(self, pixels: NDArray[np.uint8]) -> list[ModelOutput]:
        """The model's output for each of preprocessed images (B, H, W, 3)."""
        outputs, calibration = self.raw_outputs(pixels), self.calibration
        if calibration is None:
            return [ModelOutput(row, None) for row in outputs.probabilities]
        rows = apply_temperature(outputs.probabilities, calibration.temperature)
        scores = calibration.ood_detector.score(outputs)
        return [ModelOutput(row, float(score)) for row, score in zip(rows, scores, strict=True)]

    def images(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Preprocessed images (B, H, W, 3) as the model's input (B, 3, H, W)."""
        return self.preprocessing.normalize(torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2))

    @torch.inference_mode()
    def raw_outputs(self, pixels: NDArray[np.uint8]) -> Outputs:
        """The model's raw outputs for preprocessed images (B, H, W, 3), before any calibration."""
        images = self.images(pixels)
        views = [images, images.flip(-1)] if self.flip else [images]
        with self.precision.autocast(self.device):
            # One pass for both if they are few, two if twice as many would not fit into the processor's cache.
            passes = [torch.cat(views)] if len(images) < TOGETHER else views
            seen = [self.forward(each) for each in passes]

        def mean(parts: Iterable[Tensor]) -> NDArray[np.float32]:
            rows = torch.cat(list(parts)).float().view(len(views), len(images), -1)
            return np.asarray(rows.mean(dim=0).cpu().numpy(), np.float32)

        textures, features, logits = zip(*seen, strict=True)
        probabilities = mean(each.float().softmax(dim=-1) for each in logits)
        outputs = Outputs(probabilities, mean(logits), mean(features), mean(textures))
        if not np.isfinite(outputs.probabilities).all():
            raise CorollaError("the model's outputs are not finite; its weights are damaged, train it again")
        return outputs

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Texture (B, D), features (B, C) and logits (B, classes) of normalized images (B, 3, H, W)."""
        model, seen = self.answering, Intermediates(layers=(0,), with_attention=False)
        logits = model(images, seen)
        return model.patch_tokens(seen.blocks[0]).mean(dim=1, dtype=torch.float32), seen.pooled, logits


def cast_weights(model: ViT, dtype: torch.dtype) -> ViT:
    """A copy whose matrices and kernels are stored as `dtype`, all else shared; the same model if they already are.

    Autocast would cast them in every call, with the same result. Norms, tokens, positions and heads stay unchanged.
    """
    if dtype == model.patch_embed.proj.weight.dtype:
        return model
    same: dict[int, Tensor] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)) and not isinstance(module, Head):
            own = module.parameters(recurse=False)
            same |= {id(tensor): nn.Parameter(tensor.detach().to(dtype), requires_grad=False) for tensor in own}
    return copy.deepcopy(model, same)  # deepcopy takes the tensors of `same` as copies already made
