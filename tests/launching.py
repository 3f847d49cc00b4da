"""Scripts started several times at once, as torchrun does it."""

import os
import subprocess
import sys
from pathlib import Path


def together(script: Path, count: int, *arguments: str | Path) -> str:
    """What `count` processes of a script print, which all have to end well."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", str(count), str(script), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False,
    )  # fmt: skip
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said
    return said
