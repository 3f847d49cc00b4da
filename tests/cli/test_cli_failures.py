"""Every failure a user can cause is one line and status 2; ours keep their traceback."""

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from corolla.cli.failures import Interrupted, tell
from corolla.errors import CorollaError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "train"),
        (["train"], "DATA"),
        (["audit"], "DATA"),
        (["train", "x", "--out", "y", "--epoch", "3"], "--epochs"),
        (["train", "x", "--out", "y", "--epochs", "three"], "--epochs"),
        (["train", "x", "--out", "y", "--minutes", "-3"], "--minutes"),
        (["train", "x", "--out", "y", "--optimizer", "sgd"], "muon"),
        (["evaluate", "run", "--split", "tset"], "test"),
        (["predict", "run"], "PATH"),
        (["predict", "run", "x.jpg", "--top", "0"], "--top"),
        (["summary", "vit_tiny_patch16_224", "--classes", "0"], "--classes"),
        (["data", "fetch", "roses"], "flowers"),
        (["data", "paint", "x"], "--count"),
    ],
    ids=" ".join,
)
def test_a_wrong_word_is_told_in_one_line_with_the_help_to_read(words: list[str], said: str, corolla: Callable) -> None:
    line = corolla(*words).line
    assert said in line
    assert "--help" in line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CorollaError("no such\nrun"), "corolla: no such run"),
        (CorollaError("a \x1b[31mred\x1b[0m name"), r"corolla: a \x1b[31mred\x1b[0m name"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), "corolla: runs/x: permission denied; choose"),
        (OSError(errno.ENOSPC, "No space left on device"), "corolla: no space left on device; make room"),
        (
            RuntimeError("I/O error: No space left on device (os error 28)"),
            "corolla: no space left on device; make room",
        ),
        (MemoryError(), "corolla: the memory is full; use a smaller"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "corolla: the memory is full"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."), "corolla: a process that prepares"),
    ],
)
def test_what_can_be_mended_is_one_line(error: Exception, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(error) == 2
    assert capsys.readouterr().err.startswith(said)


def test_torch_out_of_memory_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    assert tell(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")) == 2
    assert "a smaller batch" in capsys.readouterr().err


@pytest.mark.parametrize("error", [Interrupted("stopped; resume with …"), KeyboardInterrupt()])
def test_ctrl_c_ends_with_130(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell(error) == 130
    assert capsys.readouterr().err.startswith("corolla: stopped")


def test_our_own_faults_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        tell(ZeroDivisionError())


def test_a_reader_that_goes_away_is_no_failure(
    trained: Path, images: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    with start("predict", trained, images, "--quiet") as process:
        process.stdout.close()  # type: ignore[union-attr]
        assert process.stderr.read() == b""  # type: ignore[union-attr]
    assert process.returncode == 141


def test_a_full_disk_is_one_line(images: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # bytes a file may have

    words = ["--epochs", "1", "--model", "vit_pico_patch8_16", "--workers", "0", "--device", "cpu", "--quiet"]
    with start("train", images, "--out", tmp_path / "run", *words, preexec_fn=limit) as process:
        said = process.stderr.read()  # type: ignore[union-attr]
    assert process.returncode == 2
    assert said == f"corolla: {tmp_path / 'run' / 'model.safetensors'}: file too large\n".encode()
    assert not (tmp_path / "run" / "model.safetensors").exists()
