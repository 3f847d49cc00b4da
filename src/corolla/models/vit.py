"""The Vision Transformer of "An Image is Worth 16x16 Words" (Dosovitskiy et al. 2020, arXiv 2010.11929).

Read it beside section 3.1 and appendix A of the paper: equation numbers stand where they are computed. The shapes
on the lines use the paper's letters: B images, H x W pixels, P the patch side, N patches, D the embedding dimension,
and here also S = N + prefix tokens + registers, the length of the sequence, and h heads of d = D / h.

Modules are named as in timm's `vision_transformer.py`, and tests hold the model equal to timm, torchvision,
transformers and Google's own weights (tests/weights, benchmarks/references.py).
"""

import math
from collections.abc import Container
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from corolla.models.config import ViTConfig
from corolla.models.rotary import rotate, rotations


def nothing() -> Tensor:
    """A tensor without elements, in the place of one that is not computed yet."""
    return torch.empty(0)


@dataclass
class Intermediates:
    """What the model computes on the way to its logits. `ViT.forward` fills one that it is given.

    Saves the outputs of `layers` alone if given. Attention weights need the eager attention, which is slower and takes
    more memory: with `with_attention=False` none are computed.
    """

    layers: Container[int] | None = None
    with_attention: bool = True
    patches: Tensor = field(default_factory=nothing)  # x_p E (B, N, D), without positions
    embedded: Tensor = field(default_factory=nothing)  # z_0 (B, S, D)
    blocks: dict[int, Tensor] = field(default_factory=dict)  # by layer - 1: z_1 ... z_L, each (B, S, D)
    attention: list[Tensor] = field(default_factory=list)  # A of each block (B, h, S, S)
    features: Tensor = field(default_factory=nothing)  # what `forward_features` returns (B, S, D)
    pooled: Tensor = field(default_factory=nothing)  # y (B, D), which the head reads
    logits: Tensor = field(default_factory=nothing)  # (B, classes)


# --------------------------------------------------------------------------------------------------------------------
# Attention


def eager_attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Appendix A as it is written: the attended values (B, h, S, d) and the weights A (B, h, S, S)."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # eq. 6, inside: (B, h, S, S)
    # Half precision overflows and rounds in a softmax; single precision there is one cure for NaN losses.
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype)  # eq. 6
    return weights @ v, weights  # eq. 7


def use_eager_attention(device: str, dtype: torch.dtype, tokens: int, trains: bool) -> bool:
    """Whether two matrix multiplications are faster than PyTorch's fused kernel (benchmarks/attention.py).

    They are in training in bfloat16 on a CPU, where that kernel's backward is slow, until A outgrows the cache.
    """
    return device == "cpu" and dtype == torch.bfloat16 and tokens < 512 and trains


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The attended values (B, h, S, d) of eqs 6 and 7, by the faster of the two implementations."""
    if use_eager_attention(q.device.type, q.dtype, q.shape[-2], torch.is_grad_enabled() and q.requires_grad):
        return eager_attention(q, k, v)[0]
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention (eqs 5-8)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim)  # U_qkv
        self.norm = nn.LayerNorm(config.embed_dim, eps=config.norm_eps) if config.norm_in_attention else nn.Identity()
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)  # U_msa

    def forward(self, z: Tensor, rope: Tensor | None = None, weights: list[Tensor] | None = None) -> Tensor:
        """From (B, S, D) to (B, S, D), with rotary positions (2, S, d) if any; A is appended to `weights` if given."""
        q, k, v = self.qkv(z).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)  # eq. 5: each (B, h, S, d)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        if weights is None:
            heads = attention(q, k, v)  # eqs 6, 7
        else:
            heads, own = eager_attention(q, k, v)
            weights.append(own)
        projected: Tensor = self.proj(self.norm(heads.transpose(1, 2).flatten(2)))  # eq. 8: (B, S, D)
        return projected


# --------------------------------------------------------------------------------------------------------------------
# The encoder


class MLP(nn.Module):
    """Two layers with a non-linearity between them, applied to each token alone: (B, S, D) to (B, S, D)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        dim, hidden, gated = config.embed_dim, config.mlp_dim, config.activation == "swiglu"
        self.fc1 = nn.Linear(dim, 2 * hidden if gated else hidden)
        self.act = SwiGLU() if gated else nn.GELU()
        self.norm = nn.LayerNorm(hidden, eps=config.norm_eps) if config.norm_in_mlp else nn.Identity()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """From (B, S, D) to (B, S, D)."""
        projected: Tensor = self.fc2(self.norm(self.act(self.fc1(x))))
        return projected


