"""The routes: the API under /v1, monitoring, and the page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from corolla import __version__
from corolla.server.access_log import AccessLogMiddleware, Log, log_to_stdout
from corolla.server.answering import Answering
from corolla.server.batching import Batcher
from corolla.server.failures import ApiError, tell_http, tell_refused
from corolla.server.guards import LimitsMiddleware
from corolla.server.limits import Limits
from corolla.server.metrics import Metrics
from corolla.server.model import Served
from corolla.server.reading import FILES, read_request
from corolla.server.schemas import Failure, Model, Options, PredictRequest, PredictResponse, State

PAGE = Path(__file__).parent / "page"
# The report needs no script; a hostile run can affect only its own page.
REPORT_SECURITY = (
    "sandbox allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": why}
    for status, why in {
        400: "The form is invalid.",
        401: "The token is missing or wrong.",
        408: "The request did not arrive in time.",
        413: "The request is too large.",
        415: "The content type or encoding is not supported.",
        421: "The server does not accept this host name.",
        422: "The request is invalid, or none of its images can be read.",
        429: "The server is busy; Retry-After says when to retry.",
        504: "The prediction took too long.",
    }.items()
}
WHOLE = {"schema": {"type": "string", "format": "binary", "description": "The bytes of one image."}}


def as_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """An option as a query parameter."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind["type"] != "null"]  # a query has no null
    about = {key: value for key, value in schema.items() if key not in ("anyOf", "description")}
    said = {"schema": about | (kinds[0] if kinds else {}), "description": schema["description"]}
    return {"name": name, "in": "query", "required": False} | said


ASKED = {
    "parameters": [as_parameter(name, schema) for name, schema in Options.model_json_schema()["properties"].items()],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILES],
                    "additionalProperties": False,
                    "properties": {
                        FILES: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "The images. For a part that is an image, any other field name works, too.",
                        }
                    }
                    | Options.model_json_schema()["properties"],
                }
            },
            "application/json": {"schema": PredictRequest.model_json_schema()},
            "application/octet-stream": WHOLE,
        },
    },
}


def create_app(
    served: Served,
    limits: Limits | None = None,
    *,
    token: str | None = None,
    hosts: Sequence[str] | None = None,
    log: Log = log_to_stdout,
) -> FastAPI:
    """The ASGI application that serves `served`.

    With a `token`, the API, the metrics and the report require it as a bearer token; `hosts` are the accepted host
    names, None for all.
    """
    limits = limits or Limits()
    metrics = Metrics(served.facts.name)
    batcher = Batcher(served.predictor, limits, metrics)
    answering = Answering(served, batcher, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        await batcher.stop()

    app = FastAPI(
        title="corolla",
        description=f"Predictions of the image classifier {served.facts.name}.",
        version=__version__,
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        openapi_url=None,  # a route of ours counts it as such
        lifespan=lifespan,
        exception_handlers={ApiError: tell_refused, HTTPException: tell_http},
    )
    app.add_middleware(LimitsMiddleware, limits=limits, metrics=metrics, token=token, hosts=hosts)
    app.add_middleware(AccessLogMiddleware, metrics=metrics, log=log)
    app.state.batcher = batcher
    add_api(app, served, limits, answering)
    add_ops_routes(app, batcher, metrics)
    add_page(app, served)
    return app


def add_api(app: FastAPI, served: Served, limits: Limits, answering: Answering) -> None:
    """The routes for images and for the model."""
    said = describe(served, limits)

    @app.post(
        "/v1/predict/", include_in_schema=False, response_model=PredictResponse, response_model_exclude_unset=True
    )
    @app.post(
        "/v1/predict",
        response_model=PredictResponse,
        response_model_exclude_unset=True,
        responses=REFUSALS,
        openapi_extra=ASKED,
        tags=["images"],
    )
    async def predict(request: Request) -> dict[str, Any]:
        """Predict the class of each image.

        Predictions are in the order of the images. An unreadable image has an `error` instead; if no image of the
        request can be read, the status is 422.

        Images are sent in a form, in JSON, or one as the whole body with the content type `image/jpeg`, another type
        of images, `application/octet-stream` or none; all of them may also be base64 or data URLs. Options are fields
        beside the images, or query parameters.
        """
        answering.batcher.refuse_if_full()  # before its images are read
        named, options = await read_request(request, limits)
        request.state.images = len(named)
        return await answering.answer(named, options)

    @app.get("/v1/model", responses={401: REFUSALS[401]}, tags=["model"])
    async def model() -> Model:
        """The served model: its classes, its accuracy and how that was measured, and the limits of a request."""
        return said

    if served.file is not None:
        content = served.file

        @app.get("/v1/model/file", response_class=FileResponse, responses={401: REFUSALS[401]}, tags=["model"])
        async def file() -> FileResponse:
            """The exported file, for predictions in a browser or on another machine."""
            return FileResponse(content, media_type="application/octet-stream", filename=content.name)


def describe(served: Served, limits: Limits) -> Model:
    """`GET /v1/model`."""
    predictor, facts = served.predictor, asdict(served.facts)
    return Model.model_validate(
        facts
        | {
            "classes": list(predictor.classes),
            "image_size": predictor.preprocessing.image_size,
            "calibrated": predictor.calibration is not None,
            "explains": served.method if served.explain else None,
            "report": served.report is not None,
            "version": __version__,
            "device": on_device(served),
            "limits": {"bytes": limits.body, "images": limits.images, "pixels": limits.pixels},
        }
    )


def on_device(served: Served) -> dict[str, Any] | None:
    """`OnDevice`, for a served file."""
    if served.file is None:
        return None
    prepared = served.predictor.preprocessing
    return {
        "bytes": served.file.stat().st_size,
        "crop_fraction": prepared.crop_fraction,
        "crop_mode": prepared.crop_mode,
    }


def add_ops_routes(app: FastAPI, batcher: Batcher, metrics: Metrics) -> None:
    """The routes for monitoring."""

    @app.get("/healthz", tags=["server"])
    async def healthz() -> State:
        """Whether the process is alive."""
        return State(status="alive")

    @app.get("/readyz", responses={503: {"model": Failure, "description": "It cannot predict."}}, tags=["server"])
    async def readyz() -> State:
        """Whether the server can predict."""
        if not batcher.works:
            raise ApiError(503, "the server is starting or stopping")
        return State(status="ready")

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 401: REFUSALS[401]},
        tags=["server"],
    )
    async def figures() -> Response:
        """Counters and histograms for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


def add_page(app: FastAPI, served: Served) -> None:
    """The page, the page about the API, and the report of the run."""

    def show(address: str, file: Path, headers: dict[str, str] | None = None) -> None:
        async def answer() -> Response:
            if not file.is_file():
                raise HTTPException(404)
            return FileResponse(file, headers=headers)

        app.get(address, include_in_schema=False, response_model=None)(answer)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    show("/", PAGE / "index.html")
    show("/docs", PAGE / "docs.html")
    for file in sorted(PAGE.iterdir()):  # so no path of a request is ever looked up on the disk
        if file.is_file() and file.suffix != ".html":
            show(f"/page/{file.name}", file)
    for file in sorted((PAGE / "ort").iterdir()):
        if file.suffix == ".gz":
            compressed = {"Content-Encoding": "gzip", "Content-Type": "application/wasm"}
            show(f"/page/ort/{file.stem}", file, compressed)
        else:
            show(f"/page/ort/{file.name}", file)
    if served.report is not None:
        show("/report", served.report, {"Content-Security-Policy": REPORT_SECURITY})
