"""A real browser for the tests of pages: an installed one, or Debian's, installed by `python tests/browser.py`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


def find() -> str | None:
    """The program of a Chromium, Chrome or Edge on this computer, or of the one that Playwright downloaded."""
    for path in (*(shutil.which(name) for name in NAMES), *PLACES):
        if path and Path(path).is_file():
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def fetch() -> None:
    """Install one: Debian's package if that is permitted, or else Playwright's browser."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = ["-qq", "-o", "Dpkg::Use-Pty=0"]
        subprocess.run(["apt-get", "update", *quiet], check=True)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *quiet, "chromium"]
        subprocess.run(install, check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdout=sys.stderr)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


@contextmanager
def opened(
    where: Path | str,
    *,
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
    touch: bool = False,
    asked: list[str] | None = None,
) -> Iterator[tuple[Page, list[str]]]:
    """The page in a file or at an address, and its complaints so far: console errors and failed requests.

    The address of every request is added to `asked`.
    """
    program = find()
    assert program, "no browser to test pages with; run: python tests/browser.py"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                has_touch=touch,
                is_mobile=touch,
            )
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("requestfailed", lambda request: complaints.append(f"{request.url[:80]}: {request.failure}"))
            if asked is not None:
                page.on("request", lambda request: asked.append(request.url))
            page.goto(where if isinstance(where, str) else where.resolve().as_uri())
            yield page, complaints
        finally:
            browser.close()


if __name__ == "__main__":
    if find() is None:
        fetch()