class SwiGLU(nn.Module):
    """The first half of the channels, through a SiLU, gates the second (arXiv 2002.05202, eq. 6)."""

    def forward(self, x: Tensor) -> Tensor:
        """From (B, S, 2 C) to (B, S, C)."""
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


class LayerScale(nn.Module):
    """A learned scale for each channel of a residual branch, small at first (arXiv 2103.17239, eq. 4)."""

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), initial))

    def forward(self, x: Tensor) -> Tensor:
        """Scale (B, S, D) channel by channel."""
        return x * self.gamma


class DropPath(nn.Module):
    """Stochastic depth: in training a residual branch is left out for whole images (arXiv 1603.09382)."""

    keep: Tensor

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        # The first of these images in a batch that several processes share, and the size of the batch; None: all of it.
        self.place: tuple[int, int] | None = None
        # A tensor: compiled code would be compiled again for every number, and so for every block.
        self.register_buffer("keep", torch.empty(()), persistent=False)
        self.reset()

    def reset(self) -> None:
        """Set the probability, after the module was built without memory (on PyTorch's `meta` device)."""
        self.keep = torch.tensor(1.0 - self.probability)

    def forward(self, x: Tensor) -> Tensor:
        """Zero the branch for a random fraction of the B images and scale the others up to keep the mean."""
        if not self.training:
            return x
        first, whole = self.place or (0, x.shape[0])
        # Sampled for the whole batch: the result is the same however many processes share it.
        kept = torch.bernoulli(self.keep.expand(whole))[first : first + x.shape[0]] / self.keep  # (B,)
        return x * kept.view(-1, *[1] * (x.ndim - 1)).to(x.dtype)


class Block(nn.Module):
    """One layer of the encoder, normalized before each branch (eqs 2 and 3)."""

    def __init__(self, config: ViTConfig, drop_path: float) -> None:
        super().__init__()
        dim, initial = config.embed_dim, config.layer_scale
        self.norm1 = nn.LayerNorm(dim, eps=config.norm_eps)
        self.attn = Attention(config)
        self.ls1 = nn.Identity() if initial is None else LayerScale(dim, initial)
        self.drop_path1 = DropPath(drop_path) if drop_path else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=config.norm_eps)
        self.mlp = MLP(config)
        self.ls2 = nn.Identity() if initial is None else LayerScale(dim, initial)
        self.drop_path2 = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, z: Tensor, rope: Tensor | None = None, weights: list[Tensor] | None = None) -> Tensor:
        """From z_(l-1) to z_l, both (B, S, D); A is appended to `weights` if given."""
        z = z + self.drop_path1(self.ls1(self.attn(self.norm1(z), rope, weights)))  # eq. 2
        z = z + self.drop_path2(self.ls2(self.mlp(self.norm2(z))))  # eq. 3
        return z


# --------------------------------------------------------------------------------------------------------------------
# From pixels to tokens


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (arXiv 1512.03385): (B, C, H, W) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )
        self.last_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the branch computes."""
        return F.relu(x + self.last_norm(self.branch(x)))


class ConvStem(nn.Sequential):
    """The hybrid's feature maps (section 3.1), each stage a 3x3 convolution of stride 2 (arXiv 2106.14881).

    Residual blocks follow every stage but the first, whose large maps make them expensive.
    """

    def __init__(self, channels: tuple[int, ...], blocks: int) -> None:
        stages: list[nn.Module] = []
        for stage, (before, after) in enumerate(pairwise((3, *channels))):
            stages += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            stages += [ResidualBlock(after) for _ in range(blocks if stage else 0)]
        super().__init__(*stages)


class PatchEmbed(nn.Module):
    """Cut the image, or the stem's feature map, into patches and project each one to a token (E in eq. 1).

    Flattening every P x P x C patch and multiplying by E is a convolution whose stride is its kernel size.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.stem = ConvStem(config.stem, config.stem_blocks) if config.stem else nn.Identity()
        channels = config.stem[-1] if config.stem else 3
        side = config.patch_size // 2 ** len(config.stem)  # pixels of the feature map under one token
        self.proj = nn.Conv2d(channels, config.embed_dim, kernel_size=side, stride=side)  # E

    def forward(self, images: Tensor) -> Tensor:
        """From images (B, 3, H, W) to tokens (B, N, D), row by row."""
        features = self.proj(self.stem(images))  # (B, D, H/P, W/P)
        tokens: Tensor = features.flatten(2).transpose(1, 2)  # (B, N, D)
        return tokens


