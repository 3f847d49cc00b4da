"""From the images of one request to its response: decoded in threads, predicted in shared batches, explained."""

import asyncio
import base64
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corolla.data.decoding import ImageError
from corolla.errors import CorollaError
from corolla.predictor import ModelOutput
from corolla.server.batching import Batcher
from corolla.server.failures import ApiError
from corolla.server.metrics import Metrics
from corolla.server.model import EXPLAINED_TOGETHER, Served
from corolla.server.reading import DecodedImage, Named, see
from corolla.server.schemas import Options

Answered = tuple[DecodedImage, ModelOutput]


class Answering:
    """Responds to the requests of one server."""

    def __init__(self, served: Served, batcher: Batcher, metrics: Metrics) -> None:
        self.served = served
        self.batcher = batcher
        self.metrics = metrics

    async def answer(self, named: Sequence[Named], options: Options) -> dict[str, Any]:
        """The predictions as `schemas.PredictResponse`, in order.

        `ApiError` with 422 if no image can be read, or the model does not support an option, with 429 if the queue is
        full, and with 504 if the prediction takes too long.
        """
        self.check(options)
        limits = self.batcher.limits
        with self.batcher.admitted(len(named)):
            try:
                predictions = await asyncio.wait_for(self.predict(named, options), limits.answer)
            except asyncio.TimeoutError:
                raise ApiError(504, f"the prediction took longer than {limits.answer:g} s; retry later") from None
        if all("error" in prediction for prediction in predictions):
            first = predictions[0]
            only = "" if len(predictions) == 1 else f"none of the {len(predictions)} images can be read; "
            raise ApiError(422, f"{only}cannot read {first['name']}: {first['error']}")
        return {"model": self.served.facts.name, "predictions": predictions}

    def check(self, options: Options) -> None:
        """`ApiError` for options that this model does not support, before anything is computed."""
        if options.explain and self.served.explain is None:
            raise ApiError(422, "explain: this model cannot explain its predictions")
        try:
            self.served.predictor.check_coverage(options.coverage)
        except CorollaError as error:
            raise ApiError(422, f"coverage: {error}") from None

    async def predict(self, named: Sequence[Named], options: Options) -> list[dict[str, Any]]:
        """An object for each image, as `schemas.Answer`."""
        rows = await asyncio.gather(*(self.one(each) for each in named))
        good = [row for row in rows if not isinstance(row, ImageError)]
        heats = iter(await self.explain([seen for seen, _ in good]) if options.explain else [])
        predictions = []
        for each, row in zip(named, rows, strict=True):
            if isinstance(row, ImageError):
                self.metrics.images.labels("unreadable").inc()
                predictions.append({"name": each.name, "error": row.reason})
                continue
            prediction = self.served.predictor.to_prediction(row[1], options.top, options.coverage)
            self.metrics.images.labels("answered" if prediction.accepted else "none of the classes").inc()
            more = {"explanation": next(heats)} if options.explain else {}
            predictions.append({"name": each.name} | prediction.to_json() | more)
        return predictions

    async def one(self, named: Named) -> Answered | ImageError:
        """The model's output for one image, or why it cannot be read."""
        most, preprocessing = self.batcher.limits.pixels, self.served.predictor.preprocessing
        seen = await self.batcher.prepare(partial(see, named.content, preprocessing, most))
        return seen if isinstance(seen, ImageError) else (seen, await self.batcher.infer(seen.pixels))

    async def explain(self, seen: Sequence[DecodedImage]) -> list[dict[str, Any]]:
        """An object for each image, as `schemas.Explanation`; in small parts, so that batches run in between."""
        found = []
        for start in range(0, len(seen), EXPLAINED_TOGETHER):
            part = seen[start : start + EXPLAINED_TOGETHER]
            found += await self.batcher.between_batches(partial(self.heats, part))
        return found

    def heats(self, seen: Sequence[DecodedImage]) -> list[dict[str, Any]]:
        """The same, computed in this thread."""
        assert self.served.explain is not None
        maps = self.served.explain(np.stack([each.pixels for each in seen]))
        return [
            {"method": self.served.method, "heat": heat_url(values, each.pixels), "box": each.box}
            for values, each in zip(maps, seen, strict=True)
        ]


def heat_url(values: NDArray[np.float32], pixels: NDArray[np.uint8]) -> str:
    """The map (rows, columns) as a PNG of the size of `pixels` (H, W, 3), in a data URL."""
    from corolla.explanations.overlay import heat, png

    return "data:image/png;base64," + base64.b64encode(png(heat(values, *pixels.shape[:2]))).decode("ascii")
