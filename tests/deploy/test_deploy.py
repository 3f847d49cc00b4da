"""The container: linted, and its list of packages is all that answering from a file needs."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import onnx
import pytest
import yaml
from PIL import Image

from corolla.classifier import Classifier
from corolla.export.onnx import with_card
from shapes import noises

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# What may not be imported is refused as if it were not installed.
ASK = """
import sys
refused = set(sys.argv.pop(1).split(","))
class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing)
from pathlib import Path
from fastapi.concurrency import run_in_threadpool  # noqa: F401 - a package of the list
from corolla.cli import main
file, image, out = sys.argv[1:]
assert main(["predict", file, image, "--quiet", "--explain", out]) == 0
import asyncio, threading, json, urllib.request, base64
from corolla.server.app import create_app
from corolla.server.limits import Limits
from corolla.server.model import load_served
from corolla.server.running import address_of, listen, make_server
with listen("127.0.0.1", 0) as listening:
    server = make_server(create_app(load_served(Path(file)), Limits(), log=lambda *a, **k: None), Limits())
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    while not server.started:
        thread.join(0.01)
    body = {"images": [base64.b64encode(Path(image).read_bytes()).decode()], "explain": True}
    request = urllib.request.Request(address_of(listening) + "v1/predict", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        [said] = json.load(answer)["predictions"]
    server.should_exit = True
    thread.join()
assert said["explanation"]["heat"].startswith("data:image/png")
print(said["label"])
"""


def listed() -> list[str]:
    lines = (DEPLOY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_their_needs(names: list[str]) -> set[str]:
    """The distributions and everything that they need in turn, without extras."""
    found: set[str] = set()
    left = [canonical(name) for name in names]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another system
            continue
        left += [canonical(re.split(r"[^\w.-]", need)[0]) for need in needs if "extra ==" not in need]
    return found


def test_its_packages_are_pinned_and_enough(
    graph: onnx.ModelProto, small: Classifier, card: Callable, tmp_path: Path
) -> None:
    pins = {canonical(re.split(r"[=;\s]", line)[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {canonical(name) for name in listed()} <= pins
    inside = with_their_needs(listed()) | {"corolla"}
    assert "torch" not in inside
    outside = {
        module
        for module, packages in metadata.packages_distributions().items()
        if not {canonical(package) for package in packages} & inside
    }
    assert {"torch", "torchvision", "sklearn", "cv2"} <= outside
    file, image = tmp_path / "small.onnx", tmp_path / "one.png"
    file.write_bytes(with_card(graph, card(small)))
    Image.fromarray(noises(1)[0]).save(image)
    words = [",".join(sorted(outside)), str(file), str(image), str(tmp_path / "why")]
    done = subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] in small.classes


@pytest.mark.skipif(sys.platform != "linux", reason="hadolint is installed on Linux only")
def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    found = str(program) if program.is_file() else shutil.which("hadolint")
    assert found, "hadolint is one of the packages of corolla[dev]"
    done = subprocess.run([found, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_in_particular_and_copies_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001"]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert source == "deploy/model.onnx" or (ROOT / source).exists(), source


def test_the_compose_file_is_closed_by_default() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["corolla"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
