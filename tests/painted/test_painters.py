"""Painting in several processes: in order, whatever happens to a painter, and without a trace afterwards."""

import sys
from pathlib import Path

import pytest

from corolla.painted import painters
from corolla.painted.dataset import jpeg
from corolla.painted.painters import Painter, painted

ASKED = [("rose", number, 32) for number in range(60)]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Painter]:
    """The painters that a test has started."""
    all_of_them: list[Painter] = []

    class Known(Painter):
        def __init__(self) -> None:
            super().__init__()
            all_of_them.append(self)

    monkeypatch.setattr(painters, "Painter", Known)
    return all_of_them


def here(*image: object) -> bytes:
    """Stands for this process, where the painters should do all."""
    raise AssertionError(f"{image} was painted here")


def ended(started: list[Painter]) -> bool:
    """Whether none of them is left."""
    return all(painter.process is not None and painter.process.poll() is not None for painter in started)


def test_painters_paint_in_order_what_this_process_would(started: list[Painter]) -> None:
    files = list(painted(here, ASKED, 2))
    assert files == [jpeg(*image) for image in ASKED]
    assert len(started) == 2
    assert ended(started)


def test_one_process_is_this_one(started: list[Painter]) -> None:
    assert list(painted(jpeg, ASKED[:3], 1)) == [jpeg(*image) for image in ASKED[:3]]
    assert started == []


def test_what_killed_painters_leave_is_painted_here(started: list[Painter]) -> None:
    files = painted(jpeg, ASKED, 2)
    first = [next(files) for _ in range(5)]
    for painter in started:
        assert painter.process is not None
        painter.process.kill()
    assert [*first, *files] == [jpeg(*image) for image in ASKED]


def test_a_painter_ends_with_whoever_asks() -> None:
    """The system closes the pipe of a process that is killed, too."""
    painter = Painter()
    assert painter.paint(ASKED[0]) == jpeg(*ASKED[0])
    assert painter.process is not None
    assert painter.process.stdin is not None
    painter.process.stdin.close()
    assert painter.process.wait(60) == 0
    painter.end()


def test_where_no_process_can_be_started_this_one_paints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert list(painted(jpeg, ASKED[:5], 2)) == [jpeg(*image) for image in ASKED[:5]]


def test_what_cannot_be_painted_is_raised_and_ends_the_painters(started: list[Painter]) -> None:
    with pytest.raises(Exception, match="no painter for 'orchid'"):
        list(painted(jpeg, [*ASKED[:3], ("orchid", 0, 32), *ASKED[3:]], 2))
    assert ended(started)


def test_no_more_is_painted_than_somebody_takes(started: list[Painter]) -> None:
    """Whoever stops asking ends the painters, and they are not far ahead of what was taken."""
    taken: list[tuple[str, int, int]] = []

    def endless(count: int) -> list[tuple[str, int, int]]:
        class Watched(list[tuple[str, int, int]]):
            def __iter__(self):  # type: ignore[no-untyped-def]
                for number in range(count):
                    taken.append(("rose", number, 32))
                    yield taken[-1]

        return Watched()

    files = painted(here, endless(10_000), 2)
    next(files)
    assert len(taken) <= painters.AHEAD * 2 + 1
    files.close()
    assert ended(started)
