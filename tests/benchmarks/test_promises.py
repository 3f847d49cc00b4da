"""The promises: the documents have the figures of `promises.toml`, and what is measured is judged as it says."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import promises
from promise_measures import MEASURES
from promised import ROOT, Promise, read, shown, since

KNOWN = read()
PROMISE = Promise(
    name="speed", claim="so fast", command="run", value=10.0, unit="seconds", holds="at most", tolerance=0.1,
    hardware="2 cores", commit="abc1234", minutes=1.0, seeds=1, spread="none", measure="fake",
)  # fmt: skip


@pytest.mark.parametrize("promise", KNOWN.promises, ids=lambda promise: promise.name)
def test_the_documents_state_the_figures_of_the_file(promise: Promise) -> None:
    for sentence in promise.sentences():
        assert sentence.text in (ROOT / sentence.file).read_text(encoding="utf-8"), sentence.file


@pytest.mark.parametrize("promise", KNOWN.promises, ids=lambda promise: promise.name)
def test_every_promise_says_what_it_was_measured_with(promise: Promise) -> None:
    assert all((promise.claim, promise.command, promise.hardware, promise.spread))
    assert re.fullmatch(r"[0-9a-f]{7,40}", promise.commit)
    assert promise.minutes > 0
    assert promise.seeds >= 1
    assert 0 <= promise.tolerance < 1
    assert promise.measure in MEASURES or not promise.measure
    if "percent" in promise.figures:
        assert shown(promise.value, promise.unit) == f"{promise.figures['percent']}%"


def test_every_row_of_the_first_table_is_a_promise() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| command | minutes | hardware | test accuracy |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if "%" in row]
    assert len(rows) >= 4
    texts = [each.text for promise in KNOWN.promises for each in promise.sentences() if each.file == "README.md"]
    assert [row for row in rows if not any(text in row for text in texts)] == []


def test_what_matters_to_a_long_one_is_there() -> None:
    assert [place for place in KNOWN.depends if not (ROOT / place).exists()] == []
    assert {promise.name for promise in KNOWN.promises if not promise.measure} == {
        "distill", "scratch", "scratch-avx2", "plain", "painted",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("holds", "figures", "kept"),
    [
        ("at most", (0.0, 10.0, 11.0, 11.1, float("nan")), (True, True, True, False, False)),
        ("at least", (20.0, 10.0, 9.0, 8.9, float("nan")), (True, True, True, False, False)),
        ("about", (9.0, 10.0, 11.0, 8.9, 11.1, float("nan")), (True, True, True, False, False, False)),
    ],
)
def test_a_promise_is_kept_within_its_tolerance(holds: str, figures: tuple[float, ...], kept: tuple[bool, ...]) -> None:
    assert tuple(replace(PROMISE, holds=holds).kept(figure) for figure in figures) == kept


def test_the_table_has_each_claim_beside_its_figure_and_one_broken_is_enough() -> None:
    told: list[str] = []
    others = (PROMISE, replace(PROMISE, claim="so slow", measure="slow"), replace(PROMISE, name="long", measure=""))
    measures = {"fake": lambda scene: scene + 1.0, "slow": lambda scene: scene + 90.0}
    assert promises.check(others[:1], measures, 2.0, told.append) is True
    assert told[-1] == "| so fast | at most 10.00 seconds (± 10.0% of it) | 3.00 seconds | yes | 0 |"
    assert promises.check(others, measures, 2.0, told.append) is False
    assert [line.split(" | ")[3] for line in told[-2:]] == ["yes", "**no**"]


def test_a_promise_about_other_processors_is_measured_and_not_judged() -> None:
    told: list[str] = []
    slow = replace(PROMISE, needs=("AMX", "AVX512-BF16"))
    for units, kept, word in (((), True, "for AMX or AVX512-BF16"), (("AVX2", "AMX"), False, "**no**")):
        assert promises.check((slow,), {"fake": lambda scene: 90.0}, None, told.append, units) is kept
        assert told[-1].split(" | ")[2:4] == ["90.00 seconds", word]
    assert {unit for promise in KNOWN.promises for unit in promise.needs} <= set(promises.UNITS.values())


def test_what_cannot_be_measured_is_not_kept_and_does_not_stop_the_others() -> None:
    def broken(scene: object) -> float:
        raise RuntimeError("no\nroom")

    told: list[str] = []
    both = (replace(PROMISE, measure="broken"), PROMISE)
    assert promises.check(both, {"broken": broken, "fake": lambda scene: 1.0}, None, told.append) is False
    assert "failed: no room" in told[-2]
    assert "| yes |" in told[-1]


def test_the_age_of_a_figure_is_told() -> None:
    says = {"rev-parse": "abc", "rev-list": "7", "diff": "a.py\nb.py\nc.py\nd.py"}
    told = since(PROMISE, ["src"], lambda *words: says[words[0]])
    assert told == "measured at abc1234, 7 commits ago; 4 relevant files changed since: a.py, b.py, c.py, …"
    says["diff"] = ""
    assert since(PROMISE, ["src"], lambda *words: says[words[0]]).endswith("no relevant file changed since")
    says["rev-parse"] = ""
    assert "does not know" in since(PROMISE, ["src"], lambda *words: says[words[0]])


def test_the_machine_is_told_by_its_units(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: A Processor\nflags\t\t: fpu avx2 avx512f amx_tile\n")
    assert promises.machine(file).endswith("of A Processor with AMX, AVX512, AVX2")
    assert "units unknown" in promises.machine(tmp_path / "none")


def test_a_busy_machine_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for load, warned in ((0.0, False), (1000.0, True)):
        monkeypatch.setattr("os.getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        assert any(line.startswith("WARNING") for line in promises.surroundings()) is warned


def test_the_command_lists_measures_some_and_ends_with_what_it_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert promises.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(KNOWN.promises)
    for seconds, status in ((0.1, 0), (9.0, 1)):
        monkeypatch.setitem(MEASURES, "help_times", lambda scene, seconds=seconds: seconds)
        assert promises.main(["--only", "help", "scratch"]) == status
    out = capsys.readouterr().out
    assert "| **no** |" in out
    assert "`--minutes 30` on `flower_photos`, from random weights: 87.4%; measured at d8d5c08" in out
    with pytest.raises(SystemExit, match="2"):
        promises.main(["--only", "holp"])
    assert "no promise is called holp" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('holds = "at most"', 'holds = "at most ever"'), "holds 'at most ever'"),
        (('unit = "minutes"\n', ""), "is not whole"),
        (('unit = "minutes"', 'units = "minutes"'), "has units"),
        (('name = "demo-accuracy"', 'name = "demo-minutes"'), "the same name"),
    ],
)
def test_a_file_with_a_slip_is_refused(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    from promised import FILE

    file = tmp_path / "promises.toml"
    file.write_text(FILE.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read(file)


def test_a_command_that_fails_is_an_error_with_its_last_words() -> None:
    from promise_measures import run

    with pytest.raises(RuntimeError, match="no such command"):
        run(["trian"])


def test_git_says_nothing_rather_than_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from promised import git

    assert git("rev-parse", "--verify", "--quiet", "no such thing") == ""

    def gone(*given: object, **named: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", gone)
    assert git("status") == ""
