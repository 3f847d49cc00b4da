"""The requests and responses of the API, as in its OpenAPI description."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_TOP = 1000


class Options(BaseModel):
    """The options beside the images."""

    model_config = ConfigDict(extra="forbid")

    top: Annotated[int, Field(ge=1, le=MOST_TOP, description="How many of the most likely classes to return.")] = 5
    explain: Annotated[bool, Field(description="Whether to return an attribution map for each prediction.")] = False
    coverage: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Return a set of classes that contains the correct one with this probability."),
    ] = None


def listed(images: Any) -> Any:
    """One image as a list of one."""
    return [images] if isinstance(images, str) else images


class PredictRequest(Options):
    """The JSON body of `POST /v1/predict`."""

    images: Annotated[
        list[str],
        BeforeValidator(listed, json_schema_input_type=list[str] | str),
        Field(
            min_length=1,
            description="The bytes of each image in base64 of either alphabet, or as a data URL; a single one needs "
            "no list.",
        ),
    ]


class Share(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class Explanation(BaseModel):
    """The attribution map of a prediction, as colors to lay over the image."""

    method: Annotated[str, Field(description="relevance depends on the predicted class, rollout does not.")]
    heat: Annotated[str, Field(description="A PNG as a data URL: bright is much, dark is little.")]
    box: Annotated[
        tuple[float, float, float, float],
        Field(description="The model's crop, where it belongs: left, top, right, bottom as fractions of the image."),
    ]


class Answer(BaseModel):
    """The prediction for one image, or why it cannot be read."""

    name: Annotated[str, Field(description="The name of the file, or the number of the image in the request.")]
    error: Annotated[str | None, Field(description="Why it cannot be read; then all other fields are missing.")] = None
    label: str | None = None
    probability: float | None = None
    top: list[Share] | None = None
    accepted: Annotated[bool | None, Field(description="false: it is none of these classes.")] = None
    ood_score: Annotated[
        float | None,
        Field(description="OOD score. 0: median of validation images; above 1: not accepted; null: not calibrated."),
    ] = None
    labels: Annotated[list[str] | None, Field(description="The prediction set for the requested coverage.")] = None
    explanation: Explanation | None = None


class PredictResponse(BaseModel):
    """The predictions of one request, in its order."""

    model: str
    predictions: list[Answer]


class Accuracy(BaseModel):
    """The fraction of correct predictions."""

    value: float
    low: Annotated[float, Field(description="The lower end of its 95 % interval.")]
    high: float
    images: int
    split: Annotated[str, Field(description="test, or val: it chose the weights, so this is slightly too optimistic.")]


class Bounds(BaseModel):
    """The limits of a request."""

    bytes: int
    images: int
    pixels: int


class OnDevice(BaseModel):
    """What a browser needs to predict by itself, beside the file at /v1/model/file."""

    bytes: Annotated[int, Field(description="Size of the file.")]
    crop_fraction: Annotated[float, Field(description="Side of the model's crop as a fraction of the largest one's.")]
    crop_mode: Annotated[
        Literal["center", "squash"], Field(description="center: the crop keeps the image's shape; squash: it does not.")
    ]


class Model(BaseModel):
    """The served model."""

    name: str
    architecture: str
    began_with: Annotated[str | None, Field(description="The pretrained weights it was trained from; null: random.")]
    classes: list[str]
    image_size: Annotated[tuple[int, int], Field(description="Height and width of its input, in pixels.")]
    parameters: int | None
    accuracy: Accuracy | None
    ended: Annotated[str | None, Field(description="When its training ended, ISO 8601.")]
    calibrated: bool
    explains: Annotated[str | None, Field(description="The method of its explanations.")]
    report: Annotated[bool, Field(description="Whether /report has its report.")]
    version: Annotated[str, Field(description="Version of corolla.")]
    limits: Bounds
    device: Annotated[OnDevice | None, Field(description="null for a run; an exported file can be downloaded.")]


class State(BaseModel):
    """Whether the server works."""

    status: str


class Failure(BaseModel):
    """Every response that is not 2xx."""

    error: Annotated[str, Field(description="What is wrong, in one line.")]
