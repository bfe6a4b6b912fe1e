"""The pages load nothing from elsewhere and need no inline script."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from galvanode.service.pages import PLOTLY_URL, STATIC

PAGES = ["/", "/runs", "/runs/r0001", "/login", "/docs"]
_HARMLESS = {"http://www.w3.org/2000/svg"}


class Links(HTMLParser):
    """What a page refers to, and what it has inline."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [found[name] or "" for name in ("src", "href") if name in found]
        self.inline += [name for name in found if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in found):
            self.inline.append(tag)


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_refers_to_this_station_only(web: httpx.AsyncClient, page: str) -> None:
    answer = await web.get(page)
    assert answer.headers["content-type"].startswith("text/html")
    parser = Links()
    parser.feed(answer.text)
    assert parser.inline == []
    for link in parser.links:
        assert link.startswith(("/", "#")), link
        assert not link.startswith("//")
        if link.startswith("/"):
            assert (await web.get(link)).status_code == 200, link


def test_no_file_of_ours_names_another_host() -> None:
    for path in STATIC.iterdir():
        urls = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`)]*", path.read_text(encoding="utf-8")))
        assert urls <= _HARMLESS, path.name


def test_our_scripts_make_no_markup_from_text() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


async def test_plotly_comes_from_its_own_package_and_is_kept(web: httpx.AsyncClient) -> None:
    answer = await web.get(PLOTLY_URL)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert PLOTLY_URL in (await web.get("/runs/r0001")).text


async def test_our_own_files_are_asked_for_again(web: httpx.AsyncClient) -> None:
    answer = await web.get("/static/style.css")
    assert answer.headers["cache-control"] == "no-cache"
    again = await web.get("/static/style.css", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_nothing_outside_the_pages_is_served(web: httpx.AsyncClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/docs-assets/../core.py", "/web-token"):
        answer = await web.get(path)
        assert answer.status_code == 404, path
        assert "error" in answer.json()
