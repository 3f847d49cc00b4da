"""Finds a model's tensors in any structure of a training script, and removes prefixes from their names.

Scripts save the state dict under a key beside optimizer and arguments, twice if they average weights, and the names
have prefixes for every module around the model. All of that is removed, in any order and nesting; notes report what
was chosen and what was left out. A model of transformers 5 has other names in memory than in its saved files
(`save_pretrained` writes the old ones); they are mapped to the saved ones.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from corolla.errors import CorollaError, few
from corolla.weights.formats import formats_in

MOST_TENSORS = 20_000
DEEPEST = 6  # nested state dicts
AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema")  # preferred, as in timm
USUAL = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "weights", "params", "teacher",
         "student", "backbone", "encoder", "module")  # fmt: skip
# Parts of names that torch.compile, FSDP and checkpointing add, at the start or in the middle.
TRANSPARENT = re.compile(r"(?:(?<=\.)|^)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
BOOKKEEPING = ("n_averaged",)  # torch.optim.swa_utils.AveragedModel's


@dataclass(frozen=True)
class Unwrapped:
    """The tensors by the names of their format, and a line for each choice."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    outside: tuple[str, ...] = field(default=())  # names of tensors outside the model, which were left out


def unwrapped(raw: Any) -> Unwrapped:
    """The tensors of the model in `raw`; `CorollaError` if there are several and the choice is ambiguous.

    Without a recognized model, returns `raw` unchanged, for an error that shows its names.
    """
    tensors, notes = opened(raw)
    check(tensors)
    return peeled(tensors, notes)


def opened(raw: Any) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of the state dict in `raw`, and a line if there was a choice."""
    found = state_dicts(raw)
    known = {path: state for path, state in found.items() if models(state)}
    if not known:
        return max(found.values(), key=len, default={}), []
    chosen, *others = sorted(known, key=standing)
    if rivals := [path for path in others if standing(path) == standing(chosen)]:
        names = few([".".join(path) for path in (chosen, *rivals)])
        raise CorollaError(f"it holds {1 + len(rivals)} models ({names}); save one of them")
    if not others or not chosen:
        return known[chosen], []
    why = ", the averaged weights, as timm does" if set(chosen) & set(AVERAGED) else ""
    name = ".".join(chosen)
    return known[chosen], [f"it holds {name} and {few(map('.'.join, others))}; using {name}{why}"]


def state_dicts(raw: Any) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """All state dicts in `raw`, by the path of keys; cyclic structures are visited once."""
    found: dict[tuple[str, ...], dict[str, Tensor]] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), raw)]
    seen: set[int] = set()
    for path, held in waiting:
        if not isinstance(held, Mapping) or id(held) in seen or len(path) > DEEPEST:
            continue
        seen.add(id(held))
        named = {name: value for name, value in held.items() if isinstance(name, str)}
        if tensors := {name: value for name, value in named.items() if isinstance(value, Tensor)}:
            found[path] = tensors
        waiting += [((*path, name), value) for name, value in named.items()]
    return found


def standing(path: tuple[str, ...]) -> tuple[int, ...]:
    """The priority of a path: averages first, then the usual keys of scripts, then all others."""
    order = (*AVERAGED, *USUAL)
    return tuple(order.index(name) if name in order else len(order) for name in path)


def models(names: Collection[str]) -> list[str]:
    """The name prefix of each recognized model."""
    return list(formats_in(as_saved(plain(names)).values()))


def plain(names: Collection[str]) -> list[str]:
    """The names without wrapper parts in the middle, and only those of a model."""
    return [TRANSPARENT.sub("", name) for name in names if name not in BOOKKEEPING]


def check(tensors: Mapping[str, Tensor]) -> None:
    """Raise `CorollaError` for more tensors than any model has, and for tensors larger than their storage."""
    if len(tensors) > MOST_TENSORS:
        raise CorollaError(f"the checkpoint holds {len(tensors)} tensors, more than any Vision Transformer")
    for name, tensor in tensors.items():
        # A pickle can claim any shape over a few bytes; a copy would allocate it.
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            raise CorollaError(f"the checkpoint's {name} is not a regular tensor; save it again as safetensors")


def peeled(tensors: Mapping[str, Tensor], notes: list[str]) -> Unwrapped:
    """The model's tensors without their common prefix, and without tensors outside the model."""
    bare = {TRANSPARENT.sub("", name): tensor for name, tensor in tensors.items() if name not in BOOKKEEPING}
    saved = as_saved(bare)
    bare = {saved[name]: tensor for name, tensor in bare.items()}
    wrappers = models(bare)
    if not wrappers:
        return Unwrapped(dict(tensors), tuple(notes))
    wrapper = min(wrappers, key=rank)
    if rivals := [each for each in wrappers if each != wrapper and rank(each) == rank(wrapper)]:
        raise CorollaError(f"it holds {1 + len(rivals)} models ({few([wrapper, *rivals])}); save one of them")
    inside = {name.removeprefix(wrapper): tensor for name, tensor in bare.items() if name.startswith(wrapper)}
    outside = [name for name in bare if not name.startswith(wrapper)]
    if len(wrappers) > 1:
        others = [each for each in wrappers if each != wrapper]
        notes = [*notes, f"it holds {few(wrappers)}; using {wrapper}"]
        outside = [name for name in outside if not any(name.startswith(other) for other in others if other)]
    if outside:
        notes = [*notes, f"left out, because they are outside {wrapper}: {few(outside)}"]
    return Unwrapped(inside, tuple(notes), tuple(outside))


def rank(wrapper: str) -> int:
    """The priority of a model: an average, DINO's teacher, any other, and last a student or MoCo's key encoder."""
    words = wrapper.split(".")
    if any(word == "ema" or word.endswith("_ema") for word in words):
        return 0
    return 1 if "teacher" in words else 3 if {"student", "momentum_encoder"} & set(words) else 2


LAYER = re.compile(r"(?<![^.])layers\.(\d+)\.(?=attention\.|layernorm_before\.|layernorm_after\.|mlp\.)")
MLP = ((".mlp.fc1.", ".intermediate.dense."), (".mlp.fc2.", ".output.dense."))
ATTENTION = {
    ".attention.q_proj.": ".attention.attention.query.",
    ".attention.k_proj.": ".attention.attention.key.",
    ".attention.v_proj.": ".attention.attention.value.",
    ".attention.o_proj.": ".attention.output.dense.",
}
SAVED_LAYER = re.compile(r"(?<![^.])encoder\.layer\.\d+\.")


def as_saved(names: Collection[str]) -> dict[str, str]:
    """The saved name of each of `names`: unchanged unless it is from a model of transformers 5."""
    if not any(".attention.q_proj." in name for name in names):
        return {name: name for name in names}
    papers = any(".layernorm_before." in name for name in names)  # ViT, DeiT and MSN, and not DINOv2
    found = {}
    for name in names:
        saved = LAYER.sub(r"encoder.layer.\1.", name) if papers else name
        if SAVED_LAYER.search(saved):
            for theirs, ours in (*ATTENTION.items(), *(MLP if papers else ())):
                saved = saved.replace(theirs, ours)
        found[name] = saved
    return found
