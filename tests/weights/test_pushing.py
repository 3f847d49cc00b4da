"""What a push sends, seen from a Hub of the tests' own."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import Preprocessing
from corolla.progress import Progress
from corolla.run import Config, Run
from corolla.weights import load_weights, push
from hub_standin import COMMIT, Hub

ARCHITECTURE = ViTConfig(
    num_classes=2, image_size=(16, 16), patch_size=8, embed_dim=64, depth=1, num_heads=1, mlp_dim=96
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run folder with the files that are to stay at home, too."""
    torch.manual_seed(0)
    made = Run(tmp_path / "run")
    made.save_model(ViT(ARCHITECTURE))
    data = {"source": "/home/somebody/photos", "root": "C:\\somebody", "skipped": [["secret.jpg", "damaged"]]}
    made.save_config(Config("small", ARCHITECTURE, ("rose", "tulip"), Preprocessing((16, 16)), {}, data, {}, {}))
    for file in (made.card, made.report, made.manifest_file, made.checkpoint):
        file.write_text(f"{file.name} of mine")
    return made


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")


@pytest.mark.usefixtures("token")
def test_weights_config_and_card_are_sent_and_nothing_else(hub: Hub, run: Run) -> None:
    assert push(run.folder, "me/flowers") == f"{hub.address}/me/flowers"
    assert hub.created == [{"name": "flowers", "organization": "me"}]
    assert set(hub.pushed) == {"model.safetensors", "config.json", "README.md"}
    assert hub.pushed["README.md"] == run.card.read_bytes()
    assert hub.pushed["model.safetensors"] == run.weights.read_bytes()
    assert json.loads(hub.pushed["config.json"])["classes"] == ["rose", "tulip"]


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("to", [None, "timm", "huggingface"])
def test_no_place_on_the_disk_and_no_name_of_an_image_is_sent(to: str | None, hub: Hub, run: Run) -> None:
    push(run.folder, "me/flowers", to=to)
    assert hub.pushed
    assert not any(word in content for content in hub.pushed.values() for word in (b"somebody", b"secret"))


@pytest.mark.usefixtures("token")
def test_what_was_pushed_can_be_named(hub: Hub, run: Run) -> None:
    push(run.folder, "me/flowers")
    hub.files = {f"me/flowers/{name}": content for name, content in hub.pushed.items()}
    weights = load_weights("me/flowers")
    assert (weights.dialect, weights.classes) == ("corolla", ("rose", "tulip"))
    assert COMMIT in str(weights.source)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_a_converted_run_is_sent_as_its_library_reads_it(to: str, hub: Hub, run: Run) -> None:
    told: list[str] = []

    class Heard(Progress):
        def note(self, text: str) -> None:
            told.append(text)

    push(run.folder, "me/flowers", to=to, progress=Heard())
    library = {"timm": "timm", "huggingface": "transformers"}[to]
    assert told[0].startswith(f"me/flowers: read back, its outputs differ from those of {run.folder} by ")
    assert told[-1].startswith(f"{library} ")
    assert "me/flowers" in told[-1]
    assert not any("public" in line for line in told)  # where it lay on its way
    more = {"preprocessor_config.json"} if to == "huggingface" else set()
    assert set(hub.pushed) == {"model.safetensors", "config.json", "README.md"} | more
    hub.files = {f"me/flowers/{name}": content for name, content in hub.pushed.items()}
    assert load_weights("me/flowers").classes == ("rose", "tulip")


@pytest.mark.usefixtures("token")
def test_private_stays_private(hub: Hub, run: Run) -> None:
    with pytest.raises(CorollaError, match="me/flowers is public"):
        push(run.folder, "me/flowers", private=True)
    assert hub.created[0]["visibility"] == "private"
    assert hub.pushed == {}
    hub.private = True
    push(run.folder, "me/flowers", private=True)
    assert hub.pushed


def refused(run: Run, repository: str = "me/flowers", **options: Any) -> str:
    with pytest.raises(CorollaError) as caught:
        push(run.folder, repository, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("token")
def test_what_cannot_be_pushed_is_one_line(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OWNER/NAME" in refused(run, "flowers")
    assert "choose timm or huggingface" in refused(run, to="google")
    assert hub.asked == []
    hub.status = 401
    assert "your token may write" in refused(run)
    assert "401" in refused(run)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in refused(run)
    run.weights.write_bytes(run.weights.read_bytes()[:-8])
    assert "cannot read the weights" in refused(run)


def test_without_a_login_nothing_is_asked(hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "hf auth login" in refused(run)
    assert hub.asked == []
