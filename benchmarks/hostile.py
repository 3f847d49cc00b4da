"""Whether `corolla serve` withstands hostile input: images and requests that are broken on purpose.

    python benchmarks/hostile.py flowers --requests 2000 --seed 0

Every request is drawn by the seed: truncated images, modified bytes, two images joined, dimensions too large for any
memory, decompression bombs; malformed forms and JSON; path traversal, names with invalid encoding, headers that are not
HTTP. Each must get a 4xx with a reason in one line. Modified bytes that are still an image may be predicted instead. A
good image is sent before, after and regularly in between, and must be predicted correctly.
"""

import argparse
import base64
import io
import json
import random
import socket
import string
import struct
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
from PIL import Image

from corolla.painted import paint

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAY_BE_IMAGES = ("cut off", "bytes changed", "two in one")  # by chance, or because only the end is missing
BETWEEN = 50  # attacks between two requests with the good image
Maker = Callable[[random.Random, dict[str, bytes]], bytes]


@dataclass
class Outcome:
    """The results of the attacks by kind."""

    refused: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # descriptions of what should not have happened
    statuses: Counter[int] = field(default_factory=Counter)

    def table(self) -> str:
        """As Markdown."""
        kinds = sorted({*self.refused, *self.answered})
        rows = [f"| {kind} | {self.refused[kind]:,} | {self.answered[kind]:,} |" for kind in kinds]
        total = f"| all | {self.refused.total():,} | {self.answered.total():,} |"
        return "\n".join(
            ["| attack | refused with 4xx and a reason | still an image, predicted |", "|---|--:|--:|", *rows, total]
        )


def originals() -> dict[str, bytes]:
    """One painted image in each format."""
    image = paint("tulip", 2, 120)
    return {kind: saved(image, kind) for kind in FORMATS}


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


# Images


