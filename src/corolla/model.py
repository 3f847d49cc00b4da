"""The Vision Transformer of "An Image is Worth 16x16 Words" (Dosovitskiy et al. 2020, arXiv 2010.11929).

Read it beside section 3.1 and appendix A of the paper: equation numbers stand where they are computed. The shapes
on the lines use the paper's letters: B images, H x W pixels, P the patch side, N patches, D the width,
and here also S = N + class token + registers, the length of the sequence, and h heads of d = D / h.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from corolla.branches import DropPath, LayerScale
from corolla.configuration import ViTConfig as ViTConfig  # this is where people look for it
from corolla.head import Head
from corolla.positions import resize_positions, sincos_positions
from corolla.rotary import rotate, rotations
from corolla.stem import ConvStem, ResidualBlock


@dataclass
class Intermediates:
    """What the model saw on its way, filled by `ViT.inspect` (no hooks, nothing kept otherwise)."""

    embedded: Tensor = field(default_factory=lambda: torch.empty(0))  # z_0 (B, S, D)
    blocks: list[Tensor] = field(default_factory=list)  # z_1 ... z_L, each (B, S, D)
    attention: list[Tensor] = field(default_factory=list)  # A of each block (B, h, S, S)
    pooled: Tensor = field(default_factory=lambda: torch.empty(0))  # y (B, D), what the head reads
    logits: Tensor = field(default_factory=lambda: torch.empty(0))  # (B, classes)


# --------------------------------------------------------------------------------------------------------------------
# Attention


def eager_attention(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Appendix A as it is written: the attended values (B, h, S, d) and the weights A (B, h, S, S)."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # eq. 6, inside: (B, h, S, S)
    # Half precision overflows and rounds in a softmax; single precision there is one cure for NaN losses.
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(v.dtype)  # eq. 6
    return weights @ v, weights  # eq. 7


def use_eager_attention(device: str, dtype: torch.dtype, tokens: int, trains: bool) -> bool:
    """Whether two plain products are faster than PyTorch's fused kernel, which never forms A (benchmarks/attention.py).

    They are in training in bfloat16 on a CPU, where that kernel's backward is slow, until A outgrows the cache.
    """
    return device == "cpu" and dtype == torch.bfloat16 and tokens < 512 and trains


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The seam where the computation of eqs 6 and 7 is chosen: the attended values (B, h, S, d)."""
    if use_eager_attention(q.device.type, q.dtype, q.shape[-2], torch.is_grad_enabled() and q.requires_grad):
        return eager_attention(q, k, v)[0]
    return F.scaled_dot_product_attention(q, k, v)


