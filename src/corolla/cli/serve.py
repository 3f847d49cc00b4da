"""`corolla serve`: predictions of a run over HTTP, with a page."""

from typing import Annotated

import typer

from corolla.cli.opening import AskedBackend, AskedPrecision, RunOrFile, check_running, device_for
from corolla.cli.options import RUNNING, Device, Quiet
from corolla.errors import CorollaError

EXAMPLES = (
    "Examples:\ncorolla serve flowers\ncorolla serve runs/flowers --port 8080 --workers 2\n"
    "COROLLA_TOKEN=secret corolla serve runs/flowers --host 0.0.0.0"
)
LIMITS = "Limits"
PACKAGES = ("fastapi", "uvicorn", "python-multipart", "prometheus-client")  # of the extra `serve`


def command(
    run: RunOrFile,
    host: Annotated[
        str,
        typer.Option(metavar="NAME", help="The address to listen on; 0.0.0.0 accepts requests of other machines."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="The port; 0 for any free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            envvar="COROLLA_TOKEN",
            show_envvar=False,
            help="Require this bearer token. Other users of this machine can see the command line; set the variable "
            "COROLLA_TOKEN instead to hide the token.",
            show_default="no token is needed",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also accept this host name; a loopback address accepts only localhost, 127.0.0.1 and ::1.",
            show_default="no other name",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=64,
            help="Batches computed in parallel; they share the processor's threads.",
            rich_help_panel=RUNNING,
        ),
    ] = 1,
    batch: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1024, help="Maximum batch size.", rich_help_panel=RUNNING),
    ] = 16,
    device: Device = None,
    backend: AskedBackend = None,
    precision: AskedPrecision = "fp32",
    queue: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            max=100_000,
            rich_help_panel=LIMITS,
            help="Maximum number of waiting images; further requests get status 429 and a time to retry.",
        ),
    ] = 256,
    max_images: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=1000, help="Maximum number of images per request.", rich_help_panel=LIMITS
        ),
    ] = 16,
    max_megabytes: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=1000, help="Maximum size of a request, in megabytes.", rich_help_panel=LIMITS
        ),
    ] = 32,
    max_megapixels: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=178, help="Maximum size of an image, in megapixels.", rich_help_panel=LIMITS
        ),
    ] = 50,
    timeout: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=1,
            max=3600,
            rich_help_panel=LIMITS,
            help="Seconds for receiving a request, and again for its response.",
        ),
    ] = 30,
    quiet: Quiet = False,
) -> None:
    """Serve predictions over HTTP: a page for people at /, and an API for programs, described at /docs.

    The page accepts images that are dropped on it, pasted, chosen or photographed, and contacts no other host.
    POST /v1/predict accepts a form with the field files, or JSON with images in base64; GET /v1/model describes the
    model. /healthz, /readyz and /metrics are for monitoring.

    Images of different requests are batched. Standard output gets one JSON object for each request, without its
    images and their names. After SIGTERM or Ctrl-C, all accepted requests are completed; the exit status is 0.
    """
    import sys
    from dataclasses import replace
    from importlib.util import find_spec

    check_running(run, device, backend, precision)
    for package in PACKAGES:
        if find_spec(package.replace("-", "_")) is None:
            raise CorollaError(f"corolla serve needs {package}: pip install 'corolla[serve]'")

    from corolla.server.app import create_app
    from corolla.server.guards import names_for
    from corolla.server.limits import MEGABYTE, Limits
    from corolla.server.model import load_served, warm_up
    from corolla.server.running import address_of, listen, serve_forever

    limits = replace(
        Limits(),
        body=max_megabytes * MEGABYTE,
        images=max_images,
        pixels=max_megapixels * 1_000_000,
        queue=queue,
        batch=batch,
        workers=workers,
        upload=float(timeout),
        answer=float(timeout),
    )
    with listen(host, port) as listening:  # before the model, which takes longer
        served = load_served(run, device_for(run, device), precision, backend or "onnxruntime", workers)
        warm_up(served)
        hosts = names_for(listening.getsockname()[0], allow_host or [])
        app = create_app(served, limits, token=token or None, hosts=hosts)
        if not quiet:
            print(
                f"serving {served.facts.name} at {address_of(listening)}; Ctrl-C stops it", file=sys.stderr, flush=True
            )
        serve_forever(app, listening, limits)
