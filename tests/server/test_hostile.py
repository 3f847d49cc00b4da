"""What nobody should send: some hundred broken images and requests, each with its reason; the server stays right."""

from typing import Any

import pytest

from corolla.server.limits import Limits
from corolla.server.model import Served
from hostile import IMAGES, REQUESTS, attack, attacks


def test_a_hundredfold_attack_gets_reasons_and_leaves_the_server_right(flowers: Served, serving: Any) -> None:
    with serving(flowers, hosts=["localhost"]) as server:
        outcome = attack(server.address, 400, seed=7)
        server.log[:] = [line for line in server.log if line["event"] != "uvicorn"]  # what was no HTTP
    assert outcome.wrong == []
    assert {*outcome.refused} == {*IMAGES, *REQUESTS}
    assert outcome.refused.total() > 350


def test_an_attack_is_drawn_by_its_seed() -> None:
    assert [*attacks(30, 1)] == [*attacks(30, 1)] != [*attacks(30, 2)]


def test_the_referee_sees_a_wrong_answer(flowers: Served, serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers everything 200 does not pass."""
    monkeypatch.setattr("hostile.exchange", lambda address, sent: (200, b'{"predictions": [{"label": "roses"}]}'))
    outcome = attack("http://nowhere", 20, seed=0)
    assert len(outcome.wrong) > 10
    assert any("the response for a tulip was" in line for line in outcome.wrong)


def test_pixels_that_a_bomb_would_take_are_never_taken(flowers: Served, serving: Any) -> None:
    """However many come at once."""
    from concurrent.futures import ThreadPoolExecutor

    import psutil

    from hostile import png

    bombs = [png(12_000, 12_000, bytes(10_000))] * 8
    process = psutil.Process()
    with serving(flowers, Limits()) as server, ThreadPoolExecutor(8) as pool:
        before = process.memory_info().rss
        answers = [*pool.map(server.post, bombs)]
        after = process.memory_info().rss
    assert [answer.status_code for answer in answers] == [422] * 8
    assert after - before < 100e6  # one of them would be 432 MB
