"""`POST /v1/predict`: the answers of `corolla predict`, for forms and JSON, with the reason where there is none."""

import base64
import io
import json
import time
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from corolla.server.model import Served


def as_json(server: Any, images: list[str], **options: Any) -> httpx.Response:
    with server.client() as client:
        return client.post("/v1/predict", json={"images": images} | options)


def in_base64(image: bytes) -> str:
    return base64.b64encode(image).decode()


def test_images_get_the_answers_of_the_predictor_by_name(
    server: Any, flowers: Served, painted: dict[str, bytes]
) -> None:
    said = server.post(*painted.values(), top=3).json()
    assert said["model"] == "flowers"
    assert [answer["label"] for answer in said["predictions"]] == list(painted)
    for place, (answer, image) in enumerate(zip(said["predictions"], painted.values(), strict=True)):
        expected = flowers.predictor.predict(image, top=3).to_json()
        assert answer["name"] == f"{place}.jpg"
        assert answer.keys() == {"name", *expected.keys()}
        assert answer["top"] == [
            {"label": entry["label"], "probability": pytest.approx(entry["probability"], abs=0.02)}
            for entry in expected["top"]
        ]
        assert answer["accepted"] is expected["accepted"] is True
        assert answer["ood_score"] == pytest.approx(expected["ood_score"], abs=0.05)


def test_json_gets_the_same_answers_as_a_form(server: Any, painted: dict[str, bytes]) -> None:
    images = [in_base64(image) for image in painted.values()]
    images[0] = "data:image/jpeg;base64," + images[0]
    said = as_json(server, images, top=2, coverage=0.9).json()["predictions"]
    form = server.post(*painted.values(), top=2, coverage=0.9).json()["predictions"]
    assert [answer["name"] for answer in said] == [f"image {place}" for place in range(1, 6)]
    assert [answer["labels"] for answer in said] == [answer["labels"] for answer in form]
    assert [[entry["label"] for entry in answer["top"]] for answer in said] == [
        [entry["label"] for entry in answer["top"]] for answer in form
    ]


def test_noise_is_none_of_the_classes(server: Any) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    [answer] = server.post(buffer.getvalue()).json()["predictions"]
    assert answer["accepted"] is False
    assert answer["ood_score"] > 1


def test_an_explanation_is_an_image_of_the_crop(server: Any, painted: dict[str, bytes]) -> None:
    wide = Image.open(io.BytesIO(painted["tulips"])).resize((400, 200))
    buffer = io.BytesIO()
    wide.save(buffer, "PNG")
    [answer] = server.post(buffer.getvalue(), explain="true").json()["predictions"]
    explanation = answer["explanation"]
    assert explanation["method"] == "relevance"
    assert explanation["box"] == [0.25, 0.0, 0.75, 1.0]
    heat = Image.open(io.BytesIO(base64.b64decode(explanation["heat"].removeprefix("data:image/png;base64,"))))
    assert heat.size == (160, 160)
    assert np.ptp(np.asarray(heat.convert("L"))) > 100  # dark somewhere, bright elsewhere


def test_explanations_belong_to_their_images(server: Any, painted: dict[str, bytes]) -> None:
    """More than go through together, with one between them that cannot be read."""
    images = [*painted.values(), b"no image", *painted.values()]
    answers = server.post(*images, explain="true").json()["predictions"]
    assert "explanation" not in answers[5]
    heats = [answer["explanation"]["heat"] for answer in answers if "explanation" in answer]
    assert len(set(heats[:5])) == 5
    first, again = (np.asarray(opened(heats[place]), float) for place in (3, 8))
    assert np.abs(first - again).mean() < 2  # the same image in another batch
    assert np.abs(first - np.asarray(opened(heats[4]), float)).mean() > 10


