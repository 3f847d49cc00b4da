"""Whole trainings on small images, in this process and in ones that are killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import corolla
from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.data.sources import load_data
from corolla.errors import CorollaError
from corolla.evaluation.facts import Facts, facts_of
from corolla.progress import Progress
from corolla.run import Run
from corolla.training import clock, finishing
from corolla.training.loss import NotFiniteError
from corolla.training.recipes.scratch import RECIPE
from corolla.training.runtime import Runtime
from corolla.training.trainer import Trainer

QUICK: dict[str, Any] = {"model": "vit_pico_conv8_16", "batch_size": 8, "workers": 0, "device": "cpu"}
WHERE: dict[str, Any] = {"seed": 0, "machine": Runtime("cpu", 0), "progress": Progress()}
GROWN = {"progressive_resizing": ((0.0, 0.5), (0.5, 1.0))}


def quick_trainer(manifest: Manifest, **changes: Any) -> Trainer:
    recipe = RECIPE.changed(
        model="vit_pico_conv8_16", image_size=16, batch_size=8, progressive_resizing=((0.0, 1.0),), **changes
    )
    return Trainer(manifest, recipe, **WHERE)


@pytest.fixture(scope="module")
def finished(swatches: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four unbroken epochs."""
    return corolla.train(swatches, tmp_path_factory.mktemp("runs") / "whole", epochs=4, **QUICK, **GROWN)


def test_a_run_folder_holds_everything_and_nothing_more(finished: Run) -> None:
    names = "README.md config.json curves.png evaluation.json manifest.csv metrics.jsonl model.safetensors report.html"
    assert sorted(path.name for path in finished.folder.iterdir()) == names.split()
    config = finished.load_config()
    assert config.classes == ("blue", "green", "red")
    assert config.training["finished"]
    assert config.training["epochs"] == 4
    rows = finished.history()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["image_size"] for row in rows] == [8, 8, 16, 16]
    assert all(np.isfinite(row["train_loss"]) for row in rows)


def test_three_colors_are_learned(swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=12, **QUICK)
    assert corolla.evaluate(run.folder).accuracy >= 0.8


def test_one_batch_is_learned_by_heart(swatches: Path) -> None:
    """The model, the loss and the optimizers can drive the loss of eight images to zero."""
    manifest = load_data(swatches)
    few = manifest.split("train")[::6][:8]
    plain = {"mixup_cutmix_prob": 0.0, "label_smoothing": 0.0, "drop_path": 0.0}
    trainer = quick_trainer(manifest.with_examples((*few, *manifest.split("val"))), epochs=60, **plain)
    trainer.model.train()
    images = [trainer.preprocessing.pixels(open_image(manifest.locate(example))) for example in few]
    labels = torch.tensor([manifest.class_index[example.label] for example in few])
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    losses = [trainer.step(batch, labels, 0, step) for step in range(60)]
    assert losses[0] > 0.9
    assert losses[-1] < 0.02


def open_image(path: Path) -> Any:
    from corolla.data.decoding import read_image

    return read_image(path)


def same_weights(one: Run, other: Run) -> bool:
    return one.weights.read_bytes() == other.weights.read_bytes()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    finished: Run, swatches: Path, tmp_path: Path
) -> None:
    again = corolla.train(swatches, tmp_path / "again", epochs=4, **QUICK, **GROWN)
    assert same_weights(finished, again)
    other = corolla.train(swatches, tmp_path / "other", epochs=4, seed=1, **QUICK, **GROWN)
    assert not same_weights(finished, other)


def test_workers_do_not_change_the_weights(finished: Run, swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=4, **(QUICK | {"workers": 2}), **GROWN)
    assert same_weights(finished, run)


