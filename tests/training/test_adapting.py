"""Probe, fine-tune and distil, from images to a run folder."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import corolla
from corolla.errors import CorollaError
from corolla.run import Run
from corolla.training import clock
from references import REFERENCES

QUICK: dict[str, Any] = {"batch_size": 8, "workers": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def pretrained(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A plain model of the paper that has learned the three colors."""
    folder = tmp_path_factory.mktemp("runs") / "pretrained"
    return corolla.train(swatches, folder, epochs=12, model="vit_pico_patch8_16", learning_rate=5e-3, **QUICK)


def adapt(pretrained: Run, swatches: Path, out: Path, **changes: Any) -> Run:
    return corolla.train(swatches, out, weights=str(pretrained.folder), **(QUICK | changes))


def test_a_probe_leaves_everything_but_the_head_as_it_was(pretrained: Run, swatches: Path, tmp_path: Path) -> None:
    run = adapt(pretrained, swatches, tmp_path / "probe", recipe="probe")
    before, after = load_file(pretrained.weights), load_file(run.weights)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}
    assert corolla.evaluate(run.folder).accuracy >= 0.9
    [row] = run.history()
    assert (row["epoch"], row["best"]) == (0, True)
    config = run.load_config()
    assert (config.recipe["name"], config.recipe["epochs"], config.training["best_epoch"]) == ("probe", 0, 0)
    assert config.preprocessing == pretrained.load_config().preprocessing
    report = run.report.read_text(encoding="utf-8")
    assert "0 of 0" not in report
    assert "No epoch was trained" in report
    assert not run.curves.exists()  # one point is no curve


def test_a_fine_tune_begins_with_the_probe_and_keeps_the_better(
    pretrained: Run, swatches: Path, tmp_path: Path
) -> None:
    run = adapt(pretrained, swatches, tmp_path / "tuned", epochs=3)
    rows = run.history()
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    best = max(row["val_accuracy"] for row in rows)
    assert run.load_config().training["best_val_accuracy"] == best >= rows[0]["val_accuracy"]
    assert run.load_config().recipe["name"] == "finetune"


def test_a_fine_tune_at_another_size_lays_the_positions_out_anew(
    pretrained: Run, swatches: Path, tmp_path: Path
) -> None:
    run = adapt(pretrained, swatches, tmp_path / "larger", image_size=24, epochs=1)
    model, config = run.load_model()
    assert config.architecture.image_size == config.preprocessing.image_size == (24, 24)
    assert model.pos_embed is not None
    assert model.pos_embed.shape[1] == 1 + 9


@pytest.mark.parametrize("name", ["timm DINOv3", "timm EVA-02 Ti", "transformers DINOv3"])
def test_weights_with_rotary_positions_are_probed_and_tuned_at_any_size(
    name: str, swatches: Path, tmp_path: Path
) -> None:
    reference = REFERENCES[name]
    folder = reference.save(reference.make(), tmp_path / "theirs")
    before = corolla.weights.load_weights(folder)
    begun = {"weights": str(folder), **QUICK}
    probe = corolla.train(swatches, tmp_path / "probe", recipe="probe", image_size=32, **begun)
    after = load_file(probe.weights)
    assert all(torch.equal(after[n], t) for n, t in before.tensors.items() if not n.startswith("head."))
    tuned = corolla.train(swatches, tmp_path / "tuned", image_size=40, epochs=1, head="zeros", **begun)
    model, config = tuned.load_model()
    shape = config.architecture
    assert (shape.rotary, shape.rotary_base, shape.rotary_grid) == (
        before.config.rotary, before.config.rotary_base, before.config.rotary_grid
    )  # fmt: skip
    assert shape.image_size == config.preprocessing.image_size == (40, 40)
    assert not torch.equal(model.state_dict()["blocks.0.attn.qkv.weight"], before.tensors["blocks.0.attn.qkv.weight"])
    assert corolla.evaluate(tuned.folder).n > 0


def test_frozen_blocks_stay_and_the_last_ones_learn(pretrained: Run, swatches: Path, tmp_path: Path) -> None:
    run = adapt(pretrained, swatches, tmp_path / "some", epochs=2, unfreeze_last=1, head="zeros", learning_rate=5e-3)
    before, after = load_file(pretrained.weights), load_file(run.weights)
    changed = {name.split(".")[1] if name.startswith("blocks.") else name.split(".")[0]
               for name in before if not torch.equal(before[name], after[name])}  # fmt: skip
    assert changed == {"1", "norm", "head"}


def test_a_low_rank_run_is_an_ordinary_run(pretrained: Run, swatches: Path, tmp_path: Path) -> None:
    run = adapt(pretrained, swatches, tmp_path / "lora", epochs=3, lora_rank=2, head="zeros", learning_rate=5e-3)
    before, after = load_file(pretrained.weights), load_file(run.weights)
    assert before.keys() == after.keys()
    assert torch.equal(before["norm.weight"], after["norm.weight"])
    change = after["blocks.0.mlp.fc1.weight"] - before["blocks.0.mlp.fc1.weight"]
    singular = torch.linalg.svdvals(change)
    assert singular[1] > 0
    assert singular[2] < 1e-4 * singular[0]
    assert corolla.evaluate(run.folder).n > 0


