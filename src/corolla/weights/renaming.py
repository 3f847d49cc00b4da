"""Tensors renamed by a table that is read in both directions.

A row pairs their name with ours. `{}` stands for one word between dots, the same on both sides in the same order:
`("blocks.{}.attn.proj.{}", "blocks.{}.attention.out.{}")`. `#0`, `#1`, `#2` after our name is a third of our tensor,
for checkpoints that keep queries, keys and values apart.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

THIRDS = 3


@dataclass
class Renamed:
    """Tensors under their new names, and the old names that the table does not have."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One row of a table. `kind` limits it to checkpoints of one kind of MLP, where theirs differ in name."""

    theirs: str
    ours: str
    kind: str | None = None

    @property
    def our_name(self) -> str:
        """Our name without the third."""
        return self.ours.partition("#")[0]

    @property
    def third(self) -> int | None:
        """Which third of our tensor theirs is, or None for the whole."""
        _, _, number = self.ours.partition("#")
        return int(number) if number else None


Table = tuple[Row, ...]


def match(template: str, name: str) -> tuple[str, ...] | None:
    """The words that `{}` stand for if `name` fits `template`."""
    pattern = re.escape(template).replace(r"\{\}", r"([^.]+)")
    found = re.fullmatch(pattern, name)
    return found.groups() if found else None


def to_ours(theirs: Mapping[str, Tensor], table: Table) -> Renamed:
    """Their tensors under our names, thirds put together."""
    result = Renamed()
    thirds: defaultdict[str, dict[int, Tensor]] = defaultdict(dict)
    for name, tensor in theirs.items():
        fitting = ((row, words) for row in table if (words := match(row.theirs, name)) is not None)
        row, words = next(fitting, (None, ()))
        if row is None or row.ours.format(*words) in result.tensors:
            result.unknown.append(name)
        elif row.third is None:
            result.tensors[row.ours.format(*words)] = tensor
        else:
            thirds[row.our_name.format(*words)][row.third] = tensor
    for name, parts in thirds.items():
        if len(parts) == THIRDS and len({part.shape for part in parts.values()}) == 1:
            result.tensors[name] = torch.cat([parts[number] for number in range(THIRDS)])
        else:
            result.unknown.append(f"{name} (queries, keys and values that do not belong together)")
    return result


def to_theirs(ours: Mapping[str, Tensor], table: Table, kind: str) -> Renamed:
    """Our tensors under their names; where a table knows several of theirs for one of ours, the first is written."""
    result = Renamed()
    for name, tensor in ours.items():
        rows = [
            (row, words)
            for row in table
            if row.kind in (None, kind) and (words := match(row.our_name, name)) is not None
        ]
        if not rows:
            result.unknown.append(name)
            continue
        if rows[0][0].third is None:
            rows = rows[:1]
        parts = tensor.chunk(THIRDS)
        for row, words in rows:
            part = tensor if row.third is None else parts[row.third]
            result.tensors[row.theirs.format(*words)] = part.contiguous()
    return result