def opened(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_what_can_be_read_is_answered_and_the_rest_has_its_reason(server: Any, painted: dict[str, bytes]) -> None:
    answer = server.post(b"some text", painted["daisy"], painted["roses"][:600])
    assert answer.status_code == 200
    first, second, third = answer.json()["predictions"]
    assert first == {"name": "0.jpg", "error": "not an image in a known format"}
    assert second["label"] == "daisy"
    assert third["error"].startswith(("truncated", "damaged"))


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([b"some text"], "cannot read 0.jpg: not an image in a known format"),
        ([b""], "cannot read 0.jpg: the file is empty (0 bytes)"),
        ([b"a", b"b"], "none of the 2 images can be read; cannot read 0.jpg: not an image in a known format"),
    ],
)
def test_a_request_without_any_readable_image_is_422(server: Any, images: list[bytes], reason: str) -> None:
    answer = server.post(*images)
    assert answer.status_code == 422
    assert answer.json() == {"error": reason}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"top": "0"}, "top: "),
        ({"top": "many"}, "top: "),
        ({"explain": "perhaps"}, "explain: "),
        ({"coverage": "1"}, "coverage: "),
        ({"coverage": "nan"}, "coverage: "),
        ({"tops": "3"}, "tops: "),
        ({"files": "no file"}, "files: "),
        ({"top": ["1", "2"]}, "top: given twice"),
    ],
)
def test_a_wrong_option_of_a_form_is_named(
    server: Any, painted: dict[str, bytes], fields: dict[str, Any], reason: str
) -> None:
    answer = server.post(painted["daisy"], **fields)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(reason)
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "images: "),
        (b'{"images": []}', "images: "),
        (b'{"images": [1]}', "images.0: "),
        (b'{"images": "AAAA"}', "cannot read image 1: not an image in a known format"),
        (b'{"images": ["AAAA"], "tops": 1}', "tops: "),
        (b"not json", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'{"images": ["AA=A"]}', "cannot read image 1: it is not base64"),
        (b'{"images": ["\\ud800"]}', ""),
    ],
)
def test_a_wrong_json_body_is_told(server: Any, body: bytes, reason: str) -> None:
    with server.client() as client:
        answer = client.post("/v1/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(reason)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/page/../app.py", {}, 404),
        ("GET", "/page/%2e%2e/app.py", {}, 404),
        ("GET", "/page/..%2fapp.py", {}, 404),
        ("GET", "/report", {}, 404),  # this run has none
        ("DELETE", "/v1/predict", {}, 405),
        ("POST", "/v1/model", {}, 405),
        ("POST", "/v1/predict", {}, 415),
        ("POST", "/v1/predict", {"Content-Type": "image/jpeg"}, 422),
        ("POST", "/v1/predict", {"Content-Type": "text/html"}, 415),
        ("POST", "/v1/predict", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        ("POST", "/v1/predict", {"Content-Type": "multipart/form-data"}, 400),
        ("POST", "/v1/predict", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
    ],
)
def test_every_refusal_is_json_with_one_line(
    server: Any, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with server.client() as client:
        answer = client.request(method, path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    [(key, line)] = answer.json().items()
    assert key == "error"
    assert line
    assert "\n" not in line
    assert ("allow" in answer.headers) == (status == 405)


def test_names_are_echoed_printable_and_not_longer_than_needed(server: Any, painted: dict[str, bytes]) -> None:
    names = ["../../etc/passwd", "a\u202eb\x1b[31m.jpg", "x" * 600, "\N{TULIP}.jpg", "<script>.jpg"]
    with server.client() as client:
        files = [("files", (name, painted["daisy"])) for name in names]
        answer = client.post("/v1/predict", files=files)
    told = [entry["name"] for entry in answer.json()["predictions"]]
    assert told[0] == "../../etc/passwd"  # no more than a word
    assert "\u202e" not in told[1]
    assert "\x1b" not in told[1]
    assert told[2] == "x" * 200
    assert told[3:] == ["\N{TULIP}.jpg", "<script>.jpg"]


def test_what_is_served_is_told(server: Any) -> None:
    said = server.get("/v1/model").json()
    assert said["name"] == "flowers"
    assert said["classes"] == ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    assert said["image_size"] == [160, 160]
    assert said["calibrated"] is True
    assert said["explains"] == "relevance"
    assert said["report"] is False
    assert said["ended"] is None  # its config does not say
    assert said["accuracy"]["split"] == "val"  # nor does it keep an evaluation
    assert said["accuracy"]["low"] < said["accuracy"]["value"] < said["accuracy"]["high"]


def test_health_readiness_and_figures(server: Any) -> None:
    assert server.get("/healthz").json() == {"status": "alive"}
    assert server.get("/readyz").json() == {"status": "ready"}
    text = server.get("/metrics").text
    assert "corolla_batch_images_bucket" in text
    assert 'corolla_info{model="flowers"' in text


def test_every_answer_has_its_security_headers(server: Any) -> None:
    for path in ("/", "/v1/model", "/nothing", "/docs", "/metrics"):
        headers = server.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_log_has_nothing_of_the_images(server: Any, painted: dict[str, bytes]) -> None:
    with server.client() as client:
        answers = [
            client.post("/v1/predict", files=[("files", ("my-secret.jpg", painted["daisy"]))]),
            client.post("/v1/predict", files=[("files", ("my-secret.jpg", b"text-secret"))], data={"secret": "secret"}),
            client.get("/secret?secret=secret", headers={"X-Secret": "secret"}),
        ]
    lines = [line_of(server, answer) for answer in answers]
    assert [(line["path"], line["status"], line["images"]) for line in lines] == [
        ("/v1/predict", 200, 1),
        ("/v1/predict", 422, 0),
        (None, 404, 0),
    ]
    assert all(line.keys() == {"event", "id", "method", "path", "status", "ms", "images"} for line in lines)
    assert "secret" not in json.dumps(lines)
    assert "daisy" not in json.dumps(lines)


def line_of(server: Any, answer: httpx.Response) -> dict[str, Any]:
    """What the log says of a request, which it does when the answer is out."""
    end = time.monotonic() + 60
    while True:
        found = [line for line in server.log if line["id"] == answer.headers["x-request-id"]]
        if found or time.monotonic() > end:
            [line] = found
            return dict(line)
        time.sleep(0.01)
