"""Starts several processes of a script, as torchrun does."""

import sys
from pathlib import Path

from several_processes import output_of, start


def together(script: Path, count: int, *arguments: str | Path) -> str:
    """What `count` processes of a script print, which all must succeed."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    command = [*launcher, "--nproc-per-node", str(count), str(script), *map(str, arguments)]
    with start(command) as process:
        said = output_of(process, 300)
    assert process.returncode == 0, said
    return said
