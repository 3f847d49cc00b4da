"""`corolla weights`, as a person calls it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save, save_file

from corolla.models.config import ViTConfig
from corolla.models.names import vit_config
from corolla.models.vit import ViT
from corolla.run import Run
from corolla.weights.formats import TIMM
from corolla.weights.renaming import to_theirs
from hub_standin import Hub
from references import REFERENCES


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Weights as timm would leave them, with a head of three classes."""
    config = ViTConfig(3, (32, 48), 8, 64, 2, 1, 96)
    tensors = to_theirs(ViT(config).state_dict(), TIMM.table, "gelu").tensors
    (tmp_path / "small").mkdir()
    save_file(tensors | {"mask_token": tensors["cls_token"].clone()}, tmp_path / "small" / "model.safetensors")
    settings = {
        "image_size": [32, 48],
        "label_names": ["oak", "elm", "ash"],
        "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 48]},
    }
    (tmp_path / "small" / "config.json").write_text(json.dumps(settings))
    return tmp_path / "small"


def test_list_names_what_can_be_fetched(corolla: Callable[..., Any], hub: Hub) -> None:
    said = corolla("weights", "list")
    [line] = [line for line in said.out.splitlines() if line.startswith("vit_small_patch16_224.augreg_in21k_ft_in1k ")]
    assert line.split() == ["vit_small_patch16_224.augreg_in21k_ft_in1k", "22.1", "M", "224", "81.4", "%", "Apache-2.0"]
    listed = json.loads(corolla("weights", "list", "--json").out)
    heading, hint, bundled = 1, 1, 1
    assert len(listed) == len(said.out.splitlines()) - heading - hint - bundled
    assert "flowers: comes with corolla" in said.out
    assert {each["name"]: each["preprocessing"]["mean"] for each in listed}["dino_vits16"] == [0.485, 0.456, 0.406]
    assert hub.asked == []


def test_show_of_a_name_fetches_nothing_and_tells_more_once_it_is_there(
    corolla: Callable[..., Any], hub: Hub, small: Path
) -> None:
    name = "vit_tiny_patch16_224.augreg_in21k"
    before = corolla("weights", "show", name)
    assert (before.status, before.err, hub.asked) == (0, "", [])
    assert "Apache-2.0" in before.out
    assert "not downloaded yet" in before.out
    for file in small.iterdir():
        hub.files[f"timm/{name}/{file.name}"] = file.read_bytes()
    assert corolla("weights", "convert", name, small.parent / "out", "--to", "timm").err.startswith(f"fetching {name}")
    after = corolla("weights", "show", name)
    assert after.out.startswith(before.out[:100])
    assert "3 classes: oak, elm, ash" in after.out
    assert "similar: dino_vits16" in corolla("weights", "show", "dino_vits15").line


def test_training_begins_with_weights_by_name(
    corolla: Callable[..., Any], hub: Hub, images: Path, tmp_path: Path
) -> None:
    name = "vit_tiny_patch16_224.augreg_in21k"
    tensors = to_theirs(ViT(ViTConfig(5, (16, 16), 8, 64, 2, 1, 96)).state_dict(), TIMM.table, "gelu").tensors
    hub.files[f"timm/{name}/model.safetensors"] = save(tensors)
    told = {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 16, 16]}}
    hub.files[f"timm/{name}/config.json"] = json.dumps(told).encode()
    words = ["--recipe", "probe", "--batch-size", "12", "--workers", "0", "--device", "cpu", "--quiet"]
    said = corolla("train", images, "--out", tmp_path / "run", "--weights", name, *words)
    assert said.status == 0, said.err
    config = Run(tmp_path / "run").load_config()
    assert config.preprocessing.mean == (0.5, 0.5, 0.5)
    assert config.recipe["weights"] == name
    assert config.architecture.embed_dim == 64


def test_show_says_what_a_checkpoint_is_and_expects(corolla: Callable[..., Any], small: Path) -> None:
    said = corolla("weights", "show", small)
    assert said.status == 0
    for words in (
        "timm", "48 x 32 pixels in patches of 8", "2 of width 64, 1 head,", "class", "mask_token",
        "3 classes: oak, elm, ash",
        "mean 0.5, 0.5, 0.5; std 0.5, 0.5, 0.5; bicubic; crop 0.875",  # timm's where nothing is said
    ):  # fmt: skip
        assert words in said.out


