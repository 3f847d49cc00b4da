"""The head on frozen features: what it finds, folded back, for two classes and for missing ones."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from corolla.features.linear_probe import FEWEST_ITERATIONS, STRENGTHS, fit_head


def clouds(classes: int, each: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (n, 2, 6) far from zero and of very unequal spread, around a center for each class."""
    generator = torch.Generator().manual_seed(seed)
    centers = 3 * torch.eye(6)[:classes]
    labels = torch.arange(classes).repeat(each)
    features = centers[labels][:, None] + torch.randn(len(labels), 2, 6, generator=generator) * 0.5
    return features * torch.tensor([1, 100, 0.01, 1, 10, 1]) + 50, labels


def answers(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return (features.double() @ weight.double().T + bias.double()).softmax(dim=-1).mean(dim=1)


def test_separable_classes_are_separated_and_the_accuracy_told_is_the_heads() -> None:
    train, val = clouds(4, 30, 0), clouds(4, 30, 1)
    head = fit_head(*train, *val, num_classes=4)
    assert head.accuracy > 0.95
    found = answers(val[0], head.weight, head.bias).argmax(dim=1)
    assert float((found == val[1]).float().mean()) == head.accuracy


def test_two_classes_have_a_row_each() -> None:
    train, val = clouds(2, 30, 0), clouds(2, 30, 1)
    head = fit_head(*train, *val, num_classes=2)
    assert head.weight.shape == (2, 6)
    assert (answers(val[0], head.weight, head.bias).argmax(dim=1) == val[1]).float().mean() == head.accuracy > 0.95


def test_a_class_without_a_training_image_is_never_answered() -> None:
    features, labels = clouds(4, 20, 0)
    seen = labels != 1
    head = fit_head(features[seen], labels[seen], features, labels, num_classes=4)
    assert not (answers(features, head.weight, head.bias).argmax(dim=1) == 1).any()
    assert 0.7 < head.accuracy <= 0.75


def test_noise_is_fitted_with_a_small_strength() -> None:
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(40, 1, 200, generator=generator), torch.arange(40) % 2
    val, val_labels = torch.randn(400, 1, 200, generator=generator), torch.arange(400) % 2
    features[:, 0, 0] += labels * 2.0
    val[:, 0, 0] += val_labels * 2.0
    assert fit_head(features, labels, val, val_labels, 2).strength < 1


def test_in_no_time_one_strength_is_tried_and_in_ample_time_the_best_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, x, y: (fitted.append(self.max_iter), fit(self, x, y))[1]
    )
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 4
    features = torch.randn(120, 2, 8, generator=generator) + 1.5 * torch.eye(4, 8)[labels][:, None]
    train, val = (features[:60], labels[:60]), (features[60:], labels[60:])
    hurried = fit_head(*train, *val, num_classes=4, seconds=0.0)
    assert fitted == [FEWEST_ITERATIONS]
    assert hurried.accuracy > 0.5
    fitted.clear()
    whole = fit_head(*train, *val, num_classes=4)
    tried_in_all = len(fitted)
    fitted.clear()
    ample = fit_head(*train, *val, num_classes=4, seconds=600.0)
    assert len(fitted) == tried_in_all == len(STRENGTHS)
    assert (ample.strength, ample.accuracy) == (whole.strength, whole.accuracy)
