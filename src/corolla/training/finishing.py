"""The end of a training: calibrate the saved weights, evaluate them once, and write the report."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from corolla.atomic import write_json
from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.evaluation.calibrating import calibrate, can_calibrate
from corolla.evaluation.evaluate import evaluate_split
from corolla.evaluation.metrics import Evaluation
from corolla.progress import Progress
from corolla.report.card import write_card
from corolla.report.curves import draw_curves, learned
from corolla.report.page import write_report
from corolla.run import Run
from corolla.training import clock
from corolla.training.runtime import Runtime
from corolla.training.warnings import Outcome, say_after, say_unlike


def finish(
    run: Run,
    manifest: Manifest,
    machine: Runtime,
    progress: Progress,
    watch: clock.Stopwatch,
    since: float | None = None,
) -> None:
    """Calibrate the saved weights, evaluate them once on the test split, and write curves, report and model card.

    `since` is the start of a training that has just ended (`clock.now`): its total time is saved with the run.
    With several processes, the main one calibrates and writes, and each predicts its part of the test split.
    """
    processes, device = machine.processes, str(machine.accelerator().device)
    processes.barrier()  # until the weights are written
    evaluation, classifier = None, Classifier.load(run.folder, device, calibrated=False)
    if processes.main:
        for leftover in (run.checkpoint, run.teacher):  # several times the size of the weights, and no longer used
            leftover.unlink(missing_ok=True)
        if learned(run.history()):
            draw_curves(run.history(), run.curves)
    if can_calibrate(manifest):
        most = run.load_config().training.get("calibration_passes")
        classifier.calibration = processes.from_main(lambda: calibrate(classifier, manifest, progress.stage, most))
        if processes.main:
            classifier.calibration.save(run.calibration)
    else:
        progress.note("too few validation images to calibrate the model, so its probabilities are not calibrated")
    watch.lap("calibration")
    if manifest.split("test"):
        evaluation = evaluate_split(classifier, manifest, "test", progress.stage)
    watch.lap("evaluation")
    if not processes.main:
        return
    if evaluation:
        low, high = evaluation.interval
        write_json(run.evaluation_file, evaluation.to_json())
        accuracy, lowest, highest = (f"{share:.{evaluation.decimals}%}" for share in (evaluation.accuracy, low, high))
        progress.note(f"test accuracy {accuracy} ({lowest} to {highest}, {evaluation.sample})")
    if since is not None:
        conclude(run, manifest, evaluation, progress, watch, since)
    progress.stage("writing the report", 0, 2)
    write_report(run, evaluation, manifest, classifier=classifier)
    progress.stage("writing the report", 1, 2)
    write_card(run, evaluation)
    progress.stage("writing the report", 2, 2)
    watch.lap("report")
    if since is not None:
        phases = ", ".join(f"{phase} {seconds:.0f}" for phase, seconds in watch.seconds.items() if seconds >= 0.5)
        progress.note(f"{clock.now() - since:.0f} s in total: {phases}")
    progress.note(f"the run is in {run.folder}; its report is {run.report}")


def conclude(
    run: Run,
    manifest: Manifest,
    evaluation: Evaluation | None,
    progress: Progress,
    watch: clock.Stopwatch,
    since: float,
) -> None:
    """Save the training's time and verdict, and print a warning if it did not work."""
    config = run.load_config()
    training: dict[str, Any] = dict(config.training)
    found = [verdict(training, config.recipe, manifest, evaluation)]
    if evaluation:
        found.append(unlike(training, config.data.get("drawn", ()), manifest, evaluation))
    said = [sentence for sentence in found if sentence]
    training |= {
        "minutes": (clock.now() - since) / 60,
        "phases": {phase: round(seconds, 1) for phase, seconds in watch.seconds.items()},
        "verdict": ". ".join(f"{sentence[0].upper()}{sentence[1:]}" for sentence in said) or None,
    }
    run.save_config(replace(config, training=training))
    for sentence in said:
        progress.note(f"WARNING: {sentence}")


def verdict(
    training: dict[str, Any], recipe: dict[str, Any], manifest: Manifest, evaluation: Evaluation | None
) -> str | None:
    """What is wrong with the result, on the test split or else on validation; None if nothing is."""
    split, teacher = "test" if evaluation else "validation", training.get("teacher", {})
    labels = evaluation.labels if evaluation else np.array(manifest.labels("val"))
    if not len(labels):
        return None
    accuracy = evaluation.accuracy if evaluation else training["best_val_accuracy"]
    outcome = Outcome(
        right=round(accuracy * len(labels)),
        of=len(labels),
        commonest=float(np.bincount(labels).max() / len(labels)),
        split=split,
    )
    reference = teacher.get("test_accuracy" if evaluation else "val_accuracy", teacher.get("val_accuracy"))
    return say_after(
        outcome,
        minutes=training.get("asked", {}).get("minutes"),
        pretrained=bool(recipe.get("weights")),
        reference=reference,
    )


def unlike(training: dict[str, Any], drawn: Collection[str], manifest: Manifest, evaluation: Evaluation) -> str | None:
    """A warning if the accuracies on validation and test differ; `drawn` are the splits that corolla made."""
    labels = np.array(manifest.labels("val"))
    if not len(labels) or training.get("best_val_accuracy") is None:
        return None
    validation, test = (
        Outcome(round(share * len(those)), len(those), float(np.bincount(those).max() / len(those)), split)
        for share, those, split in (
            (training["best_val_accuracy"], labels, "validation"),
            (evaluation.accuracy, evaluation.labels, "test"),
        )
    )
    return say_unlike(validation, test, "val" in drawn and "test" not in drawn)
