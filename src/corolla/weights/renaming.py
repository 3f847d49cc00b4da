"""Renames tensors by a table that works in both directions.

A row maps a library's name to ours. `{}` stands for one word between dots, the same on both sides in the same order:
`("blocks.{}.attn.proj.{}", "blocks.{}.attn.proj.{}")`. `#0/3`, `#1/3`, `#2/3` after our name are the thirds of our
tensor, for checkpoints with separate queries, keys and values; `#0/2` and `#1/2` are the halves of a gated layer.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Renamed:
    """Tensors with their new names, and the old names that are not in the table."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One row of a table. `kind` limits it to checkpoints with one kind of MLP, if their names differ."""

    theirs: str
    ours: str
    kind: str | None = None

    @property
    def our_name(self) -> str:
        """Our name without the part suffix."""
        return self.ours.partition("#")[0]

    @property
    def part(self) -> tuple[int, int] | None:
        """The index of the part in our tensor, and the number of parts; None for the whole."""
        number, _, of = self.ours.partition("#")[2].partition("/")
        return (int(number), int(of)) if of else None


Table = tuple[Row, ...]


def match(template: str, name: str) -> tuple[str, ...] | None:
    """The words that `{}` stand for if `name` fits `template`."""
    pattern = re.escape(template).replace(r"\{\}", r"([^.]+)")
    found = re.fullmatch(pattern, name)
    return found.groups() if found else None


def to_ours(theirs: Mapping[str, Tensor], table: Table) -> Renamed:
    """Their tensors with our names, parts joined."""
    result = Renamed()
    parts: defaultdict[tuple[str, int], dict[int, Tensor]] = defaultdict(dict)
    for name, tensor in theirs.items():
        fitting = ((row, words) for row in table if (words := match(row.theirs, name)) is not None)
        row, words = next(fitting, (None, ()))
        if row is None or row.ours.format(*words) in result.tensors:
            result.unknown.append(name)
        elif row.part is None:
            result.tensors[row.ours.format(*words)] = tensor
        else:
            number, of = row.part
            parts[row.our_name.format(*words), of].setdefault(number, tensor)
    for (name, of), found in parts.items():
        whole = len(found) == of and len({part.shape for part in found.values()}) == 1
        if whole and name not in result.tensors:
            result.tensors[name] = torch.cat([found[number] for number in range(of)])
        else:
            result.unknown.append(f"{name} ({of} parts that do not belong together)")
    return result


def to_theirs(ours: Mapping[str, Tensor], table: Table, kind: str) -> Renamed:
    """Our tensors with their names; if a table has several for one of ours, the first is written."""
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
        first = rows[0][0].part
        for row, words in rows[: first[1] if first else 1]:
            part = tensor if row.part is None else tensor.chunk(row.part[1])[row.part[0]]
            result.tensors[row.theirs.format(*words)] = part.contiguous()
    return result
