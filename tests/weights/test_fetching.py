"""Names brought to files: from a Hub and a server of the tests' own, through the real libraries."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from corolla.errors import CorollaError
from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.preprocessing import IMAGENET_MEAN
from corolla.progress import Progress
from corolla.weights import load_weights, registry
from corolla.weights.fetching import cached, place
from corolla.weights.formats import TIMM
from corolla.weights.registry import PUBLISHED, Published, find
from corolla.weights.renaming import to_theirs
from hub_standin import COMMIT, Hub

CONFIG = ViTConfig(num_classes=3, image_size=(16, 16), patch_size=8, embed_dim=64, depth=1, num_heads=1, mlp_dim=96)
NAME = "vit_tiny_patch16_224.augreg_in21k"


class Notes(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = ViT(CONFIG)
    torch.nn.init.normal_(model.head.weight)
    return to_theirs(model.state_dict(), TIMM.table, "gelu").tensors


def serve(hub: Hub, repository: str, tensors: dict[str, Tensor]) -> None:
    """A repository as timm leaves one."""
    pretrained = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 16, 16], "crop_pct": 0.9}
    hub.files[f"{repository}/model.safetensors"] = save(tensors)
    hub.files[f"{repository}/config.json"] = json.dumps({"pretrained_cfg": pretrained}).encode()


def refused(name: str) -> str:
    with pytest.raises(CorollaError) as caught:
        load_weights(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def local(monkeypatch: pytest.MonkeyPatch, hub: Hub, published: Published, digest: str = "") -> Published:
    """The registry's entry with the tests' server for its own."""
    file = published.source.rpartition("/")[2]
    if digest:
        file = file.replace(file.rpartition("-")[2].partition(".")[0], digest)
    entry = replace(published, source=f"{hub.address}/{file}")
    monkeypatch.setitem(registry.BY_NAME, published.name, entry)
    return entry


def test_a_registry_name_comes_from_the_hub_once(hub: Hub, tensors: dict[str, Tensor]) -> None:
    serve(hub, f"timm/{NAME}", tensors)
    notes = Notes()
    assert cached(registry.BY_NAME[NAME]) is None
    weights = load_weights(NAME, progress=notes)
    assert notes.lines == [f"fetching {NAME} from {hub.address}/timm/{NAME}"]
    assert weights.config == CONFIG
    assert weights.preprocessing is not None
    assert weights.preprocessing.crop_fraction == 0.9
    assert cached(registry.BY_NAME[NAME]) == weights.source.parent
    fetched = [line for line in hub.asked if line.startswith("GET") and "resolve" in line]
    assert sorted(line.rpartition("/")[2] for line in fetched) == ["config.json", "model.safetensors"]
    assert any(COMMIT in line for line in hub.asked)  # the settings are asked for by the weights' commit
    load_weights(NAME, progress=notes)
    assert len(notes.lines) == 1
    assert [line for line in hub.asked if line.startswith("GET") and "resolve" in line] == fetched


def test_any_repository_can_be_named(hub: Hub, tensors: dict[str, Tensor]) -> None:
    serve(hub, "somebody/flowers", tensors)
    for name in ("somebody/flowers", "hf-hub:somebody/flowers", f"somebody/flowers@{COMMIT}"):
        assert load_weights(name).config == CONFIG


def test_a_path_wins(hub: Hub, tensors: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("somebody/flowers").mkdir(parents=True)
    Path("somebody/flowers/model.safetensors").write_bytes(save(tensors))
    assert load_weights("somebody/flowers").source == Path("somebody/flowers/model.safetensors")
    assert "no weights at somebody/weeds" in refused("somebody/weeds")  # a slip on the disk asks no Hub
    assert hub.asked == []


def test_what_the_hub_refuses_is_one_line_with_what_to_do(hub: Hub) -> None:
    hub.files["somebody/empty/README.md"] = b""
    assert "no repository somebody/nothing" in refused("somebody/nothing")
    assert "holds no model.safetensors" in refused("somebody/empty")


def test_a_gated_repository_says_how_to_get_in(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "facebook/dinov3-vits16-pretrain-lvd1689m"
    hub.refusals = {name: (401, "GatedRepo")}  # nobody is logged in
    page, tokens = f"{hub.address}/{name}", f"{hub.address}/settings/tokens"
    for source in (name, f"hf-hub:{name}"):
        said = refused(source)
        assert said.startswith(f"cannot fetch {source}: {name} is gated: ")
        assert f"log in at {page} and accept the terms, then make a token at {tokens}" in said
        assert "`hf auth login`" in said
    monkeypatch.setenv("HF_TOKEN", "hf_somebodys")
    hub.refusals = {name: (403, "GatedRepo")}  # somebody is, who has not been let in
    said = refused(name)
    assert "is gated, and your login has no access to it yet" in said
    assert f"accept the terms at {page}" in said
    assert "gated repositories" in said
    hub.refusals = {name: (403, "")}  # with a token that may not read gated repositories
    assert f"does not let this login read {name}; make a token that may read it, gated" in refused(name)
    hub.refusals = {name: (401, "")}  # or one that is worn out
    assert "log in with `hf auth login`" in refused(name)


def test_offline_the_cache_is_enough_and_nothing_is_asked(
    hub: Hub, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    serve(hub, "somebody/flowers", tensors)
    load_weights("somebody/flowers")
    hub.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load_weights("somebody/flowers").preprocessing is not None
    said = refused("somebody/weeds")
    assert "cannot be reached" in said
    assert f"{hub.address}/somebody/weeds/tree/main" in said
    assert hub.asked == []


def test_shards_come_together(hub: Hub, tensors: dict[str, Tensor]) -> None:
    first = {name: tensor for name, tensor in tensors.items() if name.startswith("blocks.")}
    parts = {"model-00001-of-00002.safetensors": first}
    parts["model-00002-of-00002.safetensors"] = {n: tensor for n, tensor in tensors.items() if n not in first}
    table = {name: file for file, part in parts.items() for name in part}
    files = {file: save(part) for file, part in parts.items()}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": table}).encode()
    hub.files = {f"somebody/large/{file}": content for file, content in files.items()}
    images = torch.randn(1, 3, 16, 16)
    serve(hub, "somebody/whole", tensors)
    ours, whole = (load_weights(f"somebody/{name}").model()(images) for name in ("large", "whole"))
    assert torch.equal(ours, whole)


def test_an_address_is_fetched_once_and_prepared_for_as_published(
    hub: Hub, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.save(tensors, tmp_path / "saved.pth")
    content = (tmp_path / "saved.pth").read_bytes()
    published = PUBLISHED[[each.name for each in PUBLISHED].index("vit_b_16.imagenet1k_v1")]
    entry = local(monkeypatch, hub, published, hashlib.sha256(content).hexdigest()[:8])
    hub.files[entry.source.rpartition("/")[2]] = content
    for _ in range(2):
        weights = load_weights(published.name)
    assert weights.source == place(entry) == cached(entry)
    assert weights.preprocessing is not None
    assert (weights.preprocessing.interpolation, weights.preprocessing.mean) == ("bilinear", IMAGENET_MEAN)
    assert len(hub.asked) == 1


def test_what_comes_wrong_or_cut_is_not_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("vit_b_16.imagenet1k_v1", "expected sha256"), ("dino_vits16", "was cut")):
        published = find(name)
        assert published is not None
        entry = local(monkeypatch, hub, published)
        hub.files[entry.source.rpartition("/")[2]] = b"something else"
        hub.cut = name == "dino_vits16"
        said = refused(name)
        assert words in said
        assert str(place(entry)) in said
        assert cached(entry) is None


def test_an_address_out_of_reach_says_what_to_fetch(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    published = find("deit_small_patch16_224")
    assert published is not None
    entry = local(monkeypatch, hub, published)
    said = refused("deit_small_patch16_224")
    assert "Not Found" in said
    assert entry.source in said
    assert str(place(entry)) in said


def test_a_name_that_is_none_has_neighbors(hub: Hub) -> None:
    assert "similar: vit_tiny_patch16_224.augreg_in21k" in refused("vit_tiny_patch16_224.augreg_in22k")
    assert "there are no weights at nothing.pth" in refused("nothing.pth")
    assert hub.asked == []
