"""Images of different requests go through the model together, nothing gets lost, and too many are refused at once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corolla.errors import CorollaError
from corolla.server.limits import Limits
from corolla.server.model import Served


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_images_of_many_requests_share_batches_and_keep_their_answers(
    flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes]
) -> None:
    expected = {label: flowers.predictor.predict(image) for label, image in painted.items()}
    wanted = list(painted) * 4
    with (
        serving(replace(flowers, predictor=watched), Limits(batch=8, workers=1, linger=600)) as server,
        ThreadPoolExecutor(21) as pool,
    ):
        watched.gate.clear()
        first = pool.submit(server.post, painted["daisy"])
        assert watched.reached.wait(20)
        asked = [pool.submit(server.post, painted[label]) for label in wanted]
        until(lambda: server.figure("corolla_held_images") == 21)
        watched.gate.set()
        answers = [future.result().json()["predictions"][0] for future in asked]
        assert first.result().json()["predictions"][0]["label"] == "daisy"
        assert server.figure("corolla_batch_images_count") == len(watched.batches)
        assert server.figure("corolla_held_images") == 0
    assert watched.batches[0] == 1
    assert sum(watched.batches) == 21
    assert max(watched.batches) == 8
    assert len(watched.batches) <= 5
    for label, answer in zip(wanted, answers, strict=True):
        assert answer["label"] == label
        assert answer["probability"] == pytest.approx(expected[label].probability, abs=0.02)


def test_a_single_image_is_not_held_up(flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes]) -> None:
    """However long batches may wait for others, here longer than anybody asks, there are none on their way."""
    with serving(replace(flowers, predictor=watched), Limits(linger=600)) as server:
        assert server.post(painted["tulips"]).json()["predictions"][0]["label"] == "tulips"
        assert server.post(b"text").status_code == 422
    assert watched.batches == [1]


def test_two_workers_compute_at_once(flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes]) -> None:
    limits = Limits(batch=1, workers=2)
    with serving(replace(flowers, predictor=watched), limits) as server, ThreadPoolExecutor(3) as pool:
        watched.gate.clear()
        asked = [pool.submit(server.post, painted[label]) for label in ("daisy", "roses", "tulips")]
        until(lambda: len(watched.batches) == 2)
        watched.gate.set()
        labels = [future.result().json()["predictions"][0]["label"] for future in asked]
    assert labels == ["daisy", "roses", "tulips"]


def test_a_full_queue_is_told_at_once_with_when_to_come_back(
    flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes]
) -> None:
    with (
        serving(replace(flowers, predictor=watched), Limits(queue=3, workers=1)) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        watched.gate.clear()
        held = pool.submit(server.post, painted["daisy"], painted["roses"])
        until(lambda: server.figure("corolla_held_images") == 2)
        refused = server.post(painted["tulips"], painted["tulips"])
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "busy" in refused.json()["error"]
        third = pool.submit(server.post, painted["tulips"])  # there is room for one
        until(lambda: server.figure("corolla_held_images") == 3)
        assert server.post(painted["tulips"]).status_code == 429
        assert server.get("/readyz").status_code == 200
        watched.gate.set()
        assert len(held.result().json()["predictions"]) == 2
        assert third.result().json()["predictions"][0]["label"] == "tulips"
        assert server.post(painted["daisy"]).status_code == 200


def test_an_answer_that_takes_too_long_is_504_and_leaves_room_for_others(
    flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes]
) -> None:
    limits = Limits(answer=0.4, queue=1, workers=1)
    with serving(replace(flowers, predictor=watched), limits) as server:
        watched.gate.clear()
        late = server.post(painted["daisy"])
        assert late.status_code == 504
        assert "0.4 s" in late.json()["error"]
        assert server.figure("corolla_held_images") == 0
        watched.gate.set()
        until(lambda: server.post(painted["tulips"]).status_code == 200)


def test_a_model_that_fails_fails_those_who_asked_and_nobody_after(
    flowers: Served, watched: Any, serving: Any, painted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason goes into the log, without its text."""

    def broken(pixels: Any) -> list[Any]:
        raise CorollaError("secret weights are damaged")

    with serving(replace(flowers, predictor=watched)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(watched, "infer", broken)
            failed = server.post(painted["daisy"])
        assert failed.status_code == 500
        assert "secret" not in failed.text
        assert server.post(painted["daisy"]).json()["predictions"][0]["label"] == "daisy"
        [fault] = [line for line in server.log if line["event"] == "fault"]
        server.log.remove(fault)
    assert fault["kind"] == "CorollaError"
    assert failed.headers["x-request-id"] == fault["id"]
    assert "secret" not in str(fault)


def test_the_answer_does_not_depend_on_who_shares_the_batch(flowers: Served, painted: dict[str, bytes]) -> None:
    """What makes batching of strangers' images right at all."""
    pixels = [flowers.predictor.read(image) for image in painted.values()]
    together = flowers.predictor.infer(np.stack(pixels * 3))[: len(pixels)]
    for alone, shared in zip(pixels, together, strict=True):
        [output] = flowers.predictor.infer(np.stack([alone]))
        assert np.abs(output.probabilities - shared.probabilities).max() < 0.02