def sincos_pos_embed(grid: tuple[int, int], trained_grid: tuple[int, int], dim: int) -> Tensor:
    """Fixed two-dimensional positions (1, N, D): a quarter each of sin x, cos x, sin y, cos y (arXiv 2205.01580).

    A grid other than the trained one is laid over the same image, its patches' centers measured in the
    trained grid's units; the functions are continuous, so nothing has to be resampled.
    """
    (rows, columns), (trained_rows, trained_columns) = grid, trained_grid
    y = (torch.arange(rows) + 0.5) * trained_rows / rows - 0.5
    x = (torch.arange(columns) + 0.5) * trained_columns / columns - 0.5
    frequencies = 10_000 ** -torch.linspace(0, 1, dim // 4)  # (D/4,)
    y_waves = (y[:, None] * frequencies)[:, None, :].expand(rows, columns, -1)
    x_waves = (x[:, None] * frequencies)[None, :, :].expand(rows, columns, -1)
    return torch.cat([x_waves.sin(), x_waves.cos(), y_waves.sin(), y_waves.cos()], dim=-1).flatten(0, 1)[None]


def resize_pos_embed(
    pos_embed: Tensor, trained_grid: tuple[int, int], grid: tuple[int, int], antialias: bool = True
) -> Tensor:
    """Learned positions of patches (1, N, D), interpolated to another grid (section 3.2, "Fine-tuning")."""
    if grid == trained_grid:
        return pos_embed
    image = pos_embed.view(1, *trained_grid, -1).permute(0, 3, 1, 2).float()  # (1, D, rows, columns)
    image = F.interpolate(image, size=grid, mode="bicubic", antialias=antialias, align_corners=False)
    return image.permute(0, 2, 3, 1).flatten(1, 2).to(pos_embed.dtype)


# --------------------------------------------------------------------------------------------------------------------
# The whole


class Head(nn.Linear):
    """The last layer, always in single precision: the steps of half precision would show in the probabilities."""

    def forward(self, y: Tensor) -> Tensor:
        """From y (B, C) to the logits (B, classes), float32 at least."""
        kind = y.device.type
        with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
            return super().forward(y.to(self.weight.dtype))


class ViT(nn.Module):
    """A Vision Transformer: patch embedding, encoder, head (figure 1 of the paper)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.trained_grid = config.grid(config.image_size)
        num_patches = self.trained_grid[0] * self.trained_grid[1]
        with_cls_token = "token" in config.global_pool

        def learned(tokens: int) -> nn.Parameter | None:
            return nn.Parameter(torch.zeros(1, tokens, config.embed_dim)) if tokens else None

        self.patch_embed = PatchEmbed(config)
        self.cls_token = learned(int(with_cls_token))
        self.dist_token = learned(int(config.distilled))
        self.num_prefix_tokens = with_cls_token + config.distilled  # those with a position of their own
        self.reg_token = learned(config.num_reg_tokens)
        self.pos_embed = learned(self.num_prefix_tokens + num_patches) if config.pos_embed == "learned" else None
        rates = [config.drop_path * layer / max(config.depth - 1, 1) for layer in range(config.depth)]
        self.blocks = nn.ModuleList(Block(config, rate) for rate in rates)
        self.norm = nn.LayerNorm(config.embed_dim, eps=config.norm_eps)
        self.head = Head(config.embed_dim * len(config.global_pool.split("+")), config.num_classes)
        self.head_dist = Head(config.embed_dim, config.num_classes) if config.distilled else None
        self.initialize()

    def initialize(self) -> None:
        """Start as the paper's code does: Xavier matrices, small random tokens and positions, a head of zeros."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=math.sqrt(2 / module.weight[0].numel()))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, ResidualBlock):
                nn.init.zeros_(module.last_norm.weight)  # an identity at first (arXiv 1706.02677, 5.1)
        kernel = self.patch_embed.proj.weight
        nn.init.trunc_normal_(kernel, std=math.sqrt(1 / kernel[0].numel()))
        for tokens in (self.cls_token, self.dist_token, self.reg_token, self.pos_embed):
            if tokens is not None:
                nn.init.trunc_normal_(tokens, std=0.02)
        for head in (self.head, self.head_dist):
            if head is not None:
                nn.init.zeros_(head.weight)

    def pos_embed_for(self, image_size: tuple[int, int], like: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What is added to class and distillation token (1, 1 or 2, D) and to patches (1, N, D); None for nothing."""
        grid = self.config.grid(image_size)
        if self.config.pos_embed == "none":
            return None, None
        if self.pos_embed is None:
            return None, sincos_pos_embed(grid, self.trained_grid, self.config.embed_dim).to(like)
        prefix = self.pos_embed[:, : self.num_prefix_tokens] if self.num_prefix_tokens else None
        patches = self.pos_embed[:, self.num_prefix_tokens :]
        return prefix, resize_pos_embed(patches, self.trained_grid, grid, self.config.pos_embed_antialias)

    def rope_for(self, image_size: tuple[int, int], like: Tensor) -> Tensor | None:
        """The rotary positions (2, S, d) of all tokens, if the model has any; in single precision."""
        if self.config.rotary == "none":
            return None
        before = self.num_prefix_tokens + self.config.num_reg_tokens
        return rotations(self.config, self.config.grid(image_size), before, like.device)

    def embed(self, images: Tensor, seen: Intermediates | None = None) -> Tensor:
        """z_0, the sequence that enters the encoder: (B, 3, H, W) to (B, S, D)."""
        patches = self.patch_embed(images)  # [x_1 E; ...; x_N E]: (B, N, D)
        prefix_positions, patch_positions = self.pos_embed_for((images.shape[-2], images.shape[-1]), patches)
        sequence = [patches if patch_positions is None else patches + patch_positions]  # eq. 1
        if self.reg_token is not None:
            sequence.insert(0, self.reg_token.expand(patches.shape[0], -1, -1).to(patches))
        prefix: list[Tensor] = [token for token in (self.cls_token, self.dist_token) if token is not None]
        if prefix:
            first = torch.cat(prefix, dim=1)
            first = first if prefix_positions is None else first + prefix_positions
            sequence.insert(0, first.expand(patches.shape[0], -1, -1).to(patches))
        z = torch.cat(sequence, dim=1)  # (B, S, D)
        if seen is not None:
            seen.patches, seen.embedded = patches, z
        return z

    def patch_tokens(self, z: Tensor) -> Tensor:
        """The tokens of z (B, S, D) that stand for patches: (B, N, D), row by row."""
        return z[:, self.num_prefix_tokens + self.config.num_reg_tokens :]

    def pool(self, z: Tensor) -> Tensor:
        """What the head reads of the last layer: (B, S, D) to y (B, D), or (B, 2 D) for class token and mean."""
        if self.config.global_pool == "token":
            return z[:, 0]  # z_L^0
        mean = self.patch_tokens(z).mean(dim=1)
        if self.cls_token is not None:
            return torch.cat([z[:, 0], mean], dim=1)
        return self.norm(mean) if self.config.norm_after_pooling else mean

    def forward_features(self, images: Tensor, seen: Intermediates | None = None) -> Tensor:
        """The last layer (B, S, D) of images (B, 3, H, W), normalized unless that comes after pooling.

        H and W are multiples of P.
        """
        z = self.embed(images, seen)  # eq. 1
        rope = self.rope_for((images.shape[-2], images.shape[-1]), z)
        weights = seen.attention if seen is not None and seen.with_attention else None
        for layer, block in enumerate(self.blocks):
            z = block(z, rope, weights)  # eqs 2, 3
            if seen is not None and (seen.layers is None or layer in seen.layers):
                seen.blocks[layer] = z
        z = z if self.config.norm_after_pooling else self.norm(z)
        if seen is not None:
            seen.features = z
        return z

    def forward_head(self, z: Tensor, seen: Intermediates | None = None) -> Tensor:
        """The logits (B, classes) of the last layer (B, S, D)."""
        y = self.pool(z)  # eq. 4: (B, D)
        logits: Tensor = self.head(y)
        if self.head_dist is not None:  # the mean of both heads (arXiv 2012.12877, section 4)
            logits = (logits + self.head_dist(z[:, 1])) / 2
        if seen is not None:
            seen.pooled, seen.logits = y, logits
        return logits

    def forward(self, images: Tensor, seen: Intermediates | None = None) -> Tensor:
        """The logits (B, classes) of normalized images (B, 3, H, W)."""
        return self.forward_head(self.forward_features(images, seen), seen)

    def forward_intermediates(self, images: Tensor) -> Intermediates:
        """Run the images (B, 3, H, W) through the model and return everything it computed on the way."""
        seen = Intermediates()
        self(images, seen)
        return seen
