"""Check that a report is one self-contained page, every picture of which is there and described."""

import sys
from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Collect what a page would fetch, and its pictures without a text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.undescribed: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a picture, and anything that the browser would have to load."""
        values = dict(attrs)
        source = values.get("src") or (values.get("href") if tag == "link" else None)
        if source is not None and not source.startswith("data:"):
            self.fetched.append(f"<{tag}> loads {source[:60]}")
        if tag == "img":
            self.pictures += 1
            if not (values.get("alt") or "").strip():
                self.undescribed.append(f"picture {self.pictures} has no alt text")


def problems(path: Path) -> list[str]:
    """Sentences about what is wrong with the page at ``path``."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    found = page.fetched + page.undescribed
    return found if page.pictures else [*found, "the page has no picture"]


if __name__ == "__main__":
    found = problems(Path(sys.argv[1]))
    print("\n".join(found) or f"{sys.argv[1]} is self-contained")
    sys.exit(bool(found))