class Attention(nn.Module):
    """Multi-head self-attention (eqs 5-8)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)  # U_qkv
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps) if config.norm_in_attention else nn.Identity()
        self.out = nn.Linear(config.width, config.width)  # U_msa

    def forward(self, z: Tensor, turns: Tensor | None = None, seen: Intermediates | None = None) -> Tensor:
        """From (B, S, D) to (B, S, D), with rotary positions (2, S, d) if any; the weights go to `seen` if given."""
        q, k, v = self.qkv(z).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # eq. 5: each (B, h, S, d)
        if turns is not None:
            q, k = rotate(q, turns), rotate(k, turns)
        if seen is None:
            heads = attend(q, k, v)  # eqs 6, 7
        else:
            heads, weights = eager_attention(q, k, v)
            seen.attention.append(weights)
        joined: Tensor = self.out(self.norm(heads.transpose(1, 2).flatten(2)))  # eq. 8: (B, S, D)
        return joined


# --------------------------------------------------------------------------------------------------------------------
# The encoder


class SwiGLU(nn.Module):
    """The first half of the channels, through a SiLU, gates the second (arXiv 2002.05202, eq. 6)."""

    def forward(self, x: Tensor) -> Tensor:
        """From (B, S, 2 C) to (B, S, C)."""
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


class MLP(nn.Sequential):
    """Two layers with a non-linearity between them, applied to each token alone: (B, S, D) to (B, S, D)."""

    def __init__(self, config: ViTConfig) -> None:
        width, hidden, gated = config.width, config.mlp_dim, config.activation == "swiglu"
        first = nn.Linear(width, 2 * hidden if gated else hidden)
        layers: dict[str, nn.Module] = {"0": first, "1": SwiGLU() if gated else nn.GELU()}
        if config.norm_in_mlp:
            layers["norm"] = nn.LayerNorm(hidden, eps=config.norm_eps)
        super().__init__(OrderedDict(layers | {"2": nn.Linear(hidden, width)}))


class Block(nn.Module):
    """One layer of the encoder, normalized before each branch (eqs 2 and 3)."""

    def __init__(self, config: ViTConfig, drop_path: float) -> None:
        super().__init__()

        def end_of_branch() -> nn.Module:
            parts: list[nn.Module] = []
            if config.layer_scale is not None:
                parts.append(LayerScale(config.width, config.layer_scale))
            if drop_path:
                parts.append(DropPath(drop_path))
            return nn.Sequential(*parts)

        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attention = Attention(config)
        self.branch1 = end_of_branch()
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = MLP(config)
        self.branch2 = end_of_branch()

    def forward(self, z: Tensor, turns: Tensor | None = None, seen: Intermediates | None = None) -> Tensor:
        """From z_(l-1) to z_l, both (B, S, D)."""
        z = z + self.branch1(self.attention(self.norm1(z), turns, seen))  # eq. 2
        z = z + self.branch2(self.mlp(self.norm2(z)))  # eq. 3
        if seen is not None:
            seen.blocks.append(z)
        return z


# --------------------------------------------------------------------------------------------------------------------
# From pixels to tokens


class PatchEmbedding(nn.Module):
    """Cut the image, or the stem's feature map, into patches and project each one to a token (E in eq. 1).

    Flattening every P x P x C patch and multiplying by E is a convolution whose stride is its kernel size.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.stem = ConvStem(config.stem, config.stem_blocks) if config.stem else nn.Identity()
        channels = config.stem[-1] if config.stem else 3
        patch = config.patch_size // 2 ** len(config.stem)  # pixels of the feature map under one token
        self.project = nn.Conv2d(channels, config.width, kernel_size=patch, stride=patch)  # E

    def forward(self, images: Tensor) -> Tensor:
        """From images (B, 3, H, W) to tokens (B, N, D), row by row."""
        features = self.project(self.stem(images))  # (B, D, H/P, W/P)
        tokens: Tensor = features.flatten(2).transpose(1, 2)  # (B, N, D)
        return tokens


# --------------------------------------------------------------------------------------------------------------------
# The whole


