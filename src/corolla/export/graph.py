"""The exported graph: from images to calibrated probabilities, OOD score, logits and an explanation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from corolla.classifier import Classifier
from corolla.explanations.methods import on_patches, read_shares, rollout
from corolla.export.resize import Resize
from corolla.uncertainty.ood import OODDetector, Score
from corolla.uncertainty.temperature import SMALLEST


class Graph(nn.Module):
    """A classifier from images to all outputs, in single precision and without branches."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        preprocessing, calibration = classifier.preprocessing, classifier.calibration
        self.resize = Resize(preprocessing)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).view(3, 1, 1))
        self.model = classifier.model
        self.flip = classifier.flip
        self.temperature = calibration.temperature if calibration else 1.0
        self.ood_score = OODScore(calibration.ood_detector) if calibration else None
        self.grid = self.model.config.grid(preprocessing.image_size)
        tokens = self.model.num_prefix_tokens + self.model.config.num_reg_tokens + self.grid[0] * self.grid[1]
        self.shares: Tensor
        self.register_buffer("shares", read_shares(self.model, tokens))

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs of `forward`, in order."""
        return ["probabilities", "logits", "rollout", *(["ood_score"] if self.ood_score else [])]

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """From uint8 (B, H, W, 3): probabilities, logits (B, classes), rollout (B, rows, columns), OOD score (B,)."""
        images = (self.resize(pixels) / 255 - self.mean) / self.std
        views = torch.cat([images, images.flip(-1)]) if self.flip else images
        seen = self.model.forward_intermediates(views)
        maps = on_patches(self.shares @ rollout(seen.attention), self.grid)
        texture = self.model.patch_tokens(seen.blocks[0]).mean(dim=1)

        def mean(rows: Tensor) -> Tensor:
            return rows.reshape(1 + self.flip, -1, *rows.shape[1:]).mean(dim=0)

        if self.flip:
            one, other = maps.reshape(2, -1, *self.grid).unbind()
            maps = (one + other.flip(-1)) / 2
        logits = mean(seen.logits)
        probs = mean(seen.logits.softmax(dim=-1)).clamp(min=SMALLEST)
        probabilities = (probs.log() / self.temperature).softmax(dim=-1)
        said = (probabilities, logits, maps)
        if self.ood_score is None:
            return said
        return (*said, self.ood_score(logits, mean(seen.pooled), mean(texture)))


class OODScore(nn.Module):
    """`OODDetector.score` as a module."""

    def __init__(self, detector: OODDetector) -> None:
        super().__init__()
        self.kinds = [score.kind for score in detector.scores]
        self.scales = [score.scale for score in detector.scores]
        self.scale = detector.scale
        self.distances = nn.ModuleDict({score.kind: Distance(score) for score in detector.scores if score.gaussians})

    def forward(self, logits: Tensor, features: Tensor, texture: Tensor) -> Tensor:
        """The OOD score (B,) by logits (B, classes), features (B, C), texture (B, D)."""
        parts = []
        for kind, scale in zip(self.kinds, self.scales, strict=True):
            if kind == "energy":
                raw = -logits.logsumexp(dim=-1)
            else:
                raw = self.distances[kind](features if kind == "distance" else texture)
            parts.append((raw - scale.median) / (scale.border - scale.median))
        return (average(parts) - self.scale.median) / (self.scale.border - self.scale.median)


class Distance(nn.Module):
    """`Gaussians.distance`: |u - c|^2 = |u|^2 - 2 u c + |c|^2 for all whitened means c in one matmul.

    All vectors are centered at the mean of the means, so that the squares stay small and their difference precise.
    """

    def __init__(self, score: Score) -> None:
        super().__init__()
        if score.gaussians is None:
            raise ValueError("a distance needs Gaussians")
        centers = torch.from_numpy(score.gaussians.centers)
        whitening = torch.from_numpy(score.gaussians.whitening)
        middle = centers.mean(dim=0)
        self.whitening: Tensor
        self.middle: Tensor
        self.centers: Tensor
        self.register_buffer("whitening", whitening)
        self.register_buffer("middle", middle)
        self.register_buffer("centers", (centers - middle).T.contiguous())  # (C, groups)

    def forward(self, vectors: Tensor) -> Tensor:
        """The squared distance (B,) of vectors (B, C) to the nearest mean."""
        whitened = vectors @ self.whitening - self.middle
        squares = whitened.square().sum(dim=1, keepdim=True)
        apart: Tensor = squares - 2 * (whitened @ self.centers) + self.centers.square().sum(dim=0)
        return apart.amin(dim=1)


def average(parts: Sequence[Tensor]) -> Tensor:
    """The mean of tensors of one shape."""
    return torch.stack(list(parts)).mean(dim=0)
