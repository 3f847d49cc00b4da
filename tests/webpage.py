"""A page as a browser parses it, for the tests of everything that writes one."""

import re
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "img", "br", "hr", "path", "use"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text; fails if tags do not nest."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags and attribute names: a name or path must never change them."""
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]


def asks_for_nothing(page: Page) -> bool:
    """Whether the page has no scripts, and every URL in it is its own anchor or a data URL."""
    addresses = ("src", "href", "xlink:href", "srcset", "data", "action", "poster")
    for _, attributes in page.elements:
        for name, value in attributes.items():
            if name.startswith("on") or (name in addresses and not value.startswith(("#", "data:"))):
                return False
            if "url(" in value and not re.search(r"url\(#[\w-]+\)", value):
                return False
    return not page.all("script") and not re.search(r"@import|url\((?!#)", page.source)
