"""What makes one Vision Transformer differ from another, as plain values; `corolla.models.vit` builds it from them.

Nothing here needs torch, so that a name, a run's config or an option is refused before it is loaded.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

GlobalPool = Literal["token", "avg", "token+avg"]
PosEmbed = Literal["learned", "sincos", "none"]
Rotary = Literal["none", "centered", "counted"]
Activation = Literal["gelu", "swiglu"]
MAX_DIM, MAX_DEPTH, MAX_SEQUENCE, MAX_REGISTERS = 16_384, 256, 65_536, 1024  # beyond any Vision Transformer


@dataclass(frozen=True)
class ViTConfig:
    """What makes one Vision Transformer differ from another (the paper's table 1 and what came after it)."""

    num_classes: int
    image_size: tuple[int, int] = (224, 224)  # height and width the positions are laid out for, in pixels
    patch_size: int = 16  # P: pixels of the image under one token, along a side
    embed_dim: int = 768  # D
    depth: int = 12  # L
    num_heads: int = 12
    mlp_dim: int = 3072
    activation: Activation = "gelu"  # swiglu: one half of twice the MLP's width gates the other (arXiv 2002.05202)
    norm_eps: float = 1e-6
    global_pool: GlobalPool = "token"  # what the head reads: class token (eq. 4), mean of patches or both
    norm_after_pooling: bool = False  # the last norm reads the mean alone (arXiv 2111.06377, fine-tuned)
    pos_embed: PosEmbed = "learned"  # added to tokens; sincos: fixed, two-dimensional (arXiv 2205.01580)
    pos_embed_antialias: bool = True  # when learned positions are resized; published weights differ
    rotary: Rotary = "none"  # queries and keys turned by a patch's place: from the middle (DINOv3) or counted (EVA-02)
    rotary_base: float = 100.0  # about how many times faster the first channels turn than the last (arXiv 2104.09864)
    rotary_grid: tuple[int, int] | None = None  # rows and columns that any grid is counted as; None: its own
    norm_in_attention: bool = False  # one more norm before each block's last projection (arXiv 2210.06423)
    norm_in_mlp: bool = False  # and before its last layer
    distilled: bool = False  # a second token with its own head, which learned from a teacher (arXiv 2012.12877)
    num_reg_tokens: int = 0  # extra tokens without a position (arXiv 2309.16588)
    layer_scale: float | None = None  # first value of each branch's learned scale (arXiv 2103.17239)
    drop_path: float = 0.0  # stochastic depth of the last block, rising linearly from 0 (arXiv 1603.09382)
    stem: tuple[int, ...] = ()  # channels of the hybrid's convolutional stages; () is the paper's plain ViT
    stem_blocks: int = 0  # residual blocks (arXiv 1512.03385) after each of the stem's stages but the first

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be built, in one line each."""
        if min(self.num_classes, self.patch_size, self.embed_dim, self.depth, self.num_heads, self.mlp_dim) < 1:
            raise ValueError("classes, patch size, width, depth, heads and MLP size should all be at least 1")
        choices = {"global_pool": GlobalPool, "pos_embed": PosEmbed, "activation": Activation, "rotary": Rotary}
        for name, known in choices.items():
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(known))}")
        if not 0 < self.norm_eps < 1:
            raise ValueError(f"the norms' epsilon is {self.norm_eps}; it should be a small number above 0")
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} is not a multiple of {self.num_heads} heads; choose one that is"
            )
        if self.distilled and self.global_pool != "token":
            raise ValueError("a distillation token stands beside a class token; choose global_pool='token'")
        if self.norm_after_pooling and self.global_pool != "avg":
            raise ValueError("only the mean of the patches can come before the last norm; choose global_pool='avg'")
        if self.pos_embed == "sincos" and self.embed_dim % 4:
            raise ValueError(f"sin-cos positions need an embed_dim that is a multiple of 4, not {self.embed_dim}")
        self.check_rotary()
        if self.stem_blocks < 0:
            raise ValueError(f"a stem cannot have {self.stem_blocks} residual blocks a stage; use 0 or more")
        if self.patch_size % 2 ** len(self.stem):
            raise ValueError(
                f"a stem of {len(self.stem)} stages does not divide a patch size of {self.patch_size}; it is too small"
            )
        self.grid(self.image_size)

    def check_rotary(self) -> None:
        """ValueError for rotary positions that cannot be built."""
        if self.rotary == "none":
            if self.pos_embed == "none":
                raise ValueError("a model without added positions needs rotary ones; set rotary")
            return
        if self.embed_dim // self.num_heads % 4:
            dim = self.embed_dim // self.num_heads
            raise ValueError(f"rotary positions need heads whose dimension is a multiple of 4, not {dim}")
        if not 1 < self.rotary_base < 1e9:
            raise ValueError(f"the base of rotary positions is {self.rotary_base}; it should be above 1, such as 100")
        if self.rotary_grid is not None and (len(self.rotary_grid) != 2 or min(self.rotary_grid) < 1):
            raise ValueError(f"rotary positions cannot be counted as those of a grid of {self.rotary_grid}")

    def grid(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of `image_size` (height, width), which they must divide."""
        (height, width), side = image_size, self.patch_size
        if min(height, width) < side or height % side or width % side:
            raise ValueError(f"an image of {height}x{width} does not divide into patches of {side}x{side} pixels")
        return height // side, width // side


def config_from(values: dict[str, Any]) -> ViTConfig:
    """The configuration in plain values; ValueError, TypeError or KeyError if they are none."""
    tuples = ["image_size", "stem"] + (["rotary_grid"] if values.get("rotary_grid") is not None else [])
    return ViTConfig(**values | {key: tuple(values[key]) for key in tuples})


def check_size(config: ViTConfig) -> None:
    """ValueError for a model larger than any there is: a hostile file must not fill the memory."""
    rows, columns = config.grid(config.image_size)
    sizes = (config.num_classes, config.embed_dim, config.depth, config.num_heads, config.mlp_dim, config.patch_size)
    if not all(isinstance(value, int) and value > 0 for value in (*sizes, *config.stem)):
        raise ValueError("the architecture's sizes should be whole numbers above zero")
    if max(config.embed_dim, config.mlp_dim // 8, *config.stem) > MAX_DIM or config.depth > MAX_DEPTH:
        raise ValueError("the architecture is larger than any Vision Transformer")
    if not isinstance(config.stem_blocks, int) or not 0 <= config.stem_blocks <= MAX_DEPTH:
        raise ValueError("the architecture's stem has no such number of residual blocks")
    if rows * columns > MAX_SEQUENCE or not 0 <= config.num_reg_tokens <= MAX_REGISTERS:
        raise ValueError("the architecture has more tokens than any Vision Transformer")
