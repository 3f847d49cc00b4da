"""What goes in and out of the API, as OpenAPI tells it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_TOP = 1000


class Options(BaseModel):
    """What may be asked beside the images."""

    model_config = ConfigDict(extra="forbid")

    top: Annotated[int, Field(ge=1, le=MOST_TOP, description="How many of the likeliest classes to tell.")] = 5
    explain: Annotated[bool, Field(description="Whether to tell what each answer rests on.")] = False
    coverage: Annotated[
        float | None,
        Field(gt=0, lt=1, description="Tell the smallest set of classes that holds the right one so often."),
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
            description="The bytes of each image in base64 of either alphabet; a data URL will do, and one alone "
            "needs no list.",
        ),
    ]


class Share(BaseModel):
    """A class and its probability."""

    label: str
    probability: float


class Explanation(BaseModel):
    """What an answer rests on, as colors to lay over the image."""

    method: Annotated[str, Field(description="relevance knows the class that was answered, rollout does not.")]
    heat: Annotated[str, Field(description="A PNG as a data URL: bright is much, dark is little.")]
    box: Annotated[
        tuple[float, float, float, float],
        Field(description="Where it belongs, and all the model saw: left, top, right, bottom in parts of the image."),
    ]


class Answer(BaseModel):
    """The answer for one image, or the error that kept it from being read."""

    name: Annotated[str, Field(description="Of the file, or which image of the request it is.")]
    error: Annotated[str | None, Field(description="Why it cannot be read; then nothing else is there.")] = None
    label: str | None = None
    probability: float | None = None
    top: list[Share] | None = None
    accepted: Annotated[bool | None, Field(description="false: it is none of the classes.")] = None
    novelty: Annotated[
        float | None,
        Field(description="0: like a middling validation image; above 1: not accepted; null: not calibrated."),
    ] = None
    labels: Annotated[list[str] | None, Field(description="The classes that hold the coverage asked for.")] = None
    explanation: Explanation | None = None


class PredictResponse(BaseModel):
    """The answers to one request, in its order."""

    model: str
    predictions: list[Answer]


class Accuracy(BaseModel):
    """How many images were answered right."""

    value: float
    low: Annotated[float, Field(description="The lower end of its 95 % interval.")]
    high: float
    images: int
    split: Annotated[str, Field(description="test, or val: those also chose the weights, so it is a little too kind.")]


class Bounds(BaseModel):
    """What a request may hold."""

    bytes: int
    images: int
    pixels: int


class OnDevice(BaseModel):
    """What a browser needs to compute the answers itself, beside the file at /v1/model/file."""

    bytes: Annotated[int, Field(description="Of the file.")]
    crop_fraction: Annotated[float, Field(description="Share of the largest crop's sides that it looks at.")]
    crop_mode: Annotated[
        Literal["center", "squash"], Field(description="center: the crop keeps the image's shape; squash: it does not.")
    ]


class Model(BaseModel):
    """What is served."""

    name: str
    architecture: str
    began_with: Annotated[str | None, Field(description="The pretrained weights it was trained from; null: random.")]
    classes: list[str]
    image_size: Annotated[tuple[int, int], Field(description="Height and width that it looks at, in pixels.")]
    parameters: int | None
    accuracy: Accuracy | None
    ended: Annotated[str | None, Field(description="When its training ended, ISO 8601.")]
    calibrated: bool
    explains: Annotated[str | None, Field(description="The method of its explanations.")]
    report: Annotated[bool, Field(description="Whether /report has its report.")]
    version: Annotated[str, Field(description="Of corolla.")]
    limits: Bounds
    device: Annotated[OnDevice | None, Field(description="null for a run; an exported file can be fetched.")]


class State(BaseModel):
    """Whether the server works."""

    status: str


class Failure(BaseModel):
    """Every answer that is not 2xx."""

    error: Annotated[str, Field(description="What is wrong, in one line.")]