class ViT(nn.Module):
    """A Vision Transformer: patch embedding, encoder, head (figure 1 of the paper)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.trained_grid = config.grid(config.image_size)
        patches = self.trained_grid[0] * self.trained_grid[1]
        with_class_token = "token" in config.pooling

        self.patches = PatchEmbedding(config)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width)) if with_class_token else None
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.distilled else None
        self.num_prefix_tokens = with_class_token + config.distilled  # those with a position of their own
        self.registers = nn.Parameter(torch.zeros(1, config.registers, config.width)) if config.registers else None
        learned = config.positions == "learned"
        self.positions = (
            nn.Parameter(torch.zeros(1, self.num_prefix_tokens + patches, config.width)) if learned else None
        )
        rates = [config.drop_path * layer / max(config.depth - 1, 1) for layer in range(config.depth)]
        self.blocks = nn.ModuleList(Block(config, rate) for rate in rates)
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.head = Head(config.width * len(config.pooling.split("+")), config.num_classes)
        self.distillation_head = Head(config.width, config.num_classes) if config.distilled else None
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
        nn.init.trunc_normal_(self.patches.project.weight, std=math.sqrt(1 / self.patches.project.weight[0].numel()))
        for tokens in (self.class_token, self.distillation_token, self.registers, self.positions):
            if tokens is not None:
                nn.init.trunc_normal_(tokens, std=0.02)
        for head in (self.head, self.distillation_head):
            if head is not None:
                nn.init.zeros_(head.weight)

    def positions_for(self, image_size: tuple[int, int], like: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What is added to class and distillation token (1, 1 or 2, D) and to patches (1, N, D); None for nothing."""
        grid = self.config.grid(image_size)
        if self.config.positions == "none":
            return None, None
        if self.positions is None:
            return None, sincos_positions(grid, self.trained_grid, self.config.width).to(like)
        own = self.positions[:, : self.num_prefix_tokens] if self.num_prefix_tokens else None
        patches = self.positions[:, self.num_prefix_tokens :]
        return own, resize_positions(patches, self.trained_grid, grid, self.config.antialias_positions)

    def turns_for(self, image_size: tuple[int, int], like: Tensor) -> Tensor | None:
        """The rotary positions (2, S, d) of all tokens, if the model has any; in single precision."""
        if self.config.rotary == "none":
            return None
        before = self.num_prefix_tokens + self.config.registers
        return rotations(self.config, self.config.grid(image_size), before, like.device)

    def embed(self, images: Tensor, tokens: Tensor | None = None) -> Tensor:
        """z_0, the sequence that enters the encoder: (B, 3, H, W) to (B, S, D); `tokens` are its patches if at hand."""
        tokens = self.patches(images) if tokens is None else tokens  # [x_1 E; ...; x_N E]: (B, N, D)
        own_positions, patch_positions = self.positions_for((images.shape[-2], images.shape[-1]), tokens)
        sequence = [tokens if patch_positions is None else tokens + patch_positions]  # eq. 1
        if self.registers is not None:
            sequence.insert(0, self.registers.expand(tokens.shape[0], -1, -1).to(tokens))
        own: list[Tensor] = [token for token in (self.class_token, self.distillation_token) if token is not None]
        if own:
            first = torch.cat(own, dim=1) if own_positions is None else torch.cat(own, dim=1) + own_positions
            sequence.insert(0, first.expand(tokens.shape[0], -1, -1).to(tokens))
        return torch.cat(sequence, dim=1)  # (B, S, D)

    def patch_tokens(self, z: Tensor) -> Tensor:
        """Those of z (B, S, D) that stand for patches: (B, N, D), row by row."""
        return z[:, self.num_prefix_tokens + self.config.registers :]

    def pool(self, z: Tensor) -> Tensor:
        """What the head reads of the last layer: (B, S, D) to y (B, D), or (B, 2 D) for class token and mean."""
        if self.config.pooling == "token":
            return z[:, 0]  # z_L^0
        mean = self.patch_tokens(z).mean(dim=1)
        if self.class_token is not None:
            return torch.cat([z[:, 0], mean], dim=1)
        return self.norm(mean) if self.config.norm_after_pooling else mean

    def encode(self, images: Tensor, seen: Intermediates | None = None, tokens: Tensor | None = None) -> Tensor:
        """The last layer (B, S, D), normalized before it is pooled, of images (B, 3, H, W); H, W multiples of P."""
        z = self.embed(images, tokens)  # eq. 1
        if seen is not None:
            seen.embedded = z
        return self.encode_from(0, z, self.turns_for((images.shape[-2], images.shape[-1]), z), seen)

    def encode_from(self, layer: int, z: Tensor, turns: Tensor | None, seen: Intermediates | None = None) -> Tensor:
        """The same, going on from z_layer (B, S, D), with what `turns_for` says of the images' size."""
        for place in range(layer, len(self.blocks)):
            z = self.blocks[place](z, turns, seen)  # eqs 2, 3
        return z if self.config.norm_after_pooling else self.norm(z)

    def forward(self, images: Tensor, seen: Intermediates | None = None) -> Tensor:
        """The logits (B, classes) of normalized images (B, 3, H, W)."""
        y, logits = self.answer(self.encode(images, seen))
        if seen is not None:
            seen.pooled, seen.logits = y, logits
        return logits

    def answer(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """What the head reads, y (B, D), and the logits (B, classes), of the last layer z (B, S, D)."""
        y = self.pool(z)  # eq. 4: (B, D)
        logits: Tensor = self.head(y)
        if self.distillation_head is not None:  # both heads answer, each for half (arXiv 2012.12877, section 4)
            logits = (logits + self.distillation_head(z[:, 1])) / 2
        return y, logits

    def inspect(self, images: Tensor) -> Intermediates:
        """Run the images (B, 3, H, W) through and return everything the model computed on the way."""
        seen = Intermediates()
        self(images, seen)
        return seen
