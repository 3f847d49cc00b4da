"""What common tools send, byte for byte: taken where its meaning is certain, else refused in the sender's words."""

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pytest

from corolla.data.decoding import ImageError
from corolla.server.encoded import decoded

FORM = {"Content-Type": "multipart/form-data; boundary=x"}
JSON = {"Content-Type": "application/json"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
DAISY = b"DAISY"  # in what is sent below, the bytes of an image of one
B64 = b"BASE64"  # and those in base64


@pytest.fixture(scope="module")
def daisy(painted: dict[str, bytes]) -> bytes:
    return painted["daisy"]


def send(server: Any, body: bytes, headers: dict[str, str], path: str = "/v1/predict") -> httpx.Response:
    with server.client() as client:
        return client.post(path, content=body, headers=headers)


def filled(body: bytes, daisy: bytes) -> bytes:
    return body.replace(B64, base64.b64encode(daisy)).replace(DAISY, daisy)


def form(*parts: tuple[str, bytes], end: str = "--x--\r\n") -> bytes:
    """A form whose parts have these lines of headers and this content."""
    lines = [b"--x\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(lines) + end.encode()


def one(said: str, content: bytes = DAISY, *more: str) -> bytes:
    return form(("\r\n".join([f"Content-Disposition: form-data; {said}", *more]), content))


OCTETS = "Content-Type: application/octet-stream"
CODED = "Content-Transfer-Encoding: base64"
TAKEN: list[tuple[str, bytes, dict[str, str], str]] = [
    ("curl -F files=@", one('name="files"; filename="a.jpg"', DAISY, "Content-Type: image/jpeg"), FORM, "a.jpg"),
    ("curl -F files=<", one('name="files"'), FORM, "image 1"),
    ("without a file name, typed", one('name="files"', DAISY, OCTETS), FORM, "image 1"),
    ("an empty file name", one('name="files"; filename=""'), FORM, "image 1"),
    ("only filename*", one("name=files; filename*=UTF-8''%e2%82%ac%20a.jpg"), FORM, "€ a.jpg"),
    ("filename* goes first", one("name=files; filename=x.jpg; filename*=utf-8''%C3%BC.jpg"), FORM, "ü.jpg"),
    ("filename* before filename", one("name=files; filename*=utf-8''%C3%BC.jpg; filename=x.jpg"), FORM, "ü.jpg"),
    ("filename* in latin-1", one("name=files; filename*=iso-8859-1'de'%FC.jpg"), FORM, "ü.jpg"),
    ("escaped quotes", one(r'name="files"; filename="a \"b\".jpg"'), FORM, 'a "b".jpg'),
    ("quotes of browsers", one('name="files"; filename="a %22b%22.jpg"'), FORM, 'a "b".jpg'),
    ("a semicolon in quotes", one('name="files"; filename="a; b=c.jpg"'), FORM, "a; b=c.jpg"),
    ("a name of mail", one('name="files"; filename="=?utf-8?q?=C3=BC.jpg?="'), FORM, "ü.jpg"),
    ("no quotes", one("name=files; filename=a.jpg"), FORM, "a.jpg"),
    ("another field", one('name="image"; filename="a.jpg"'), FORM, "a.jpg"),
    ("a field of PHP", one('name="files[]"; filename="a.jpg"'), FORM, "a.jpg"),
    ("no field at all", one('filename="a.jpg"'), FORM, "a.jpg"),
    ("another field without a file name", one('name="upload"'), FORM, "image 1"),
    ("an unknown type", one('name="files"; filename="a.jpg"', DAISY, "Content-Type: text/plain"), FORM, "a.jpg"),
    ("coded as for mail", one('name="files"; filename="a.jpg"', B64, CODED), FORM, "a.jpg"),
    ("base64 in a field", one('name="files"', B64), FORM, "image 1"),
    ("a data URL in a field", one('name="image"', b"data:image/jpeg;base64," + B64), FORM, "image 1"),
    ("a file of base64", one('name="files"; filename="a.b64"', B64), FORM, "a.b64"),
    ("a boundary in quotes", one("name=files"), {"Content-Type": 'Multipart/Form-Data; boundary="x"'}, "image 1"),
    ("the bytes as an image", DAISY, {"Content-Type": "image/jpeg"}, "image 1"),
    ("the bytes as another image", DAISY, {"Content-Type": "image/png"}, "image 1"),
    ("the bytes of no type", DAISY, {}, "image 1"),
    ("the bytes as octets", DAISY, {"Content-Type": "application/octet-stream"}, "image 1"),
    ("curl --data-binary", DAISY, URLENCODED, "image 1"),
    ("the bytes with a name", DAISY, {"Content-Disposition": "attachment; filename=a.jpg"}, "a.jpg"),
    ("base64 as text", B64 + b"\n", {"Content-Type": "text/plain; charset=utf-8"}, "image 1"),
    ("curl -d base64", B64, URLENCODED, "image 1"),
    ("curl -d JSON", b'{"images": ["BASE64"]}', URLENCODED, "image 1"),
    ("JSON of a problem", b'{"images": ["BASE64"]}', {"Content-Type": "application/vnd.api+json"}, "image 1"),
    ("JSON with a mark", b'\xef\xbb\xbf{"images": ["BASE64"]}', JSON, "image 1"),
    ("JSON of one image", b'{"images": "BASE64"}', JSON, "image 1"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "name"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_an_image_is_taken_as_tools_send_it(
    server: Any, daisy: bytes, body: bytes, headers: dict[str, str], name: str
) -> None:
    answer = send(server, filled(body, daisy), headers)
    assert answer.status_code == 200, answer.text
    [told] = answer.json()["predictions"]
    assert (told["name"], told["label"]) == (name, "daisy")


def test_an_urlencoded_form_is_taken_however_its_plus_signs_were_sent(server: Any, daisy: bytes) -> None:
    coded = base64.b64encode(daisy).decode()
    assert "+" in coded
    for body in (urlencode({"image": coded, "top": "2"}), f"image={coded}&top=2", f"top=2&image={quote_plus(coded)}"):
        [told] = send(server, body.encode(), URLENCODED).json()["predictions"]
        assert (told["label"], len(told["top"])) == ("daisy", 2), body[:20]


def test_json_in_two_bytes_a_letter_is_read(server: Any, daisy: bytes) -> None:
    """As Windows' PowerShell writes it."""
    text = json.dumps({"images": [base64.b64encode(daisy).decode()]})
    [told] = send(server, text.encode("utf-16"), JSON).json()["predictions"]
    assert told["label"] == "daisy"


def test_parts_of_one_name_are_answered_in_their_order(server: Any, painted: dict[str, bytes]) -> None:
    heads = ['name="files"; filename="same.jpg"', "name=files", 'name="files"; filename="same.jpg"', "name=image"]
    images = [painted[name] for name in ("roses", "daisy", "tulips", "daisy")]
    parts = [(f"Content-Disposition: form-data; {head}", content) for head, content in zip(heads, images, strict=True)]
    said = send(server, form(*parts), FORM).json()["predictions"]
    assert [told["label"] for told in said] == ["roses", "daisy", "tulips", "daisy"]
    assert [told["name"] for told in said] == ["same.jpg", "image 2", "same.jpg", "image 4"]


def test_a_field_without_a_chosen_file_is_passed_over(server: Any, daisy: bytes) -> None:
    empty = ('Content-Disposition: form-data; name="more"; filename=""\r\n' + OCTETS, b"")
    whole = ('Content-Disposition: form-data; name="files"; filename="a.jpg"', daisy)
    assert len(send(server, form(empty, whole, empty), FORM).json()["predictions"]) == 1
    alone = send(server, form(empty), FORM)
    assert alone.status_code == 422
    assert alone.json()["error"].startswith("more: no file was chosen; ")


@pytest.mark.parametrize("headers", [{"Content-Type": "image/jpeg"}, FORM, JSON])
def test_options_in_the_address_count_for_every_body(server: Any, daisy: bytes, headers: dict[str, str]) -> None:
    body = {
        "image/jpeg": DAISY,
        FORM["Content-Type"]: one("name=files"),
        JSON["Content-Type"]: b'{"images": ["BASE64"]}',
    }
    body_sent = filled(body[headers["Content-Type"]], daisy)
    [told] = send(server, body_sent, headers, "/v1/predict?top=2&coverage=0.9").json()["predictions"]
    assert len(told["top"]) == 2
    assert told["labels"] == ["daisy"]
    wrong = send(server, body_sent, headers, "/v1/predict?tops=2")
    assert wrong.status_code == 422
    assert wrong.json()["error"] == "tops: there is no such option; top is one"


def test_an_option_in_the_address_and_in_the_body_is_given_twice(server: Any, daisy: bytes) -> None:
    body = filled(b'{"images": ["BASE64"], "top": 2}', daisy)
    assert send(server, body, JSON, "/v1/predict?top=3").json() == {"error": "top: given twice"}


def test_a_slash_at_the_end_of_the_address_is_no_other_one(server: Any, daisy: bytes) -> None:
    assert send(server, daisy, {}, "/v1/predict/").json()["predictions"][0]["label"] == "daisy"


REFUSED: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("curl -F files=a.jpg", one('name="files"', b"a.jpg"), FORM, 422,
     "files: a part without a file name that holds text, 'a.jpg', and no image; with curl: -F files=@photo.jpg"),
    ("an unknown option", form(('Content-Disposition: form-data; name="tops"', b"3")), FORM, 422,
     "tops: there is no such option; the options are top, explain and coverage, and images go into 'files'"),
    ("options as JSON", one('name="options"', b'{"top": 3}', "Content-Type: application/json"), FORM, 422,
     "options: a part without a file name of type application/json that holds text, '{\"top\": 3}'; send options as"),
    ("an option as a file", one('name="top"; filename="a.txt"', b"3"), FORM, 422,
     "top: the file 'a.txt' where an option is expected; "),
    ("no name at all", form(("Content-Disposition: form-data", b"a")), FORM, 422, "part 1 has no name; with curl: "),
    ("no disposition", form(("Content-Type: image/jpeg", DAISY)), FORM, 422, "part 1 has no Content-Disposition; "),
    ("cut off", form(("Content-Disposition: form-data; name=files", DAISY), end=""), FORM, 400,
     "the form ends within part 1, before its last line, --x--"),
    ("cut off in its second part", one("name=files") [:-8] + b"\r\n--x\r\nContent-Dispo", FORM, 400,
     "the form ends within part 2, before its last line, --x--"),
    ("not base64 for mail", one('name="files"; filename="a"', b"a", CODED), FORM, 422,
     "part 1 says Content-Transfer-Encoding: base64 and is not: "),
    ("another coding", one('name="files"; filename="a"', b"a", "Content-Transfer-Encoding: uu"), FORM, 422,
     "part 1 says Content-Transfer-Encoding: uu, which is not supported"),
    ("no boundary", one("name=files"), {"Content-Type": "multipart/form-data"}, 400,
     "Content-Type says multipart/form-data without a boundary; let the client set this header"),
    ("another boundary", one("name=files"), {"Content-Type": "multipart/form-data; boundary=y"}, 400,
     "the form cannot be read after its beginning: "),
    ("another multipart", one("name=files"), {"Content-Type": "multipart/mixed; boundary=x"}, 415,
     "Content-Type 'multipart/mixed; boundary=x' is not supported; send multipart/form-data with files, application/"),
    ("a form said to be JSON", one("name=files"), JSON, 422,
     "Invalid JSON: invalid number at line 1 column 2; the body is a form; let the client set Content-Type"),
    ("a form said to be an image", one("name=files"), {"Content-Type": "image/jpeg"}, 415,
     "the body is a form, with Content-Type 'image/jpeg'; let the client set Content-Type"),
    ("an image said to be JSON", DAISY, JSON, 422,
     "Invalid JSON: expected value at line 1 column 1; the body is the bytes of an image; send it with "),
    ("a page", b"<html>", {"Content-Type": "text/html"}, 415, "Content-Type 'text/html' is not supported; send multi"),
    ("compressed", b"", JSON | {"Content-Encoding": "gzip"}, 415, "Content-Encoding 'gzip' is not supported; "),
    ("nothing", b"", {"Content-Type": "image/jpeg"}, 422, "the body is empty; send multipart/form-data with files, "),
    ("another name in JSON", b'{"pictures": ["AAAA"]}', JSON, 422,
     'images: it is missing, only \'pictures\'; send {"images": ["BASE64"], "top": 3}'),
    ("a list", b'["AAAA"]', JSON, 422, "the body: ['AAAA'] was sent; input should be an object; send {"),
    ("a number for an image", b'{"images": [1]}', JSON, 422,
     'images.0: 1 was sent; input should be a valid string; send {"images": ["BASE64"]'),
    ("a wrong number", b'{"images": ["AAAA"], "top": 0}', JSON, 422,
     "top: 0 was sent; input should be greater than or equal to 1"),
    ("an address", b'{"images": ["https://a.example/b.jpg"]}', JSON, 422,
     "cannot read image 1: it is an address, 'https://a.example/b.jpg', and this server downloads nothing; send"),
    ("a file name", b'{"images": ["b.jpg"]}', JSON, 422, "cannot read image 1: it is a file's name, 'b.jpg', not"),
    ("a file name as the body", b"photo.jpg", {}, 422, "cannot read image 1: it is a file's name, 'photo.jpg', not"),
    ("not base64", b'{"images": ["AA$A"]}', JSON, 422,
     "cannot read image 1: it is not base64: '$' is none of its characters, in 'AA$A'"),
    ("text as an urlencoded form", b"files=some+text&top=3", URLENCODED, 422,
     "files: a part without a file name that holds text, 'some+text', and no image; "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_refusal_says_what_came_and_what_to_send(
    server: Any, daisy: bytes, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = send(server, filled(body, daisy), headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(reason)
    assert "\n" not in answer.json()["error"]


def test_what_curl_d_left_of_an_image_is_told_so(server: Any, daisy: bytes) -> None:
    left = daisy.translate(None, b"\0\r\n")
    answer = send(server, left, URLENCODED)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cannot read image 1: its zero bytes and line ends are missing")
    assert answer.json()["error"].endswith("use --data-binary")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/predict", 404, "there is nothing at this address; images are sent with POST to /v1/predict, and "),
        ("GET", "/predict", 404, "there is nothing at this address"),
        ("PUT", "/v1/predict", 405, "this address does not take this method, PUT; it takes POST"),
        ("GET", "/v1/predict", 405, "this address does not take this method, GET; it takes POST"),
    ],
)
def test_a_wrong_address_or_method_says_the_right_one(
    server: Any, method: str, path: str, status: int, reason: str
) -> None:
    with server.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(reason)


BYTES = bytes(range(256)) + b"\xfb\xff"  # whose base64 has both characters that alphabets differ in
PLAIN = base64.b64encode(BYTES).decode()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        base64.urlsafe_b64encode(BYTES).decode(),
        PLAIN.rstrip("="),
        PLAIN.rstrip("=") + "====",
        f" \n{PLAIN}\n",
        base64.encodebytes(BYTES).decode(),
        base64.encodebytes(BYTES).decode().replace("\n", "\r\n"),
        f"data:image/png;base64,{PLAIN}",
        f"DATA:image/png;name=a.png;BASE64,{PLAIN}",
        f"data:;base64,{base64.urlsafe_b64encode(BYTES).decode().rstrip('=')}",
        f"data:image/png;base64,{quote(PLAIN, safe='')}",
        f"data:image/png,{PLAIN}",
        f"data:image/png,{quote(BYTES)}",
        str(base64.b64encode(BYTES)),
    ],
)
def test_base64_is_read_in_every_spelling(text: str) -> None:
    assert decoded(text) == BYTES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("data:image/png;base64,", "it is empty"),
        ("AAAAA", "it is not base64: 5 characters are no whole number of bytes; it was cut off"),
        ("AA=A", "it is not base64: '=' is none of its characters, in 'AA=A'"),
        ("AA\N{TULIP}A", "it is not base64: '?' is none of its characters, in 'AA\N{TULIP}A'"),
        ("data:image/png;base64", "it is not base64: ':' is none of its characters, in 'data:image/png;base64'"),
        ("C:\\images\\a.jpeg", "it is a file's name, 'C:\\images\\a.jpeg', not its bytes"),
    ],
)
def test_what_is_no_base64_says_why(text: str, reason: str) -> None:
    said = decoded(text)
    assert isinstance(said, ImageError)
    assert said.reason == reason
