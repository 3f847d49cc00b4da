"""Out-of-fold probabilities: no image's own label, nor its copies', has a part in its answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from corolla.audit.findings import AuditedImage, Copies
from corolla.audit.folds import FOLDS, out_of_fold, sets_of
from corolla.audit.images import Look
from corolla.audit.labels import margins
from corolla.audit.run_audit import audit
from corolla.data.manifest import Example
from corolla.errors import CorollaError
from corolla.features.names import LITE
from corolla.progress import Progress


def clouds(classes: int, each: int, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Features (n, 2, 8) around a center for each class."""
    generator = torch.Generator().manual_seed(seed)
    labels = np.tile(np.arange(classes), each)
    centers = 7 * torch.eye(8)[torch.from_numpy(labels)][:, None]
    return centers + torch.randn(len(labels), 2, 8, generator=generator), labels


def test_planted_errors_are_the_most_suspicious() -> None:
    features, true = clouds(4, 40)
    wrong = np.arange(0, 160, 20)
    labels = true.copy()
    labels[wrong] = (labels[wrong] + 1) % 4
    pred_probs = out_of_fold(features, labels, np.arange(160), 4, 0, Progress())
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1, atol=1e-5)
    assert set(np.argsort(margins(labels, pred_probs))[: len(wrong)]) == set(wrong)
    assert (pred_probs[wrong].argmax(axis=1) == true[wrong]).all()


def test_copies_of_a_wrong_label_do_not_vouch_for_each_other() -> None:
    """Far from everything, each of a pair is answered by the other if that is in the other folds."""
    features, labels = clouds(3, 30)
    odd = torch.zeros(2, 8)
    odd[:, 7] = 60.0
    features = torch.cat([features, odd.expand(2, 2, 8)])
    labels = np.append(labels, [1, 1])
    apart = np.arange(92)
    together = np.append(np.arange(91), 90)
    vouched = out_of_fold(features, labels, apart, 3, 0, Progress())[90:, 1]
    alone = out_of_fold(features, labels, together, 3, 0, Progress())[90:, 1]
    assert vouched.min() > 0.6
    assert alone.max() < vouched.min()


def test_the_folds_are_the_seeds() -> None:
    features, labels = clouds(3, 20)
    first, again, other = (
        out_of_fold(features, labels, np.arange(60), 3, seed, Progress()) for seed in (0, 0, 1)
    )  # fmt: skip
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sets_are_joined_by_group_content_and_likeness() -> None:
    look = Look(9, 9, gray=False, blank=False, exif="")

    def image(path: str, group: str = "", sha256: str = "") -> AuditedImage:
        return AuditedImage(Example(path, "a", "", group, sha256 or path), look)

    images = [image("1", "ann"), image("2", "ann"), image("3", sha256="x"), image("4", sha256="x")]
    images += [image("5"), image("6"), image("7")]
    sets = sets_of(images, [Copies((images[4], images[5]), exact=False)]).tolist()
    assert [sets.index(number) for number in sets] == [0, 0, 2, 2, 4, 4, 6]


def test_wrong_labels_of_real_files_are_found_with_the_bundled_weights(sound: Path, tmp_path: Path) -> None:
    wrong = {"red/03.png": "blue", "green/07.png": "red"}
    lines = ["path,label"]
    for file in sorted(sound.rglob("*.png")):
        name = file.relative_to(sound).as_posix()
        lines.append(f"{file},{wrong.get(name, file.parent.name)}")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    found = audit(tmp_path / "t.csv", "flowers").labels
    assert found is not None
    assert (found.n, found.folds, found.passed_over) == (30, FOLDS, ())
    suspects = {suspect.path.removeprefix(f"{sound.as_posix()}/"): suspect for suspect in found.suspects[:2]}
    assert suspects.keys() == wrong.keys()
    assert {name: suspect.given for name, suspect in suspects.items()} == wrong
    assert {name: suspect.suggested for name, suspect in suspects.items()} == {
        "red/03.png": "red", "green/07.png": "green",
    }  # fmt: skip
    assert found.agreement >= 0.9


def few(sound: Path, table: Path, counts: dict[str, int], group: str = "") -> Path:
    lines = ["path,label,group"]
    for name, count in counts.items():
        lines += [f"{file},{name},{group}" for file in sorted((sound / name).iterdir())[:count]]
    table.write_text("\n".join(lines), encoding="utf-8")
    return table


def test_a_class_with_too_few_sets_is_passed_over(sound: Path, tmp_path: Path) -> None:
    found = audit(few(sound, tmp_path / "t.csv", {"blue": 8, "green": 8, "red": FOLDS - 1}), LITE[0]).labels
    assert found is not None
    assert found.classes == ("blue", "green")
    assert found.passed_over == (("red", FOLDS - 1),)
    assert (found.n, found.pred_probs.shape) == (16, (16, 2))


def test_nothing_to_judge_by_is_one_line(sound: Path, tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match="only 'blue' has here; leave --weights out"):
        audit(few(sound, tmp_path / "a.csv", {"blue": 8, "green": 2}), "flowers")
    with pytest.raises(CorollaError, match="no class has here"):
        audit(few(sound, tmp_path / "b.csv", {"blue": 8, "green": 8}, group="ann"), "flowers")


def test_weights_that_are_not_there(sound: Path) -> None:
    with pytest.raises(CorollaError, match="no published weights and no file 'flowrs'"):
        audit(sound, "flowrs")