def cut_off(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    content = whole[dice.choice(FORMATS)]
    return content[: dice.randrange(len(content))]


def bytes_changed(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    content = bytearray(whole[dice.choice(FORMATS)])
    within = len(content) if dice.random() < 0.5 else min(64, len(content))  # changes in the header do most harm
    for _ in range(dice.choice((1, 2, 8, 64, 512))):
        content[dice.randrange(within)] = dice.randrange(256)
    return bytes(content)


def two_in_one(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    head, tail = (whole[kind] for kind in dice.sample(FORMATS, 2))
    return head[: dice.randrange(4, 200)] + tail[dice.randrange(len(tail)) :]


def giant(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    """Dimensions that a header can state but no memory can hold."""
    wide, high = (dice.choice((8_000, 20_000, 60_000, 65_535)) for _ in range(2))
    kind = dice.choice(("PNG", "BMP", "GIF", "PPM", "TIFF"))
    if kind == "PNG":
        return png(dice.choice((wide, 2**31 - 1)), high * 2, b"")
    if kind == "PPM":
        return b"P6 %d %d 255\n" % (wide * 10, high) + bytes(99)
    content = bytearray(whole[kind])
    if kind == "BMP":
        content[18:26] = struct.pack("<ii", wide, high)
    elif kind == "GIF":
        content[6:10] = struct.pack("<HH", 65_535, 65_535)
    else:
        place = struct.unpack("<I", content[4:8])[0] + 2
        for entry in range(2):  # the first two tags are width and height, as 32-bit numbers
            content[place + 12 * entry + 2 : place + 12 * entry + 12] = struct.pack("<HII", 4, 1, 100_000)
    return bytes(content)


def bomb(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    """Small files that become large when decoded: pixels, text or a color profile."""
    kind = dice.randrange(3)
    if kind == 0:
        side = dice.randrange(8_000, 14_000)
        return png(side, side, bytes(side // 8 * 1000))
    packed = zlib.compress(bytes(30_000_000), 9)
    chunk = (b"zTXt", b"a\0\0" + packed) if kind == 1 else (b"iCCP", b"a\0\0" + packed)
    return png(20, 20, b"", chunk)


def png(wide: int, high: int, content: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A gray PNG with these dimensions in its header, whatever its content."""
    header = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(content, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def no_image(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    return dice.choice(
        (
            b"",
            dice.randbytes(dice.randrange(1, 5000)),
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            b"%PDF-1.7\n" + dice.randbytes(200),
            b"PK\x03\x04" + dice.randbytes(200),
            b"%!PS-Adobe\n(/etc/passwd) (r) file",
            b"\0\0\0\x18ftypheic" + dice.randbytes(200),
            "ein Brief, keine Blume".encode("utf-16"),
        )
    )


# Requests


def request(method: str, path: bytes, headers: list[bytes], body: bytes = b"") -> bytes:
    """The bytes of an HTTP/1.1 request."""
    head = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def form(content: bytes, name: bytes = b"a.jpg", more: bytes = b"") -> bytes:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + name + b'"\r\n\r\n'
    return request(
        "POST",
        b"/v1/predict",
        [b"Content-Type: multipart/form-data; boundary=x"],
        body + content + b"\r\n" + more + b"--x--\r\n",
    )


def strange_name(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    """On content that is not an image: the reason then quotes the name."""
    names = (
        b"../" * dice.randrange(1, 30) + b"etc/passwd",
        b"\xff\xfe\x80" * dice.randrange(1, 20),
        b"..\\..\\windows\\win.ini",
        b"a\0b.jpg",
        "‮gpj.exe\N{COMBINING ACUTE ACCENT}".encode() * dice.randrange(1, 9),
        b"\x1b[2J\x1b]0;title\x07",
        b"CON",
        b"%n%s%x{{7*7}}${jndi:ldap://x}",
        dice.randbytes(40).translate(None, b'\r\n"\\'),
    )
    return form(no_image(dice, whole), dice.choice(names))


def broken_form(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    good = form(no_image(dice, whole))
    _, _, body = good.partition(b"\r\n\r\n")
    kind = dice.randrange(6)
    if kind == 0:
        return form(
            b"x",
            more=b'--x\r\nContent-Disposition: form-data; name="top"\r\n\r\n'
            + dice.choice((b"-1", b"1e9", b"\xff"))
            + b"\r\n",
        )
    if kind == 1:
        return form(b"x", more=b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n")
    if kind == 2:
        return form(
            b"x", more=b'--x\r\nContent-Disposition: form-data; name="coverage"\r\n\r\n' + b"9" * 5000 + b"\r\n"
        )
    if kind == 3:
        many = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n'
        return form(b"x", more=many * dice.randrange(16, 400))
    if kind == 4:
        boundary = dice.choice(
            (b"", b"; boundary=", b"; boundary=other", b"; boundary=x; charset=none", b'; boundary="')
        )
        return request("POST", b"/v1/predict", [b"Content-Type: multipart/form-data" + boundary], body)
    place = dice.randrange(len(body))
    return request(
        "POST", b"/v1/predict", [b"Content-Type: multipart/form-data; boundary=x"], body[:place] + dice.randbytes(3)
    )


def broken_json(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    coded = base64.b64encode(no_image(dice, whole)).decode()
    values = (
        [coded],
        coded,
        [1],
        [None],
        [[coded]],
        {},
        None,
        [coded] * 500,
        ["data:;base64," + coded + "="],
        ["\N{TULIP}"],
        [],
    )
    asked = {"images": dice.choice(values)}
    asked |= dice.choice(
        ({}, {"top": dice.choice((-1, 0, 1.5, "x", None, 10**30, []))}, {"coverage": dice.choice((0, 1, -1, "x", []))})
    )
    body = json.dumps(asked | dice.choice(({}, {"explain": "perhaps"}, {"exec": "1"}))).encode()
    kind = dice.randrange(5)
    if kind == 0:
        body = body[: dice.randrange(len(body))]
    elif kind == 1:
        body = dice.choice((b"[", b'{"images":')) * dice.randrange(1000, 100_000)
    elif kind == 2:
        body = body.replace(b"images", dice.randbytes(4), 1)
    return request("POST", b"/v1/predict", [b"Content-Type: application/json"], body)


def wrong_type(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    kinds = (
        b"text/html",
        b"video/mp4",
        b"application/pdf",
        b"multipart/mixed; boundary=x",
        b"application/json",
        b"*/*",
        b"\xff/\xfe",
    )
    headers = [b"Content-Type: " + dice.choice(kinds)]
    if dice.random() < 0.2:
        headers = [b"Content-Type: application/json", b"Content-Encoding: " + dice.choice((b"gzip", b"br", b"zstd"))]
    return request("POST", b"/v1/predict", headers, whole["JPEG"])


def path_trick(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    up = dice.choice(
        (b"../", b"..%2f", b"%2e%2e/", b"..\\", b"..%5c", b"..;/", b"%252e%252e%252f", b"....//")
    ) * dice.randrange(1, 9)
    start = dice.choice((b"/", b"/page/", b"/report/", b"/v1/", b"/page/style.css/", b"//", b"/docs/"))
    end = dice.choice(
        (b"etc/passwd", b"app.py", b"src/corolla/run.py", b"config.json", b"\xff\xfe", b"%00.css", b"a" * 3000, b"~")
    )
    return request(
        dice.choice(("GET", "GET", "GET", "HEAD", "POST", "DELETE")).replace("HEAD", "GET"), start + up + end, []
    )


def wrong_method(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    method = "".join(dice.choices(string.ascii_uppercase, k=dice.randrange(3, 12)))
    path = dice.choice((b"/", b"/v1/predict", b"/v1/model", b"/healthz", b"/metrics"))
    return request(
        dice.choice((method, "DELETE", "PUT", "PATCH", "TRACE", "OPTIONS")), path, [], dice.randbytes(dice.randrange(9))
    )


def no_http(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    good = request("GET", b"/healthz", [])
    return dice.choice(
        (
            dice.randbytes(60) + b"\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + dice.randbytes(80) + b"\r\n\r\n",
            good.replace(b"HTTP/1.1", b"HTTP/one"),
            good.replace(b"Content-Length: 0", b"Content-Length: " + dice.choice((b"-1", b"x", b"1e3", b"9" * 30))),
            good.replace(b"Host: localhost\r\n", b""),
            good.replace(b"Host:", b"A: " + b"b" * 1_000_000 + b"\r\nHost:"),
            good.replace(b"Host: localhost", b"Host: localhost\r\nHost: evil.example"),
            good.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"zz\r\n\r\n",
        )
    )


def wrong_host(dice: random.Random, whole: dict[str, bytes]) -> bytes:
    host = dice.choice(
        (
            b"evil.example",
            b"localhost.evil.example",
            b"localhost@evil.example",
            b"127.0.0.1.nip.io",
            b"\xff",
            b"[::2]:80",
        )
    )
    return request("GET", b"/v1/model", []).replace(b"Host: localhost", b"Host: " + host)


IMAGES: dict[str, Maker] = {
    "cut off": cut_off,
    "bytes changed": bytes_changed,
    "two in one": two_in_one,
    "giant dimensions": giant,
    "bomb": bomb,
    "no image": no_image,
}
REQUESTS: dict[str, Maker] = {
    "strange name": strange_name,
    "broken form": broken_form,
    "broken JSON": broken_json,
    "wrong type": wrong_type,
    "path trick": path_trick,
    "wrong method": wrong_method,
    "no HTTP": no_http,
    "wrong host": wrong_host,
}


def attacks(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield `count` kinds with the bytes to send; two of three are images."""
    whole, dice = originals(), random.Random(seed)
    for _ in range(count):
        if dice.random() < 2 / 3:
            kind = dice.choice(list(IMAGES))
            yield kind, form(IMAGES[kind](dice, whole))
        else:
            kind = dice.choice(list(REQUESTS))
            yield kind, REQUESTS[kind](dice, whole)


def exchange(address: str, sent: bytes) -> tuple[int, bytes]:
    """Send the bytes; returns the status and the body of the response."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=60) as line:
        received = b""
        try:
            line.sendall(sent)
            while chunk := line.recv(1 << 16):
                received += chunk
        except ConnectionError:  # the response came before the whole request was read
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def attack(address: str, count: int, seed: int) -> Outcome:
    """Send `count` attacks, with a good image in between."""
    outcome = Outcome()
    good = form(saved(paint("tulip", 2, 240), "JPEG"))
    for number, (kind, sent) in enumerate(attacks(count, seed)):
        if number % BETWEEN == 0:
            check_right(address, good, outcome, number)
        status, body = exchange(address, sent)
        outcome.statuses[status] += 1
        if status == 200 and kind in MAY_BE_IMAGES:
            outcome.answered[kind] += 1
        elif 400 <= status < 500 and has_reason(body):
            outcome.refused[kind] += 1
        else:
            outcome.wrong.append(f"number {number}, {kind}: {status} {body[:100]!r} to {sent[:200]!r}")
    check_right(address, good, outcome, count)
    return outcome


def check_right(address: str, good: bytes, outcome: Outcome, number: int) -> None:
    status, body = exchange(address, good)
    if status != 200 or json.loads(body)["predictions"][0]["label"] != "tulips":
        outcome.wrong.append(f"after {number} attacks, the response for a tulip was {status} {body[:200]!r}")


def has_reason(body: bytes) -> bool:
    """Whether the body has one line in `error`, or the server's plain line for input that is not HTTP."""
    if not body.lstrip().startswith(b"{"):
        return b"Invalid HTTP request received." in body
    said = json.loads(body)
    return said.keys() == {"error"} and bool(said["error"]) and "\n" not in said["error"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "corolla", "serve", asked.run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout
        address = json.loads(process.stdout.readline())["address"]
        memory = psutil.Process(process.pid)
        before = memory.memory_info().rss
        log: list[str] = []
        reader = threading.Thread(target=lambda: log.extend(process.stdout or ()))
        reader.start()
        outcome = attack(address, asked.requests, asked.seed)
        after = memory.memory_info().rss
        process.terminate()
        process.wait(60)
        reader.join(10)
    faults = [line for line in log if json.loads(line)["event"] == "fault"]
    print(outcome.table())
    print(f"\nmemory {before / 1e6:,.0f} MB before, {after / 1e6:,.0f} MB after")
    print(f"statuses: {dict(sorted(outcome.statuses.items()))}; exit status {process.returncode}")
    print(f"{len(faults)} faults in the log; {len(outcome.wrong)} wrong responses")
    print("".join(f"{line}\n" for line in [*outcome.wrong[:20], *faults[:5]]), end="")
    sys.exit(bool(outcome.wrong or faults or process.returncode))


if __name__ == "__main__":
    main()
