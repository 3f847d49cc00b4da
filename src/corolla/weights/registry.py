"""Published Vision Transformers by their usual names: the location of each, and what its file does not contain.

Parameter counts include the head if there is one. An accuracy is listed only if its publisher states one;
`Family.measured` gives the metric and the source.
"""

import difflib
from dataclasses import dataclass, replace

from corolla.errors import CorollaError, few
from corolla.preprocessing import IMAGENET_MEAN, IMAGENET_STD, CropMode, Interpolation, Preprocessing

Colors = tuple[tuple[float, float, float], tuple[float, float, float]]
HALF: Colors = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # mean and standard deviation: pixels from -1 to 1
IMAGENET: Colors = (IMAGENET_MEAN, IMAGENET_STD)
CLIP: Colors = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclass(frozen=True)
class Family:
    """The common properties of the checkpoints of one publication."""

    license: str
    paper: str
    colors: Colors
    crop: float  # fraction of each side that its own evaluation crops
    interpolation: Interpolation
    measured: str = ""  # the metric of its accuracies, and where they are published
    crop_mode: CropMode = "center"


@dataclass(frozen=True)
class Published:
    """One checkpoint."""

    name: str
    family: Family
    source: str  # OWNER/NAME on the Hugging Face Hub, or an address
    parameters: int
    side: int  # of the square image for its positions, in pixels
    accuracy: float | None = None  # in per cent

    @property
    def on_hub(self) -> bool:
        """Whether it is a repository on the Hub rather than a single address."""
        return "://" not in self.source

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of its images."""
        family, (mean, std) = self.family, self.family.colors
        return Preprocessing((self.side, self.side), family.crop, family.interpolation, mean, std, family.crop_mode)


TIMMS_TABLE = "ImageNet-1k top-1, results/results-imagenet.csv of huggingface/pytorch-image-models"
LINEAR = "ImageNet-1k top-1 of a linear classifier on its features"
AUGREG_21K = Family("Apache-2.0", "arXiv 2106.10270", HALF, 0.9, "bicubic")
AUGREG = replace(AUGREG_21K, measured=TIMMS_TABLE)
DEIT = Family(
    "Apache-2.0", "arXiv 2012.12877", IMAGENET, 0.875, "bicubic",
    "ImageNet-1k top-1, README_deit.md of facebookresearch/deit",
)  # fmt: skip
DEIT3 = Family(
    "Apache-2.0", "arXiv 2204.07118", IMAGENET, 1.0, "bicubic",
    "ImageNet-1k top-1, README_revenge.md of facebookresearch/deit",
)  # fmt: skip
DINO = Family(
    "Apache-2.0", "arXiv 2104.14294", IMAGENET, 0.875, "bicubic", f"{LINEAR}, README.md of facebookresearch/dino"
)
DINOV2 = Family(
    "Apache-2.0", "arXiv 2304.07193", IMAGENET, 0.875, "bicubic", f"{LINEAR}, README.md of facebookresearch/dinov2"
)
DINOV3 = Family("DINOv3-License (Meta's own terms)", "arXiv 2508.10104", IMAGENET, 1.0, "bicubic")
EVA02 = Family("MIT", "arXiv 2303.11331", CLIP, 1.0, "bicubic", TIMMS_TABLE)
EVA02_448 = replace(EVA02, crop_mode="squash")
MAE = Family("CC-BY-NC-4.0 (not for commercial use)", "arXiv 2111.06377", IMAGENET, 0.875, "bicubic")
MAE_FINETUNED = replace(MAE, measured="ImageNet-1k top-1, FINETUNE.md of facebookresearch/mae")
TORCHVISIONS = "ImageNet-1k top-1, torchvision.models.vision_transformer"
TORCHVISION = Family("BSD-3-Clause (torchvision's)", "torchvision", IMAGENET, 0.875, "bilinear", TORCHVISIONS)
TORCHVISION_242 = replace(TORCHVISION, crop=224 / 242)  # the middle 224 of 242 pixels
SWAG = Family("CC-BY-NC-4.0 (not for commercial use)", "arXiv 2201.08371", IMAGENET, 1.0, "bicubic", TORCHVISIONS)

META, PYTORCH = "https://dl.fbaipublicfiles.com", "https://download.pytorch.org/models"


def augreg(size: str, parameters: tuple[int, int], accuracy: float) -> tuple[Published, Published]:
    """The ImageNet-21k checkpoint and the one fine-tuned on ImageNet-1k, with `parameters` in this order."""
    first, tuned = f"vit_{size}_224.augreg_in21k", f"vit_{size}_224.augreg_in21k_ft_in1k"
    return (
        Published(first, AUGREG_21K, f"timm/{first}", parameters[0], 224),
        Published(tuned, AUGREG, f"timm/{tuned}", parameters[1], 224, accuracy),
    )


def dinov2(size: str, parameters: tuple[int, int], accuracy: tuple[float, float]) -> tuple[Published, Published]:
    """Without and with four registers (arXiv 2309.16588)."""
    folder = f"{META}/dinov2/dinov2_{size}/dinov2_{size}"
    return (
        Published(f"dinov2_{size}", DINOV2, f"{folder}_pretrain.pth", parameters[0], 518, accuracy[0]),
        Published(f"dinov2_{size}_reg", DINOV2, f"{folder}_reg4_pretrain.pth", parameters[1], 518, accuracy[1]),
    )


def dino(name: str, file: str, parameters: int, accuracy: float) -> Published:
    """A DINO checkpoint; its files have other names than its models."""
    return Published(name, DINO, f"{META}/dino/{file}/{file}.pth", parameters, 224, accuracy)


PUBLISHED: tuple[Published, ...] = (
    *augreg("tiny_patch16", (9_740_115, 5_717_416), 75.454),
    *augreg("small_patch32", (30_903_507, 22_878_952), 75.994),
    *augreg("small_patch16", (30_075_219, 22_050_664), 81.384),
    *augreg("base_patch32", (104_252_499, 88_224_232), 80.716),
    *augreg("base_patch16", (102_595_923, 86_567_656), 84.532),
    *augreg("large_patch16", (325_690_707, 304_326_632), 85.834),
    *(
        Published(name, DEIT, f"{META}/deit/{name}-{digest}.pth", parameters, 224, accuracy)
        for name, digest, parameters, accuracy in (
            ("deit_tiny_patch16_224", "a1311bcf", 5_717_416, 72.2),
            ("deit_small_patch16_224", "cd65a155", 22_050_664, 79.9),
            ("deit_base_patch16_224", "b5f2ef4d", 86_567_656, 81.8),
            ("deit_tiny_distilled_patch16_224", "b40b3cf7", 5_910_800, 74.5),
            ("deit_small_distilled_patch16_224", "649709d9", 22_436_432, 81.2),
            ("deit_base_distilled_patch16_224", "df68dfff", 87_338_192, 83.4),
        )
    ),
    *(
        Published(name, DEIT3, f"{META}/deit/deit_3_{file}.pth", parameters, 224, accuracy)
        for name, file, parameters, accuracy in (
            ("deit3_small_patch16_224.fb_in1k", "small_224_1k", 22_059_496, 81.4),
            ("deit3_base_patch16_224.fb_in1k", "base_224_1k", 86_585_320, 83.8),
            ("deit3_small_patch16_224.fb_in22k_ft_in1k", "small_224_21k", 22_059_496, 83.1),
            ("deit3_base_patch16_224.fb_in22k_ft_in1k", "base_224_21k", 86_585_320, 85.7),
        )
    ),
    dino("dino_vits16", "dino_deitsmall16_pretrain", 21_665_664, 77.0),
    dino("dino_vits8", "dino_deitsmall8_pretrain", 21_670_272, 79.7),
    dino("dino_vitb16", "dino_vitbase16_pretrain", 85_798_656, 78.2),
    dino("dino_vitb8", "dino_vitbase8_pretrain", 85_807_872, 80.1),
    *dinov2("vits14", (22_056_192, 22_057_344), (81.1, 80.9)),
    *dinov2("vitb14", (86_579_712, 86_582_016), (84.5, 84.6)),
    *dinov2("vitl14", (304_367_616, 304_370_688), (86.3, 86.7)),
    *(
        Published(f"vit_{size}_patch16_dinov3.lvd1689m", DINOV3, f"timm/vit_{size}_patch16_dinov3.lvd1689m", count, 256)
        for size, count in (
            ("small", 21_586_944),
            ("small_plus", 28_683_264),
            ("base", 85_641_216),
            ("large", 303_079_424),
        )
    ),
    *(
        Published(name, EVA02_448 if side == 448 else EVA02, f"timm/{name}", parameters, side, accuracy)
        for name, parameters, side, accuracy in (
            ("eva02_tiny_patch14_336.mim_in22k_ft_in1k", 5_756_584, 336, 80.63),
            ("eva02_small_patch14_336.mim_in22k_ft_in1k", 22_129_000, 336, 85.716),
            ("eva02_base_patch14_448.mim_in22k_ft_in22k_in1k", 87_117_544, 448, 88.692),
            ("eva02_large_patch14_448.mim_m38m_ft_in22k_in1k", 305_080_232, 448, 90.052),
        )
    ),
    Published("mae_vit_base", MAE, f"{META}/mae/pretrain/mae_pretrain_vit_base.pth", 85_798_656, 224),
    Published("mae_vit_large", MAE, f"{META}/mae/pretrain/mae_pretrain_vit_large.pth", 303_301_632, 224),
    *(
        Published(f"{name}.ft_in1k", MAE_FINETUNED, f"{META}/mae/finetune/{file}.pth", parameters, 224, accuracy)
        for name, file, parameters, accuracy in (
            ("mae_vit_base", "mae_finetuned_vit_base", 86_567_656, 83.664),
            ("mae_vit_large", "mae_finetuned_vit_large", 304_326_632, 85.952),
        )
    ),
    Published("vit_b_16.imagenet1k_v1", TORCHVISION, f"{PYTORCH}/vit_b_16-c867db91.pth", 86_567_656, 224, 81.072),
    Published("vit_b_32.imagenet1k_v1", TORCHVISION, f"{PYTORCH}/vit_b_32-d86f8d99.pth", 88_224_232, 224, 75.912),
    Published("vit_l_16.imagenet1k_v1", TORCHVISION_242, f"{PYTORCH}/vit_l_16-852ce7e3.pth", 304_326_632, 224, 79.662),
    *(
        Published(name, SWAG, f"{PYTORCH}/{file}.pth", parameters, side, accuracy)
        for name, file, parameters, side, accuracy in (
            ("vit_b_16.imagenet1k_swag_e2e_v1", "vit_b_16_swag-9ac1b537", 86_859_496, 384, 85.304),
            ("vit_b_16.imagenet1k_swag_linear_v1", "vit_b_16_lc_swag-4e70ced5", 86_567_656, 224, 81.886),
            ("vit_l_16.imagenet1k_swag_e2e_v1", "vit_l_16_swag-4f3808c9", 305_174_504, 512, 88.064),
            ("vit_l_16.imagenet1k_swag_linear_v1", "vit_l_16_lc_swag-4d563306", 304_326_632, 224, 85.146),
        )
    ),
)
BY_NAME = {published.name: published for published in PUBLISHED}


def find(name: str) -> Published | None:
    """The checkpoint `name`; torchvision's own spelling (`ViT_B_16_Weights.IMAGENET1K_V1`) also works."""
    return BY_NAME.get(name.lower().replace("_weights.", "."))


def unknown(name: str) -> CorollaError:
    """The error for a name that is neither registered nor a path, with similar names."""
    begun = [known for known in BY_NAME if known.startswith(name.lower())]
    near = begun or difflib.get_close_matches(name.lower(), BY_NAME, n=3, cutoff=0.5)
    hint = f"similar: {few(near)}" if near else "see `corolla weights list`"
    return CorollaError(f"there are no published weights and no file {name!r}; {hint}")


def by_file(file: str) -> Published | None:
    """The checkpoint whose address ends in this file name, so that a copy gets the preprocessing of the original."""
    return next((each for each in PUBLISHED if not each.on_hub and each.source.endswith(f"/{file}")), None)
