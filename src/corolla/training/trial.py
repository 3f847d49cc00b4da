"""A few real steps on the user's own pictures, timed, for the minutes dial."""

import time
from dataclasses import replace

from corolla.data.manifest import Manifest
from corolla.progress import Progress
from corolla.training.machine import Machine
from corolla.training.recipe import Recipe
from corolla.training.teachers.teacher import Teacher
from corolla.training.trainer import Trainer
from corolla.weights import Weights

PICTURES = 512  # at most, decoded for a trial
WARM, TIMED = 2, 12  # steps

Case = tuple[str, str, float]  # layers, policy, mixing: what takes the same time at the same pixels


class StepTimer:
    """Called with a recipe and a picture size, answers seconds a picture takes in training here."""

    def __init__(
        self,
        manifest: Manifest,
        machine: Machine,
        progress: Progress,
        limit: float,
        teacher: Teacher | None,
        weights: Weights | None,
    ) -> None:
        training = manifest.split("train")
        stride = max(len(training) // PICTURES, 1)
        # Every class stays in: the head's size belongs to the model that is timed.
        first = {example.label: example for example in reversed(training)}
        few = {example.path: example for example in (*first.values(), *training[::stride])}
        # A stream is read as the training will read it, for it decodes again in every epoch.
        self.manifest = manifest if manifest.stream else manifest.with_examples(tuple(few.values()))
        self.machine, self.progress, self.teacher, self.weights = machine, progress, teacher, weights
        self.limit = max(limit, 2.0)  # seconds for one size
        self.trainers: dict[Case, Trainer] = {}
        self.known: dict[tuple[Case, int], float] = {}

    def __call__(self, recipe: Recipe, pixels: int) -> float:
        """Seconds a picture of `pixels` takes, views and optimiser included."""
        layers = recipe.model.rpartition("_")[0]  # vit_micro_conv16_96 and _160 are as fast at the same pixels
        case = layers, recipe.policy, recipe.mixing
        if case not in self.trainers:
            small = replace(recipe, epochs=1, growth=((0.0, 1.0),))
            self.trainers[case] = Trainer(
                self.manifest,
                small,
                seed=0,
                machine=self.machine,
                progress=Progress(),
                teacher=self.teacher,
                weights=self.weights,
            )
        if (case, pixels) not in self.known:
            self.known[case, pixels] = self.measured(self.trainers[case], pixels)
        return self.known[case, pixels]

    def measured(self, trainer: Trainer, pixels: int) -> float:
        """Seconds a picture, the mean of a few steps."""
        trainer.model.train()
        processes, epoch = trainer.processes, 0
        times: list[float] = []
        begun = last = time.monotonic()
        while len(times) < WARM + TIMED and (
            len(times) <= WARM or processes.agree(time.monotonic() - begun < self.limit)
        ):
            epoch += 1
            for number, (images, labels) in enumerate(trainer.feed.batches(epoch, pixels)):
                if number == 0:
                    trainer.objective.place(len(labels))
                trainer.step(images, labels, epoch, number)
                times.append(time.monotonic() - last)
                last = time.monotonic()
                self.progress.stage("measuring this machine", min(len(times), WARM + TIMED), WARM + TIMED)
                if len(times) >= WARM + TIMED:
                    break
        steady = times[WARM:] or times
        # Not the median: a training's minutes hold its slow steps too, and those that wait for pictures.
        return processes.agree(sum(steady) / len(steady) / trainer.feed.batch_size)