@pytest.mark.parametrize(
    "how", [{"distillation_type": "soft", "feature_distill_weight": 1.0}, {"distillation_type": "hard"}]
)
def test_a_run_teaches_a_student(pretrained: Run, swatches: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    changes = {"model": "vit_pico_conv8_16", "epochs": 12, "progressive_resizing": ((0.0, 1.0),), **how}
    run = corolla.train(swatches, tmp_path / "student", teacher=str(pretrained.folder), **QUICK, **changes)
    assert run.load_config().recipe["name"] == "distill"
    facts = run.load_config().training["teacher"]
    assert facts["test_accuracy"] == corolla.evaluate(pretrained.folder).accuracy
    assert corolla.evaluate(run.folder).accuracy >= 0.6
    assert not run.teacher.exists()


def test_a_teacher_beside_weights_teaches_a_fine_tune(pretrained: Run, swatches: Path, tmp_path: Path) -> None:
    """What the weights know is not undone by the rates of random ones: it begins with the probe and stays as good."""
    run = adapt(pretrained, swatches, tmp_path / "both", teacher=str(pretrained.folder), epochs=2)
    config, rows = run.load_config(), run.history()
    assert (config.recipe["name"], config.recipe["head"], config.recipe["optimizer"]) == ("distill", "probe", "adamw")
    assert config.training["teacher"]["val_accuracy"] >= 0.9
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert min(row["val_accuracy"] for row in rows) >= 0.8
    assert config.model == pretrained.load_config().model
    assert "a distillation term" in run.report.read_text(encoding="utf-8")


def test_a_distillation_token_takes_its_own_head(pretrained: Run, swatches: Path, tmp_path: Path) -> None:
    changes = {"model": "vit_pico_patch8_16", "epochs": 1, "progressive_resizing": ((0.0, 1.0),), "distill_token": True}
    run = corolla.train(swatches, tmp_path / "student", teacher=str(pretrained.folder), **QUICK, **changes)
    assert run.load_config().architecture.distilled
    changes["model"] = "vit_pico_conv8_16"
    with pytest.raises(CorollaError, match="distillation token"):
        corolla.train(swatches, tmp_path / "none", teacher=str(pretrained.folder), **QUICK, **changes)


def test_an_efficientnet_is_fitted_and_an_interrupted_student_goes_on_with_it(
    swatches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after an epoch and resumed, the student has the weights of one that was not stopped."""
    changes = {"model": "vit_pico_conv8_16", "epochs": 2, "progressive_resizing": ((0.0, 1.0),), "teacher_epochs": 1}
    asked = {"teacher": "efficientnet-lite0", **QUICK, **changes}
    whole = corolla.train(swatches, tmp_path / "whole", **asked)
    facts = whole.load_config().training["teacher"]
    assert facts["epochs"] == 1
    assert 0 <= facts["probe_val_accuracy"] <= 1
    append, broken = Run.append_history, Run(tmp_path / "broken")

    def stop(self: Run, row: dict[str, Any]) -> None:
        append(self, row)
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "append_history", stop)
        with pytest.raises(KeyboardInterrupt):
            corolla.train(swatches, broken.folder, **asked)
    assert broken.teacher.is_file()
    corolla.train(swatches, broken.folder, resume=True, **asked)
    one, other = load_file(whole.weights), load_file(broken.weights)
    assert all(torch.equal(one[name], other[name]) for name in one)
    said = [json.loads((run.folder / "config.json").read_text())["training"]["teacher"] for run in (whole, broken)]
    for each in said:
        each.pop("minutes")
    assert said[0] == said[1]


def test_minutes_leave_a_fine_tune_only_its_epochs_to_fit(
    pretrained: Run, swatches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count()
    monkeypatch.setattr(clock, "now", lambda: next(looks) * 0.05)  # a machine whose speed is known
    run = adapt(pretrained, swatches, tmp_path / "run", minutes=1)
    recipe = run.load_config().recipe
    assert 5 < recipe["epochs"] < 200
    assert recipe["image_size"] == 16
    assert np.isfinite(run.history()[-1]["val_loss"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": "probe"}, "the recipe probe needs --weights"),
        ({"recipe": "finetune"}, "the recipe finetune needs --weights"),
        ({"recipe": "distill"}, "the recipe distill needs --teacher"),
        ({"recipe": "scratch", "weights": "flowers"}, "trains from random weights; leave --recipe out"),
        ({"recipe": "scratch", "teacher": "efficientnet-lite0"}, "uses no teacher"),
        ({"weights": "nowhere/at/all.safetensors"}, "nowhere"),
        ({"weights": "x", "model": "vit_pico_patch8_16"}, "leave --model out"),
        ({"recipe": "scratch", "epochs": 0}, "would learn nothing"),
        ({"recipe": "scratch", "lora_rank": 2, "unfreeze_last": 1}, "choose one"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    swatches: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(CorollaError, match=said) as failure:
        corolla.train(swatches, tmp_path / "run", **changes)
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "run").exists()
