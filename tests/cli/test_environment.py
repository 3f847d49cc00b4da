"""Commands in surroundings as bare as a container's: they work without a warning, or end in one line."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corolla.cli import environment as surroundings
from corolla.cli.failures import tell

STRANGER = 54_321  # a user's number that is in no list
posix = pytest.mark.skipif(os.name != "posix", reason="closed streams, /dev/full and users by number are POSIX's")


LIBRARY: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


def become_a_stranger() -> None:
    """In a child of root's: another user, who may still read everything, such as a Python that lies in root's home.

    In a child of anybody else's: whoever runs the tests.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return
    LIBRARY.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    reading = 1 << 2  # CAP_DAC_READ_SEARCH
    LIBRARY.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(reading, reading, reading, 0, 0, 0))
    LIBRARY.prctl(47, 2, 2, 0, 0)  # PR_CAP_AMBIENT_RAISE, so that it stays over exec


def corolla(*words: object, said: dict[str, str] | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
    """A real process that has these variables and no others, whoever it is."""
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"} | (said or {})
    if os.name == "nt":
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]  # without which Python does not start there
    command = [sys.executable, "-m", "corolla", *map(str, words)]
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, env=environment, text=True, encoding="utf-8", timeout=300, check=False, **settings)


@pytest.fixture(scope="module")
def everyones(trained: Path, images: Path) -> Iterator[Path]:
    """A folder that anybody may write to, with a run and an image; the tests' own ones are for their user alone."""
    folder = Path(tempfile.mkdtemp(prefix="bare-"))
    shutil.copytree(trained, folder / "run")
    shutil.copy(sorted(images.rglob("*.png"))[0], folder / "image.png")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@posix
@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_a_stranger_without_a_home_is_answered_and_gets_a_report(everyones: Path, home: str | None) -> None:
    """Neither Matplotlib nor anything else complains of having no place for its cache."""
    temporary = everyones / f"tmp {home is None}"
    temporary.mkdir()
    temporary.chmod(0o777)
    said = {"TMPDIR": str(temporary)} | ({"HOME": home} if home else {})
    run = everyones / "run"
    (run / "report.html").unlink()
    done = corolla("evaluate", run, "--quiet", said=said, preexec_fn=become_a_stranger, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert (run / "report.html").is_file()
    if os.geteuid() == 0 or home:
        assert [path.name.partition("-")[0] for path in temporary.iterdir()] == ["corolla"]  # nothing but our own


@posix
def test_a_stranger_may_read_a_run_and_write_nowhere(everyones: Path) -> None:
    """Nor is there a folder for temporary files."""
    code = (
        "import sys, tempfile; tempfile._candidate_tempdir_list = lambda: ['/nonexistent']; "
        "sys.argv[0] = 'corolla'; from corolla.__main__ import run; run()"
    )
    words = ["predict", str(everyones / "run"), str(everyones / "image.png"), "--quiet"]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, encoding="utf-8",
        timeout=300, check=False, preexec_fn=become_a_stranger, cwd="/",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_temporary_files_go_into_the_cache_where_their_folder_takes_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setenv("COROLLA_CACHE", str(tmp_path / "cache"))
    surroundings.place_temporary()
    assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(tmp_path / "cache" / "temporary")
    with tempfile.TemporaryDirectory() as made:
        assert Path(made).parent == tmp_path / "cache" / "temporary"


@posix
def test_names_beyond_ascii_where_python_takes_none_are_told_with_the_way_out(images: Path, tmp_path: Path) -> None:
    said = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = corolla("train", images, "--out", tmp_path / "run", "--epochs", "1", "--quiet", said=said)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.endswith("Python reads file names as ascii here; set PYTHONUTF8=1")


@posix
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["weights", "list", "--json"]])
def test_a_full_disk_behind_standard_output_is_told(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = corolla(*words, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "corolla: no space left on device; make room and try again\n"
    with Path("/dev/full").open("w") as full:
        assert corolla("predict", "no run", "x", stderr=full).returncode == 2


@posix
@pytest.mark.parametrize("words", [["--version"], ["weights", "list", "--json"]])
def test_streams_that_are_closed_lead_nowhere(words: list[str], tmp_path: Path) -> None:
    closed = corolla(*words, preexec_fn=lambda: [os.close(number) for number in (0, 1, 2)], cwd=tmp_path)
    assert closed.returncode == 0
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_file_that_is_opened_later_never_gets_what_is_printed(tmp_path: Path) -> None:
    """Whatever takes the number of a closed standard output would be written into."""
    code = (
        "import os, sys; from corolla.cli.environment import settle; settle(); "
        "file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(1, b'printed'); print('printed', flush=True); "
        "os.write(file, b'kept')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(command, env=environment, preexec_fn=lambda: os.close(1), check=True)
    assert (tmp_path / "file").read_text() == "kept"


@posix
def test_a_current_folder_that_was_deleted_is_told(tmp_path: Path) -> None:
    """Before anything is loaded: MKL would end the process with a line about a library that cannot be found."""

    def leave() -> None:
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

    done = corolla("predict", "run", "photo.jpg", preexec_fn=leave)
    assert done.returncode == 2
    assert done.stderr == "corolla: the current folder was deleted; cd to another one and try again\n"


def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr("getpass.getuser", unknown)
    surroundings.name_user()
    assert os.environ["USER"].startswith("user")


def test_what_is_there_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = [*surroundings.CACHES, "MPLCONFIGDIR", "TRITON_CACHE_DIR"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(surroundings, "usual_caches", lambda: tmp_path)
    monkeypatch.setattr(surroundings, "home_folder", lambda: tmp_path)
    surroundings.settle()
    assert not [name for name in names if name in os.environ]
    assert list(tmp_path.iterdir()) == []


def test_libraries_without_a_home_keep_their_caches_beside_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", "mine")
    for name in ("TORCH_HOME", "MPLCONFIGDIR", "TRITON_CACHE_DIR"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    for name in ("usual_caches", "home_folder"):
        monkeypatch.setattr(surroundings, name, lambda: None)
    monkeypatch.setattr(surroundings, "cache_folder", lambda: tmp_path)
    surroundings.place_caches()
    assert os.environ["HF_HOME"] == "mine"
    assert os.environ["TORCH_HOME"] == str(tmp_path / "libraries" / "torch")
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "libraries" / "matplotlib")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
            "corolla: no folder for temporary files is writable; set TMPDIR to one that is\n",
        ),
        (
            lambda: PermissionError(13, "Permission denied", str(surroundings_cache() / "pixels")),
            "/pixels: permission denied; set COROLLA_CACHE to another folder for the cache\n",
        ),
    ],
)
def test_a_place_that_is_missing_is_told_with_its_name(
    error: Exception | Callable[[], Exception], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(error if isinstance(error, Exception) else error()) == 2
    assert capsys.readouterr().err.replace(os.sep, "/").endswith(line)


def surroundings_cache() -> Path:
    from corolla.cache import cache_folder

    return cache_folder()
