"""Which attention is faster in training: eager, as two matrix multiplications, or PyTorch's fused kernel.

    python benchmarks/attention.py

Forward and backward of `models.vit.eager_attention` and of `scaled_dot_product_attention`, interleaved, medians of
rounds, for the widths of ViT-Ti/16 and ViT-S/16 and several sequence lengths. `models.vit.use_eager_attention` is based
on this measurement.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from corolla.models.vit import eager_attention
from corolla.precision import name_of
from corolla.training.runtime import choose_device, hardware

HEADS = {"ViT-Ti/16": 3, "ViT-S/16": 6}
SIDE, TOKENS = 64, (65, 197, 401, 577, 1025)  # width of a head; patches and class token, 576 at 384 pixels
PER_BATCH = 6304  # tokens: 32 images of 197


def seconds(ways: dict[str, object], q: Tensor, k: Tensor, v: Tensor, rounds: int) -> dict[str, float]:
    """The median time of each way's forward and backward pass."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            inputs = [tensor.detach().requires_grad_() for tensor in (q, k, v)]
            begun = time.perf_counter()
            out = way(*inputs)  # type: ignore[operator]
            out.backward(torch.ones_like(out))
            if q.device.type == "cuda":
                torch.cuda.synchronize()
            if number:  # the first round is a warm-up
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Print one row for each precision, width and sequence length."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default=choose_device())
    arguments = parser.parse_args()
    ways = {"written": lambda *qkv: eager_attention(*qkv)[0], "fused": F.scaled_dot_product_attention}
    print(f"{hardware(torch.device(arguments.device))}; torch {torch.__version__}\n")
    print("| precision | heads of | tokens | eager, ms | fused, ms | fused / eager |")
    print("|---|---|---|---|---|---|")
    for dtype in (torch.float32, torch.bfloat16):
        for name, heads in HEADS.items():
            for tokens in TOKENS:
                shape = max(PER_BATCH // tokens, 1), heads, tokens, SIDE
                q, k, v = (torch.randn(shape, device=arguments.device).to(dtype) for _ in range(3))
                taken = seconds(ways, q, k, v, arguments.rounds)
                print(
                    f"| {name_of(dtype)} | {name} | {tokens} | {taken['written'] * 1e3:.0f} "
                    f"| {taken['fused'] * 1e3:.0f} | {taken['fused'] / taken['written']:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
