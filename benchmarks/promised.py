"""Reads the promises of `promises.toml`, checks measurements, and finds what has changed since the last measurement."""

import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FILE = Path(__file__).with_name("promises.toml")
HOLDS = ("at most", "at least", "about")


@dataclass(frozen=True)
class Sentence:
    """Where the documents state a figure: a file of the checkout, and its text with the figures filled in."""

    file: str
    text: str


@dataclass(frozen=True)
class Promise:
    """One figure that the documents state; `promises.toml` explains the fields."""

    name: str
    claim: str
    command: str
    value: float
    unit: str
    holds: str
    tolerance: float
    hardware: str
    commit: str
    minutes: float
    seeds: int
    spread: str
    measure: str = ""
    needs: Sequence[str] = ()  # arithmetic units; the claim is about processors with at least one of them
    figures: Mapping[str, str] = field(default_factory=dict)
    where: Sequence[Mapping[str, str]] = ()

    def sentences(self) -> list[Sentence]:
        """The sentences that the documents should contain, with the figures filled in."""
        known = {"value": self.value, **self.figures}
        return [Sentence(place["file"], place["text"].format(**known)) for place in self.where]

    def about(self, units: Collection[str]) -> bool:
        """Whether the claim is about processors with these arithmetic units."""
        return not self.needs or any(unit in units for unit in self.needs)

    def kept(self, measured: float) -> bool:
        """Whether this figure keeps the promise; NaN does not."""
        if self.holds == "at most":
            return measured <= self.value * (1 + self.tolerance)
        if self.holds == "at least":
            return measured >= self.value * (1 - self.tolerance)
        return abs(measured - self.value) <= self.value * self.tolerance


@dataclass(frozen=True)
class Promises:
    """All promises, and the files and folders that the long measurements depend on."""

    depends: tuple[str, ...]
    promises: tuple[Promise, ...]

    def chosen(self, names: Sequence[str]) -> tuple[Promise, ...]:
        """The promises with these names, in file order; all if no name is given. ValueError for an unknown name."""
        known = [promise.name for promise in self.promises]
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no promise is called {', '.join(unknown)}; there is {', '.join(known)}")
        return tuple(promise for promise in self.promises if not names or promise.name in names)


def read(file: Path = FILE) -> Promises:
    """Read the promises; ValueError for a missing field, an unknown field or a repeated name."""
    content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    known = {each.name for each in fields(Promise)}
    promises = []
    for row in content["claim"]:
        if unknown := sorted(row.keys() - known):
            raise ValueError(f"the promise {row.get('name')} has {', '.join(unknown)}, an unknown field")
        try:
            promise = Promise(**row)
        except TypeError as error:
            raise ValueError(f"the promise {row.get('name')} is not whole: {error}") from None
        if promise.holds not in HOLDS:
            raise ValueError(f"the promise {promise.name} holds {promise.holds!r}; write one of {', '.join(HOLDS)}")
        promises.append(promise)
    names = [promise.name for promise in promises]
    if len(set(names)) < len(names):
        raise ValueError("two promises have the same name")
    return Promises(tuple(content["depends"]), tuple(promises))


def shown(value: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{value:.1%}" if unit == "share" else f"{value:.2f} {unit}"


def promised(promise: Promise) -> str:
    """The promised figure with its tolerance."""
    within = f" (± {promise.tolerance:.1%} of it)" if promise.tolerance else ""
    return f"{promise.holds} {shown(promise.value, promise.unit)}{within}"


Git = Callable[..., str]


def git(*words: str) -> str:
    """The output of git in this checkout; "" if it fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def since(promise: Promise, depends: Sequence[str], ask: Git = git) -> str:
    """The age of a figure: how many commits ago it was measured, and how many relevant files have changed since."""
    if not ask("rev-parse", "--verify", "--quiet", f"{promise.commit}^{{commit}}"):
        return f"measured at {promise.commit}, which this checkout does not know"
    count = ask("rev-list", "--count", f"{promise.commit}..HEAD") or "0"
    changed = ask("diff", "--name-only", promise.commit, "HEAD", "--", *depends).splitlines()
    told = f"measured at {promise.commit}, {count} commits ago; "
    if not changed:
        return f"{told}no relevant file changed since"
    few = ", ".join(changed[:3]) + (", …" if len(changed) > 3 else "")
    return f"{told}{len(changed)} relevant files changed since: {few}"
