"""The library's own reading of the settings decides whether a conversion is called the same."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from safetensors.torch import load_file, save_file

from corolla.errors import CorollaError
from corolla.weights import load_weights, write_weights
from corolla.weights import parity as proof
from corolla.weights.transformers_settings import ONLY
from references import PAPERS, REFERENCES, TIMM, shaken


def from_transformers(folder: Path, **changes: Any) -> Path:
    config = transformers.ViTConfig(**PAPERS | {"num_labels": 4} | changes)
    shaken(transformers.ViTForImageClassification(config)).save_pretrained(folder)
    return folder


def from_timm(folder: Path, **changes: Any) -> Path:
    model = shaken(timm.create_model("vit_base_patch16_224", **TIMM | {"num_classes": 4} | changes))
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    return folder


@pytest.mark.parametrize(("make", "library"), [(from_transformers, "transformers"), (from_timm, "timm")])
@pytest.mark.parametrize("to", ["timm", "huggingface", "torchvision"])
def test_both_libraries_are_asked_and_it_is_said(make: Any, library: str, to: str, tmp_path: Path) -> None:
    changes = {"layer_norm_eps": 1e-6} if library == "transformers" else {}
    source = make(tmp_path / "in", **changes)
    notes = write_weights(load_weights(source), tmp_path / "out", to).notes
    version = {"timm": timm.__version__, "transformers": transformers.__version__}
    assert notes[0].startswith(f"{library} {version[library]} computes the same outputs for {source}")
    assert ", within " in notes[0]
    written = {"timm": "timm", "huggingface": "transformers"}.get(to)
    assert len(notes) == (1 if written is None else 2)
    if written:
        assert notes[1].startswith(f"{written} {version[written]} computes the same outputs for {tmp_path / 'out'}, ")


def test_a_setting_that_we_did_not_understand_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were relu taken for a GELU, what is read back would be the same; transformers computes something else."""
    source = from_transformers(tmp_path / "in", hidden_act="relu")
    with pytest.raises(CorollaError, match='its hidden_act is "relu"'):
        load_weights(source)
    monkeypatch.setitem(ONLY, "hidden_act", ("gelu", "relu"))
    weights = load_weights(source)
    with pytest.raises(
        CorollaError, match=r"transformers .* computes different outputs for .*in, by [\d.]+e-0[12] of"
    ) as caught:
        write_weights(weights, tmp_path / "out", "timm")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_remark_of_timm_s_that_we_misread_is_found_out(tmp_path: Path) -> None:
    source = from_timm(tmp_path / "in", global_pool="avg", fc_norm=False)
    weights = load_weights(source)
    told = json.loads((source / "config.json").read_text())
    told["model_args"]["global_pool"] = "max"
    (source / "config.json").write_text(json.dumps(told))
    with pytest.raises(CorollaError, match=r"timm .* computes different outputs for"):
        proof.of_source(weights)


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_written_is_asked_of_its_library(name: str, tmp_path: Path) -> None:
    reference = REFERENCES[name]
    (tmp_path / "in").mkdir()
    source = reference.save(reference.make(), tmp_path / "in")
    weights = load_weights(source)
    notes = write_weights(weights, tmp_path / "out", reference.to).notes
    library = {"timm": "timm", "huggingface": "transformers"}.get(reference.to)
    if library:
        assert notes[-1].startswith(f"{library} ")
        assert "computes the same" in notes[-1]
    assert not any("could not load" in note for note in notes)
    if source.is_dir():  # with its library's own settings
        assert f"computes the same outputs for {source}" in notes[0]


def test_rotary_positions_that_we_misread_are_found_out(tmp_path: Path) -> None:
    for name, change in (
        ("timm RoPE-ViT", {"model_args": TIMM | {"num_classes": 4, "rope_temperature": 20.0}}),
        ("timm DINOv3", {"model_args": TIMM | {"global_pool": "token"}}),
        ("transformers DINOv3", {"rope_theta": 20.0}),
        ("transformers DINOv3", {"hidden_act": "relu"}),
    ):
        source = REFERENCES[name].save(REFERENCES[name].make(), tmp_path)
        weights = load_weights(source)
        told = json.loads((source / "config.json").read_text())
        (source / "config.json").write_text(json.dumps(told | change))
        with pytest.raises(CorollaError, match=rf"{name.split()[0]} .* computes different outputs for"):
            proof.of_source(weights)


def test_dinov3_under_its_published_names_is_asked_of_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of transformers' files, without `model.` in front of a layer, and of facebookresearch's, read by timm."""
    reference = REFERENCES["transformers DINOv3"]
    folder = reference.save(reference.make(), tmp_path)
    tensors = load_file(folder / "model.safetensors")
    save_file({name.removeprefix("model."): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")
    [note] = proof.of_source(load_weights(folder))
    assert "computes the same" in note
    model = shaken(timm.create_model("vit_small_patch16_dinov3_qkvb", num_classes=0, **TIMM))
    timm.models.save_for_hf(model, tmp_path / "timm", safe_serialization=True)
    state = {name.replace("reg_token", "storage_tokens"): tensor for name, tensor in model.state_dict().items()}
    torch.save(state, tmp_path / "timm/dinov3.pth")
    [note] = proof.of_source(load_weights(tmp_path / "timm/dinov3.pth"))
    assert "computes the same" in note
    assert capsys.readouterr().out == ""


def test_without_the_library_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = from_timm(tmp_path / "in")
    weights = load_weights(source)
    monkeypatch.setitem(sys.modules, "timm", None)
    notes = write_weights(weights, tmp_path / "out", "timm").notes
    assert len(notes) == 2
    for note, where in zip(notes, (source, tmp_path / "out"), strict=True):
        assert note.startswith(f"timm is not installed, so {where}")
        assert " was not verified with it; to verify: pip install" in note


def test_a_bare_file_is_said_to_be_taken_by_its_shapes(tmp_path: Path) -> None:
    shape = TIMM | {"embed_dim": 64, "num_heads": 1}
    torch.save(timm.create_model("vit_base_patch16_224", **shape).state_dict(), tmp_path / "bare.pth")
    weights = load_weights(tmp_path / "bare.pth")
    [note] = proof.of_source(weights)
    assert note.startswith(f"{tmp_path / 'bare.pth'} was not verified with a library: no config.json names its model")


def test_a_crop_that_transformers_cannot_do_is_said(tmp_path: Path) -> None:
    weights = load_weights(from_timm(tmp_path / "in", img_size=(32, 48)))
    assert weights.preprocessing is not None
    wide = replace(weights, preprocessing=replace(weights.preprocessing, image_size=(32, 48)))
    notes = write_weights(wide, tmp_path / "out", "huggingface").notes
    assert "transformers cannot represent the largest crop of this shape" in notes[-1]
