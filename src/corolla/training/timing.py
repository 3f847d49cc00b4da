"""A few real training steps and predictions on the user's own images, timed, for the time budget."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from corolla.classifier import Classifier
from corolla.data.manifest import Manifest
from corolla.progress import Progress
from corolla.training import clock
from corolla.training.recipe import Recipe
from corolla.training.runtime import Runtime
from corolla.training.teachers.teacher import Teacher
from corolla.training.trainer import Trainer
from corolla.weights import Weights

IMAGES = 256  # decoded for a trial, at most
PREDICTED = 32  # images, in one batch
WARM, TIMED = 2, 12  # steps
SHARE = 0.01  # of the minutes, per image size
SHORTEST = 1.0  # seconds, per image size


class Trial:
    """Measured seconds per image in training and prediction: a `corolla.training.budget.Timer`."""

    def __init__(
        self,
        manifest: Manifest,
        machine: Runtime,
        progress: Progress,
        minutes: float,
        teacher: Teacher | None,
        weights: Weights | None,
    ) -> None:
        training = manifest.split("train")
        stride = max(len(training) // IMAGES, 1)
        # Every class is included, because the size of the head belongs to the timed model.
        first = {example.label: example for example in reversed(training)}
        few = {example.path: example for example in (*first.values(), *training[::stride])}
        # A stream is read as in the training, because it is decoded again in every epoch.
        self.manifest = manifest if manifest.stream else manifest.with_examples(tuple(few.values()))
        self.predicted = [manifest.locate(e) for e in (manifest.split("val") or training)[:PREDICTED]]
        self.machine, self.progress, self.teacher, self.weights = machine, progress, teacher, weights
        self.limit = max(minutes * 60 * SHARE, SHORTEST)
        self.trainers: dict[str, Trainer] = {}
        self.steps: dict[tuple[str, int], float] = {}

    def trainer(self, recipe: Recipe) -> tuple[str, Trainer]:
        """A trainer for the recipe's layers, and a key for them; augmentation hardly changes their speed."""
        # vit_micro_conv16_96 and _160 are equally fast at the same image size
        layers = f"{recipe.model.rpartition('_')[0]} by {recipe.batch_size}"
        if layers not in self.trainers:
            small = replace(recipe, epochs=1, last_epoch=1.0, progressive_resizing=((0.0, 1.0),))
            self.trainers[layers] = Trainer(
                self.manifest,
                small,
                seed=0,
                machine=self.machine,
                progress=Progress(),
                teacher=self.teacher,
                weights=self.weights,
            )
        return layers, self.trainers[layers]

    def step(self, recipe: Recipe, pixels: int) -> float:
        """Seconds per training image of `pixels`, augmentation and optimizer included."""
        layers, trainer = self.trainer(recipe)
        if (layers, pixels) not in self.steps:
            self.steps[layers, pixels] = self.timed_steps(trainer, pixels)
        return self.steps[layers, pixels]

    def timed_steps(self, trainer: Trainer, pixels: int) -> float:
        """Seconds per image, the mean of a few steps."""
        trainer.model.train()
        processes, epoch = trainer.processes, 0
        times: list[float] = []
        begun = last = clock.now()
        while len(times) < WARM + TIMED and (
            len(times) <= WARM or processes.broadcast_object(clock.now() - begun < self.limit)
        ):
            epoch += 1
            batches = trainer.feed.batches(epoch, pixels)
            for number in range(len(trainer.feed)):
                images, labels = next(batches)
                if number == 0:
                    trainer.objective.place(len(labels))
                if number + 1 == len(trainer.feed):
                    trainer.feed.prepare(epoch + 1, pixels)
                trainer.step(images, labels, epoch, number)
                now = clock.now()
                times.append(now - last)
                last = now
                self.progress.stage("measuring this machine", min(len(times), WARM + TIMED), WARM + TIMED)
                if len(times) >= WARM + TIMED:
                    break
        steady = times[WARM:] or times
        # Not the median: a training also has slow steps, and steps that wait for images.
        return processes.broadcast_object(sum(steady) / len(steady) / trainer.feed.batch_size)

    def prediction(self, recipe: Recipe) -> tuple[float, float]:
        """Seconds to read an image from its file, and to predict its class, as at the end of the training."""
        _, trainer = self.trainer(recipe)
        size = (recipe.image_size, recipe.image_size)
        classifier = Classifier(
            trainer.average.whole(), replace(trainer.preprocessing, image_size=size), self.manifest.classes,
            flip=recipe.hflip_tta, device=str(trainer.accelerator.device),
        )  # fmt: skip
        begun = clock.now()
        with ThreadPoolExecutor(4) as pool:
            pixels = np.stack(list(pool.map(classifier.pixels, self.predicted)))
        read = clock.now()
        classifier.infer(pixels)  # warm-up: the first call is slower
        warm = clock.now()
        classifier.infer(pixels)
        reading, predicting = (read - begun) / len(pixels), (clock.now() - warm) / len(pixels)
        return trainer.processes.broadcast_object((reading, predicting))
