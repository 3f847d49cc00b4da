"""Where backbones come from: packages, runs, timm; and one line for what cannot be had."""

from pathlib import Path

import pytest
import timm
import torch

import corolla
from corolla.errors import CorollaError
from corolla.features.backbones import Features, extract_from_timm, load_backbone, preprocessing_of_timm
from corolla.training.teachers import Teacher
from references import REFERENCES


def test_efficientnet_lite_comes_with_its_weights_and_answers_as_its_package_does() -> None:
    from efficientnet_lite_pytorch import EfficientNet

    pretrained = load_backbone("efficientnet-lite0")
    network = pretrained.backbone.network
    assert isinstance(network, EfficientNet)
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (middle, last), feature = pretrained.backbone.eval()(images)
        expected = network(images)
    assert (middle.shape, last.shape) == ((2, 112, 6, 6), (2, 1280, 3, 3))
    torch.testing.assert_close(network._fc(feature), expected)
    gray = torch.full((1, 3, 8, 8), 127, dtype=torch.uint8)
    torch.testing.assert_close(pretrained.preprocessing.normalize(gray), torch.zeros(1, 3, 8, 8), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("test_resnet", 64), ("test_vit2", 64), ("test_convnext", 64), ("swin_tiny_patch4_window7_224", 224)],
)
def test_any_kind_of_timm_model_gives_a_map_and_its_own_feature(name: str, pixels: int) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=5, img_size=pixels) if "vit" in name else (
        timm.create_model(name, pretrained=False, num_classes=5)
    )  # fmt: skip
    images = torch.randn(2, 3, pixels, pixels)
    with torch.no_grad():
        (middle, last), feature = Features(network, extract_from_timm).eval()(images)
        expected = network(images)
    assert last.shape[:2] == (2, network.num_features)
    assert last.shape[2] == last.shape[3] > 1
    assert middle.shape[2] == middle.shape[3] == last.shape[2] * (1 if "vit" in name else 2)
    torch.testing.assert_close(network.get_classifier()(feature), expected)


@pytest.mark.parametrize(
    ("name", "crop", "mode", "interpolation"),
    [
        ("swin_tiny_patch4_window7_224", 0.9, "center", "bicubic"),
        ("resnet50.tv_in1k", 0.875, "center", "bilinear"),
        ("eva02_tiny_patch14_336.mim_in22k_ft_in1k", 1.0, "center", "bicubic"),
        ("eva02_base_patch14_448.mim_in22k_ft_in22k_in1k", 1.0, "squash", "bicubic"),
    ],
)
def test_a_timm_teacher_sees_images_as_timm_prepares_them(
    name: str, crop: float, mode: str, interpolation: str
) -> None:
    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False)
    preprocessing = preprocessing_of_timm(name, network)
    height, width = network.pretrained_cfg["input_size"][1:]
    assert preprocessing.image_size == (height, width)
    assert (preprocessing.crop_fraction, preprocessing.crop_mode) == (crop, mode)
    assert (preprocessing.interpolation, preprocessing.mean) == (interpolation, network.pretrained_cfg["mean"])


def test_a_timm_teacher_whose_preparation_we_do_not_have_is_refused_by_name() -> None:
    network = timm.create_model("test_resnet", pretrained=False)
    network.pretrained_cfg["crop_mode"] = "border"
    with pytest.raises(CorollaError, match=r"images for 'test_resnet': .*crop_mode"):
        preprocessing_of_timm("test_resnet", network)


def test_a_run_is_a_teacher_that_knows_its_classes(swatches: Path, tmp_path: Path) -> None:
    run = corolla.train(swatches, tmp_path / "run", epochs=2, model="vit_pico_conv8_16", batch_size=8, workers=0)
    pretrained = load_backbone(str(run.folder))
    model, config = run.load_model()
    assert pretrained.classes == config.classes
    assert pretrained.head is not None
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        (middle, last), feature = pretrained.backbone.eval()(images)
        torch.testing.assert_close(pretrained.head(feature), model(images))
    assert middle.shape == last.shape == (2, 48, 2, 2)
    assert not torch.allclose(middle, last)
    torch.testing.assert_close(last.mean(dim=(2, 3)), feature)


def test_a_teacher_may_read_class_token_and_mean(tmp_path: Path) -> None:
    theirs = REFERENCES["transformers DINOv2, classifier"].make()
    theirs.save_pretrained(tmp_path)
    pretrained = load_backbone(str(tmp_path))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        (_, last), feature = pretrained.backbone.eval()(images)
        logits, _ = Teacher(pretrained, 3)(images)
    assert last.shape[2:] == (4, 4)
    assert feature.shape == (2, 2 * last.shape[1])
    assert logits.shape == (2, 3)


def test_a_teacher_that_timm_does_not_have_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CorollaError, match="cannot get 'resnet99' from timm") as failure:
        load_backbone("resnet99")
    assert "\n" not in str(failure.value)


def test_a_name_of_the_registry_is_fetched_by_us_and_not_by_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CorollaError, match=r"vit_tiny_patch16_224\.augreg_in21k") as failure:
        load_backbone("vit_tiny_patch16_224.augreg_in21k")
    assert "from timm:" not in str(failure.value)