CHILD = """
import sys, time
import corolla
from corolla.progress import Progress
class Halt(Progress):
    def stage(self, title, done, total, detail=""):
        if title == f"epoch {sys.argv[4]}/4" and done == 2:
            print("halted", flush=True)
            time.sleep(600)
if __name__ == "__main__":
    growth = ((0.0, 0.5), (0.5, 1.0))
    corolla.train(sys.argv[1], sys.argv[2], epochs=4, model="vit_pico_conv8_16", batch_size=8, workers=0,
                  device="cpu", progressive_resizing=growth, progress=Halt(), resume=sys.argv[3] == "resume")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_training_resumes_to_the_weights_of_an_unbroken_one(
    finished: Run, swatches: Path, tmp_path: Path
) -> None:
    script, run = tmp_path / "child.py", Run(tmp_path / "run")
    script.write_text(CHILD, encoding="utf-8")
    for how, epoch in (("fresh", 2), ("resume", 3)):  # killed twice, each time within an epoch
        command = [sys.executable, str(script), str(swatches), str(run.folder), how, str(epoch)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout
            assert child.stdout.readline() == b"halted\n"
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert len(run.history()) == epoch - 1
    assert not run.load_config().training.get("finished")
    corolla.train(swatches, run.folder, epochs=4, resume=True, **QUICK, **GROWN)
    assert same_weights(finished, run)
    forget = ("seconds", "step_seconds", "validation_seconds", "images_per_second")
    histories = [[{k: v for k, v in row.items() if k not in forget} for row in r.history()] for r in (finished, run)]
    assert histories[0] == histories[1]


def test_resuming_with_other_values_is_refused_and_changes_nothing(finished: Run, swatches: Path) -> None:
    before = {path: path.read_bytes() for path in finished.folder.iterdir()}
    with pytest.raises(CorollaError, match=r"another epochs \(4\), seed \(0\)"):
        corolla.train(swatches, finished.folder, epochs=5, seed=3, resume=True, **QUICK, **GROWN)
    with pytest.raises(CorollaError, match="not empty"):
        corolla.train(swatches, finished.folder, epochs=4, **QUICK)
    assert before == {path: path.read_bytes() for path in finished.folder.iterdir()}


@pytest.mark.parametrize("poison", ["weights", "images"])
def test_a_number_that_is_not_finite_names_step_and_layer(swatches: Path, poison: str) -> None:
    trainer = quick_trainer(load_data(swatches), epochs=1)
    trainer.model.train()
    pixels, labels = torch.zeros(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    if poison == "weights":
        with torch.no_grad():
            trainer.model.blocks[1].mlp.fc2.weight[0, 0] = float("nan")
    else:
        pixels[0, 0, 0, 0] = float("inf")
    before = {name: tensor.clone() for name, tensor in trainer.model.named_parameters()}
    layer = r"blocks\.1\.mlp\.fc2" if poison == "weights" else r"patch_embed\.stem\.0"
    with pytest.raises(NotFiniteError, match=rf"epoch 3, step 6; first bad layer: {layer}.*--learning-rate"):
        trainer.step(pixels, labels, 2, 5)
    after = dict(trainer.model.named_parameters())
    assert all(torch.equal(before[name], after[name]) or name == "blocks.1.mlp.fc2.weight" for name in before)


def test_a_learning_rate_far_too_high_is_stopped_with_the_last_good_epoch_kept(swatches: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(NotFiniteError, match="not finite at epoch"):
        corolla.train(swatches, run.folder, epochs=30, learning_rate=1e30, warmup=0.9, **QUICK)
    assert not run.checkpoint.exists() or run.weights.exists()


def test_balanced_weights_make_classes_count_the_same(swatches: Path) -> None:
    manifest = load_data(swatches)
    kept = tuple(e for i, e in enumerate(manifest.examples) if e.label != "red" or i % 4 == 0 or e.split != "train")
    trainer = quick_trainer(manifest.with_examples(kept), epochs=1, class_weights="balanced")
    counts = torch.tensor(list(trainer.manifest.counts("train").values()), dtype=torch.float32)
    assert trainer.objective.class_weights is not None
    assert counts.min() < counts.max()
    torch.testing.assert_close(counts * trainer.objective.class_weights, torch.full((3,), float(counts.sum() / 3)))


def test_accumulated_batches_take_the_step_of_one_large_batch(swatches: Path) -> None:
    """Two halves added up move every weight as the whole does; batch norm would tell them apart, so none here."""
    manifest = load_data(swatches)
    plain = {"model": "vit_pico_patch8_16", "mixup_cutmix_prob": 0.0, "drop_path": 0.0}
    pixels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    whole = Trainer(manifest, RECIPE.changed(image_size=16, progressive_resizing=((0.0, 1.0),), **plain), **WHERE)
    halves = Trainer(
        manifest,
        RECIPE.changed(image_size=16, progressive_resizing=((0.0, 1.0),), grad_accum_steps=2, **plain),
        **WHERE,
    )
    whole.step(pixels, labels, 0, 0)
    halves.step(pixels[:4], labels[:4], 0, 0, update=False)
    halves.step(pixels[4:], labels[4:], 0, 1)
    for one, other in zip(whole.average.model.parameters(), halves.average.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_last_batches_of_an_epoch_are_not_left_over(swatches: Path, tmp_path: Path) -> None:
    trainer = quick_trainer(load_data(swatches), epochs=1, grad_accum_steps=2)
    assert len(trainer.feed) % 2 == 1
    trainer.fit(Run(tmp_path))
    assert trainer.average.steps == trainer.steps_per_epoch == len(trainer.feed) // 2 + 1
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_patience_stops_a_training_that_no_longer_improves(swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=40, learning_rate=1e-12, patience=2, **QUICK)
    assert len(run.history()) < 40


@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_the_dial_keeps_its_minutes_even_when_half_of_the_machine_is_taken_away(
    slower: float, swatches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real training on a clock that only its work moves; half-way all begins to take `slower` times as long."""
    machine = {"now": 0.0}

    def takes(seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*given: Any, **options: Any) -> Any:
            machine["now"] += seconds * (slower if machine["now"] > 60 else 1.0)
            return work(*given, **options)

        return slow

    monkeypatch.setattr(clock, "now", lambda: machine["now"])
    monkeypatch.setattr(Trainer, "step", takes(0.4, Trainer.step))
    monkeypatch.setattr(Classifier, "raw_outputs", takes(0.2, Classifier.raw_outputs))
    monkeypatch.setattr(finishing, "write_report", takes(4.0, finishing.write_report))
    notes: list[str] = []
    progress = Progress()
    monkeypatch.setattr(progress, "note", notes.append)
    run = corolla.train(
        swatches, tmp_path / "run", minutes=2, mixup_cutmix_prob=0.25, progress=progress, **(QUICK | {"image_size": 16})
    )
    config = run.load_config()
    assert machine["now"] == pytest.approx(120, rel=0.05 if slower == 1 else 0.15)
    assert config.training["minutes"] * 60 == pytest.approx(machine["now"] - 4 * slower)  # all but the report's
    assert any("slower than planned" in note for note in notes) == (slower > 1)
    assert (config.training["epochs"] < config.recipe["epochs"]) == (slower > 1)
    assert config.recipe["mixup_cutmix_prob"] == 0.25  # what is set by hand stays
    assert config.training["epochs"] == run.history()[-1]["epoch"] == run.history()[-1]["epochs"]