@pytest.mark.parametrize("dialect", ["timm", "huggingface"])  # tests/weights has the others
def test_convert_writes_proves_and_says_so(
    dialect: str, corolla: Callable[..., Any], small: Path, tmp_path: Path
) -> None:
    said = corolla("weights", "convert", small, tmp_path / "out", "--to", dialect)
    assert (said.status, said.err) == (0, "")
    assert "read back, its outputs differ" in said.out
    assert any((tmp_path / "out").glob("model.*"))
    assert "import" not in said.out
    library = {"timm": "timm", "huggingface": "transformers"}[dialect]
    [asked] = [line for line in said.out.splitlines() if " computes the same outputs for " in line]
    assert asked.startswith(f"{library} ")
    assert f" {tmp_path / 'out'}, within " in asked
    squashed = "transformers cannot represent the largest crop of this shape" in said.out
    assert squashed == (dialect == "huggingface")
    assert f"{small / 'model.safetensors'} was not verified with a library" in said.out
    if dialect in ("timm", "huggingface"):
        assert "3 classes: oak, elm, ash" in corolla("weights", "show", tmp_path / "out").out
    if dialect == "huggingface":
        told = json.loads((tmp_path / "out" / "config.json").read_text())
        assert told["id2label"] == {"0": "oak", "1": "elm", "2": "ash"}


@pytest.mark.parametrize(("dialect", "module"), [("timm", "timm"), ("huggingface", "transformers")])
def test_a_hybrid_is_written_and_says_what_it_needs(
    dialect: str, module: str, corolla: Callable[..., Any], images: Path, tmp_path: Path
) -> None:
    words = ["--model", "vit_pico_conv8_16", "--epochs", "1", "--batch-size", "12", "--workers", "0", "--device", "cpu"]
    assert corolla("train", images, "--out", tmp_path / "run", "--quiet", *words).status == 0
    said = corolla("weights", "convert", tmp_path / "run", tmp_path / "out", "--to", dialect)
    assert said.out.splitlines()[1] == (
        f"{dialect} cannot represent this model; load it after `import corolla.bridges.{module}`"
    )
    shown = corolla("weights", "show", tmp_path / "out").out
    assert "3 classes: deep blue" in shown
    learned = sum(parameter.numel() for parameter in ViT(vit_config("vit_pico_conv8_16", 3)).parameters())
    assert f"parameters  {learned:,}" in shown


def test_what_a_dialect_has_no_words_for_is_one_line_and_nothing_is_written(
    corolla: Callable[..., Any], small: Path, tmp_path: Path
) -> None:
    assert (
        "'keras' is not one of 'timm'" in corolla("weights", "convert", small, tmp_path / "out", "--to", "keras").line
    )
    assert "not an empty folder" in corolla("weights", "convert", small, small, "--to", "timm").line
    assert "not square" in corolla("weights", "convert", small, tmp_path / "out", "--to", "google").line
    hybrid = ViT(vit_config("vit_pico_conv8_16", 3))
    save_file(hybrid.state_dict(), tmp_path / "hybrid.safetensors")
    assert "give its run folder" in corolla("weights", "show", tmp_path / "hybrid.safetensors").line
    assert not (tmp_path / "out").exists()


def test_push_says_where_it_went_or_what_it_needs(
    corolla: Callable[..., Any], hub: Hub, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "hf auth login" in corolla("weights", "push", trained, "me/flowers").line
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    said = corolla("weights", "push", trained, "me/flowers", "--to", "timm")
    assert said.out == f"{hub.address}/me/flowers\n"
    assert "model.safetensors" in hub.pushed


def test_rotary_positions_are_shown_and_converted_to_what_has_words_for_them(
    corolla: Callable[..., Any], tmp_path: Path
) -> None:
    theirs = REFERENCES["timm DINOv3, SwiGLU"]
    folder = theirs.save(theirs.make(), tmp_path / "dinov3")
    shown = corolla("weights", "show", folder).out
    assert "positions   rotary, from the middle, base 100\n" in shown
    assert "tokens      class, 4 registers\n" in shown
    for to in ("timm", "huggingface"):
        said = corolla("weights", "convert", folder, tmp_path / to, "--to", to)
        assert said.status == 0, said.err
        assert "read back" in said.out
        assert "positions   rotary, from the middle, base 100\n" in corolla("weights", "show", tmp_path / to).out
    assert (
        "torchvision cannot represent SwiGLU, rotary positions"
        in corolla("weights", "convert", folder, tmp_path / "none", "--to", "torchvision").line
    )
    assert not (tmp_path / "none").exists()
    eva = REFERENCES["timm EVA-02 Ti"]
    folder = eva.save(eva.make(), tmp_path / "eva")
    assert "rotary, counted as 16 x 16, base 10000, beside learned ones" in corolla("weights", "show", folder).out
