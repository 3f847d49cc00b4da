"""A training under a fake clock: whether it ends when it should, on a machine that stays as it is or does not."""

from collections.abc import Callable

import pytest

from corolla.training import clock
from corolla.training.budget import REPORT, Amounts, Plan, plan, validates
from corolla.training.recipe import Preset, Recipe
from corolla.training.recipes import scratch
from corolla.training.replanning import TimeBudget
from corolla.training.schedule import Pace

READING, PREDICTING = 0.002, 0.004  # seconds an image, on the simulated machine


class FakeTimer:
    """Seconds pass when something is computed on it; `slowness` says how much more of them at which moment."""

    def __init__(self, slowness: Callable[[float], float], step: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slowness, self.each = 0.0, slowness, step
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def work(self, seconds: float) -> None:
        self.now += seconds * self.slowness(self.now)

    def step(self, recipe: Recipe, pixels: int) -> float:
        before = self.now
        self.work(5 * 64 * self.seconds(pixels))
        return (self.now - before) / (5 * 64)

    def seconds(self, pixels: int) -> float:
        return self.each * (pixels / 64) ** 2

    def prediction(self, recipe: Recipe) -> tuple[float, float]:
        slow = self.slowness(self.now)
        return READING * slow, PREDICTING * slow


def trained(machine: FakeTimer, minutes: float, amounts: Amounts, reading: float = 5.0) -> tuple[Plan, Pace]:
    """Read, plan, train, validate, calibrate, evaluate and report, as `corolla.train` does; all by the clock."""
    machine.work(reading)
    presets = scratch.PRESETS[:3]
    settled = plan(minutes, scratch.RECIPE, presets, lambda _: amounts, lambda _: 300, machine, lambda _: 16, 0.0)
    recipe, an_epoch = settled.recipe, amounts.train // amounts.batch
    budget = TimeBudget(minutes * 60, minutes * 60, settled, amounts.train)
    pace, batch, validated = Pace(recipe.length), 0, 0.0
    machine.work(amounts.validation * READING)
    while batch < pace.batches(an_epoch):
        size, before = recipe.image_size_at(pace.at(batch // an_epoch), 16), machine.now
        machine.work(amounts.batch * machine.seconds(size))
        budget.saw(size, amounts.batch, machine.now - before)
        batch += 1
        if budget.due(machine.now) and (more := budget.epochs_left(pace, batch / an_epoch)) is not None:
            pace = pace.replanned(batch / an_epoch, batch / an_epoch + more)
        ended, progress = batch >= pace.batches(an_epoch), pace.at(batch / an_epoch)
        if ended or (batch % an_epoch == 0 and validates(progress, validated, recipe.validations)):
            validated, before = progress, machine.now
            machine.work(amounts.validation * PREDICTING)
            budget.validated(machine.now - before)
    machine.work((settled.calibration + amounts.test) * (READING + PREDICTING) + REPORT)
    return settled, pace


SETS = {
    "flower_photos": Amounts(2496, 64, 559, test=553, calibration=1400, least_calibration=700),
    "202 images of 2 classes": Amounts(128, 64, 30, test=30, calibration=300, least_calibration=150),
    "1,020 of 102 classes": Amounts(960, 64, 1020, test=1000, calibration=2000, least_calibration=800),
    "10,000 small ones": Amounts(6976, 64, 1500, test=1500, calibration=2300, least_calibration=900),
}
KINDS = pytest.mark.parametrize("amounts", SETS.values(), ids=SETS)


@KINDS
@pytest.mark.parametrize("minutes", [3, 10, 30])
def test_a_quiet_machine_ends_within_five_percent_and_is_never_planned_again(
    minutes: float, amounts: Amounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = FakeTimer(lambda now: 1.0, 0.003, monkeypatch)
    settled, pace = trained(machine, minutes, amounts)
    if settled.recipe.length < 300:  # the most that a small set gets
        assert machine.now == pytest.approx(minutes * 60, rel=0.05)
    assert machine.now <= minutes * 60 * 1.02
    assert pace == Pace(settled.recipe.length)


@KINDS
@pytest.mark.parametrize("minutes", [3, 10, 30])
@pytest.mark.parametrize("slower", [1.3, 1.6, 2.0])
def test_a_machine_that_loses_a_core_half_way_ends_within_fifteen_percent(
    slower: float, minutes: float, amounts: Amounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = FakeTimer(lambda now: slower if now > minutes * 30 else 1.0, 0.003, monkeypatch)
    settled, pace = trained(machine, minutes, amounts)
    assert machine.now <= minutes * 60 * 1.15
    if settled.recipe.length < 300:
        assert machine.now >= minutes * 60 * 0.85
        assert pace.epochs < settled.recipe.length


@KINDS
def test_a_machine_that_becomes_faster_trains_for_longer(amounts: Amounts, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = FakeTimer(lambda now: 1.0 if now > 300 else 2.0, 0.003, monkeypatch)
    settled, pace = trained(machine, 10, amounts)
    if settled.recipe.length < 250:
        assert pace.epochs > settled.recipe.length
        assert machine.now == pytest.approx(600, rel=0.1)


def test_one_slow_step_is_no_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = FakeTimer(lambda now: 1.0, 0.003, monkeypatch)
    amounts = SETS["flower_photos"]
    settled = plan(
        10, scratch.RECIPE, scratch.PRESETS[:1], lambda _: amounts, lambda _: 300, machine, lambda _: 16, 0.0
    )
    budget = TimeBudget(600, 600, settled, amounts.train)
    for seconds in (0.2, 0.2, 20.0, 0.2):  # one of them compiles its code
        budget.saw(64, 64, seconds)
    assert budget.slowness() == pytest.approx(0.2 / (64 * 0.003))
    for _ in range(10):  # but a machine that stays slow is one
        budget.saw(64, 64, 2.0)
    assert budget.slowness() > 5


def test_progress_goes_on_where_it_was_and_ends_at_the_new_end() -> None:
    pace = Pace(10.0)
    assert [pace.at(done) for done in (0, 5, 10, 11)] == [0, 0.5, 1, 1]
    again = pace.replanned(5, 7.5)
    assert [again.at(done) for done in (5, 6.25, 7.5)] == [0.5, 0.75, 1]
    assert again.batches(4) == 30
    assert pace.replanned(5, 5).at(5) == 1  # no time is left


def test_sizes_not_trained_on_yet_are_expected_to_be_slower_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as slow at 64 px from the start: half as many epochs, the later, larger ones counted as well."""
    machine = FakeTimer(lambda now: 1.0, 0.003, monkeypatch)
    amounts = SETS["flower_photos"]
    preset = Preset("vit_micro_conv16_128", 128, ((0.0, 0.5), (0.5, 1.0)), 0)
    settled = plan(10, scratch.RECIPE, (preset,), lambda _: amounts, lambda _: 300, machine, lambda _: 16, 0.0)
    budget = TimeBudget(600, 600, settled, amounts.train)
    for _ in range(39):
        machine.now += 2 * 64 * 0.003
        budget.saw(64, 64, 2 * 64 * 0.003)
    more = budget.epochs_left(Pace(settled.recipe.length), 1.0)
    assert more == pytest.approx((settled.recipe.length - 1) / 2, rel=0.15)