def test_minutes_that_hold_not_one_epoch_are_refused_with_how_many_would(swatches: Path, tmp_path: Path) -> None:
    with pytest.raises(CorollaError, match=r"0\.001 minutes are too short.*give --minutes \d"):
        corolla.train(swatches, tmp_path / "run", minutes=0.001, **QUICK)
    assert not (tmp_path / "run").exists()


def test_tensorboard_files_are_written_when_asked(swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=1, tensorboard=True, **QUICK)
    assert list((run.folder / "tensorboard").glob("events.*"))


def test_a_checkpoint_that_is_damaged_says_so(swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=1, **QUICK)
    config = json.loads(run.config_file.read_text(encoding="utf-8"))
    del config["training"]["finished"]
    run.config_file.write_text(json.dumps(config), encoding="utf-8")
    run.checkpoint.write_bytes(os.urandom(4096))
    with pytest.raises(CorollaError, match="cannot continue from"):
        corolla.train(swatches, run.folder, epochs=1, resume=True, **QUICK)


def test_paths_are_taken_for_everything_that_is_one(swatches: Path, tmp_path: Path, finished: Run) -> None:
    run = corolla.train(swatches, tmp_path / "a" / "tuned", weights=finished.folder, epochs=1, batch_size=8, workers=0)
    config = run.load_config()
    assert config.recipe["weights"] == str(finished.folder)
    # It is called by its architecture, and beside it stands what it began with.
    assert config.model == config.recipe["model"] == finished.load_config().model == "vit_pico_conv8_16"
    assert "<bdi>vit_pico_conv8_16</bdi> from <bdi>whole</bdi>" in run.report.read_text(encoding="utf-8")
    assert "Trained with corolla as `vit_pico_conv8_16` from `whole`." in run.card.read_text(encoding="utf-8")
    facts = facts_of(run)
    assert (facts.architecture, facts.began_with) == ("vit_pico_conv8_16", "whole")
    assert facts_of(finished).began_with is None
    assert Facts.from_json(facts.to_json()) == facts
    taught = {"teacher": finished.folder, "model": "vit_pico_conv8_16", "teacher_epochs": 0, "epochs": 1}
    run = corolla.train(swatches, tmp_path / "taught", batch_size=8, workers=0, **taught)
    assert run.load_config().recipe["teacher"] == str(finished.folder)
    assert run.load_config().data["source"] == str(swatches)
    # The same command again, with the path as text, is the same training.
    resumed = corolla.train(swatches, tmp_path / "taught", resume=True, **taught | {"teacher": str(finished.folder)})
    assert resumed.load_config() == run.load_config()


@pytest.mark.parametrize("stop", [TypeError("no JSON"), OSError(28, "No space left"), KeyboardInterrupt()], ids=repr)
def test_nothing_is_left_where_the_config_cannot_be_written(
    swatches: Path, tmp_path: Path, finished: Run, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise stop

    monkeypatch.setattr("corolla.run.write_json", fail)
    taught = {"teacher": str(finished.folder), "teacher_epochs": 0, "epochs": 1}
    with pytest.raises(type(stop)):
        corolla.train(swatches, tmp_path / "run", **QUICK, **taught)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert left == (["run/teacher.safetensors"] if isinstance(stop, KeyboardInterrupt) else [])  # for --resume
    assert (tmp_path / "run").exists() == bool(left)
