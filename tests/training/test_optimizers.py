from dataclasses import replace

import pytest
import torch

from corolla.models.config import ViTConfig
from corolla.models.vit import ViT
from corolla.training.ema import ModelEma
from corolla.training.muon import Muon
from corolla.training.optimizers import build_optimizers
from corolla.training.recipes.scratch import RECIPE

TINY = ViTConfig(2, (16, 16), 8, 16, 2, 2, 32, num_reg_tokens=1, layer_scale=0.1)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_every_parameter_is_optimized_once(optimizer: str) -> None:
    model = ViT(replace(TINY, stem=(4, 8)))
    optimizers = build_optimizers(model, replace(RECIPE, optimizer=optimizer), torch.float32)
    held = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    assert len(optimizers) == (2 if optimizer == "muon" else 1)


def test_muon_gets_the_blocks_matrices_and_decay_spares_vectors_and_tokens() -> None:
    model = ViT(TINY)
    adamw, muon = build_optimizers(model, RECIPE, torch.float32)
    assert isinstance(muon, Muon)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    matrices = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert matrices == {
        f"blocks.{i}.{m}.weight" for i in (0, 1) for m in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }
    decayed = {names[id(p)] for p in adamw.param_groups[0]["params"]}
    assert decayed == {"patch_embed.proj.weight", "head.weight"}
    assert adamw.param_groups[1]["weight_decay"] == 0


def test_muon_gets_the_stems_kernels_but_for_the_one_that_reads_pixels() -> None:
    model = ViT(replace(TINY, stem=(4, 8), stem_blocks=1))
    _, muon = build_optimizers(model, RECIPE, torch.float32)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    held = {names[id(p)] for p in muon.param_groups[0]["params"]}
    kernels = {name for name in held if not name.startswith("blocks.")}
    assert kernels == {f"patch_embed.{k}.weight" for k in ("stem.3", "stem.6.branch.0", "stem.6.branch.3", "proj")}


def test_the_average_forgets_where_it_began_and_keeps_counts() -> None:
    model = ViT(replace(TINY, stem=(4,)))
    average = ModelEma(model, decay=0.9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
        model.patch_embed.stem[1].num_batches_tracked.fill_(7)
    for _ in range(200):
        average.update(model)
    for mine, theirs in zip(average.model.state_dict().values(), model.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-4)
    assert average.model.patch_embed.stem[1].num_batches_tracked == 7
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_no_token_is_decayed() -> None:
    model = ViT(replace(TINY, distilled=True))
    adamw, _ = build_optimizers(model, RECIPE, torch.float32)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    free = {names[id(p)] for p in adamw.param_groups[1]["params"]}
    assert {"cls_token", "dist_token", "reg_token", "pos_embed"} <= free
