"""The built site in figures: what is counted of its pages, each with its goal.

``python benchmarks/site_measures.py docs/_build/html`` prints the table and what is
short of a goal; with ``--check`` it fails where a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

ANY_TYPE = frozenset(
    {
        "causalgia.FunctionPredictor(fn)",
        "causalgia.FunctionPredictor(reduce)",
        "causalgia.OnnxPredictor(reduce)",
        "causalgia.TorchPredictor(reduce)",
        "causalgia.load_predictor(**settings)",
        "causalgia.predict.from_keras(scale, alphabet, device, batch_size, reduce, "
        "rc_average, track)",
    }
)
"""Parameters that take what a network answers, or settings of a file of the user: their
values are of any type.
"""
MADE_BY_SPHINX = frozenset({"genindex", "py-modindex", "search"})
WITHOUT_SIDEBAR = MADE_BY_SPHINX | {"index", "404"}
_LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href"}
_NOT_LOADED = frozenset({"canonical", "search", "index", "next", "prev", "author"})
_NAME = re.compile(
    r"^(?:cg|causalgia)\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\(.*\))?$", re.DOTALL
)


class Page(NamedTuple):
    """A page: its name without ``.html``, its tree, and the places on it."""

    name: str
    tree: BeautifulSoup
    places: frozenset[str]

    @property
    def article(self) -> Tag:
        """The text of the page, without what is around it."""
        return self.tree.find("article") or self.tree


def pages(site: Path) -> list[Page]:
    """Return all pages of a site, but those that Sphinx makes for its modules' code."""
    paths = sorted(
        path
        for path in site.rglob("*.html")
        if not path.relative_to(site).parts[0].startswith("_")
    )
    trees = {
        path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in paths
    }
    return [
        Page(
            path.relative_to(site).with_suffix("").as_posix(),
            tree,
            frozenset(str(tag["id"]) for tag in tree.select("[id]")),
        )
        for path, tree in trees.items()
    ]


def empty_sidebars(page: Page) -> bool:
    """Tell whether a page has no link in its sidebar."""
    sidebar = page.tree.select_one(".bd-sidebar-primary .sidebar-primary-items__start")
    return page.name not in WITHOUT_SIDEBAR and (
        sidebar is None or sidebar.find("a") is None
    )


def parameters(page: Page) -> Iterator[tuple[str, str]]:
    """Yield each documented parameter as ``name(parameter)``, and its type."""
    for listed in page.article.select("dl.field-list > dt"):
        if not re.match(r"(Other )?Parameters", listed.get_text()):
            continue
        owner = listed.find_parent("dl", class_="py")
        name = owner.find("dt", id=True)["id"] if owner else page.name
        for term in listed.find_next_sibling("dd").select("dl > dt"):
            strong, type_ = term.find("strong"), term.select_one(".classifier")
            written = strong.get_text() if strong else term.get_text()
            yield f"{name}({written})", type_.get_text() if type_ else ""


def names_in_code(page: Page, objects: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each public name in code font, and what it is: "link", "here" (its own
    page, or a heading), or "plain".
    """
    for code in page.article.select("code"):
        found = _NAME.match(code.get_text().strip())
        if not found or f"causalgia.{found[1]}" not in objects:
            continue
        if code.find_parent("a"):
            yield found[1], "link"
        elif code.find_parent(["h1", "h2", "h3", "h4", "summary"]) or (
            f"causalgia.{found[1]}" in page.places
        ):
            yield found[1], "here"
        else:
            yield found[1], "plain"


def public_names(site: Path) -> frozenset[str]:
    """Return all names that the reference documents, from the inventory."""
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda _, path: path)
    return frozenset(
        name
        for domain, objects in inventory.items()
        if domain.startswith("py:")
        for name in objects
    )


def broken_links(
    site: Path, page: Page, places: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    """Yield links within the site that lead to no file, or to no place on its page, of
    those that each page has.
    """
    for link in page.tree.select("a[href]"):
        target = urlsplit(str(link["href"]))
        if target.scheme or target.netloc:
            continue
        here = site / f"{page.name}.html"
        path = (here.parent / unquote(target.path)).resolve() if target.path else here
        place = unquote(target.fragment)
        name = os.path.relpath(path.with_suffix(""), site.resolve())
        if not path.is_file() or (place and place not in places.get(name, {place})):
            yield str(link["href"])


def other_hosts(page: Page) -> Iterator[str]:
    """Yield what a browser loads from another host when it shows the page."""
    for kind, attribute in _LOADED.items():
        for tag in page.tree.select(f"{kind}[{attribute}]"):
            relation = set(tag.get("rel") or [])
            if urlsplit(str(tag[attribute])).netloc and not relation & _NOT_LOADED:
                yield str(tag[attribute])
    for style in page.tree.find_all("style"):
        yield from re.findall(r"url\(['\"]?(https?://[^)'\"]+)", style.get_text())


def styles_of_other_hosts(site: Path) -> list[str]:
    """Return what style sheets of the site load from another host."""
    return [
        url
        for path in site.rglob("*.css")
        for url in re.findall(
            r"(?:url\(['\"]?|@import ['\"])((?:https?:)?//[^)'\"]+)",
            path.read_text("utf-8"),
        )
    ]


def links_of_llms_txt(site: Path) -> list[str]:
    """Return the links of llms.txt that lead to no file; all, if it is not there."""
    path = site / "llms.txt"
    if not path.is_file():
        return ["llms.txt"]
    links = re.findall(r"\]\(([^)]+)\)", path.read_text("utf-8"))
    return [link for link in links if not (site / link).is_file()]


def measures(site: Path) -> dict[str, tuple[int, int | None, list[str]]]:
    """Return each count, its goal (None: the larger the better), and what is short."""
    read = pages(site)
    objects = public_names(site)
    typed = {
        name: type_ for page in read for name, type_ in parameters(page)
    }  # a class of the root stands once
    names: dict[str, list[str]] = defaultdict(list)
    for page in read:
        for name, state in names_in_code(page, objects):
            names[state].append(f"{page.name}: {name}")
    untyped = sorted(name for name, type_ in typed.items() if not type_)
    loose = sorted(
        f"{name}: {type_}"
        for name, type_ in typed.items()
        if re.search(r"\bAny\b", type_) and name not in ANY_TYPE
    )
    images = [
        (page.name, image) for page in read for image in page.tree.find_all("img")
    ]
    without = [
        f"{name}: {image.get('src')}"
        for name, image in images
        if len(image.get("alt", "")) < 10 or image["alt"] == image.get("src")
    ]
    sidebars = [page.name for page in read if empty_sidebars(page)]
    places = {page.name: page.places for page in read}
    broken = [
        f"{page.name}: {one}"
        for page in read
        for one in broken_links(site, page, places)
    ]
    hosts = [f"{page.name}: {url}" for page in read for url in other_hosts(page)]
    hosts += styles_of_other_hosts(site)
    missing = links_of_llms_txt(site)
    return {
        "pages": (len(read), None, []),
        "empty sidebars": (len(sidebars), 0, sidebars),
        "parameters": (len(typed), None, []),
        "parameters without a type": (len(untyped), 0, untyped),
        "parameters of any type, not listed": (len(loose), 0, loose),
        "public names in code font that are links": (len(names["link"]), None, []),
        "those that stand on their own page or in a heading": (
            len(names["here"]),
            None,
            [],
        ),
        "those that are not links": (len(names["plain"]), 0, sorted(names["plain"])),
        "images": (len(images), None, []),
        "images without a text": (len(without), 0, without),
        "links within the site that lead nowhere": (len(broken), 0, broken),
        "requests to other hosts": (len(hosts), 0, hosts),
        "links of llms.txt that lead nowhere": (len(missing), 0, missing),
    }


def main(arguments: list[str]) -> int:
    """Print the measures of a site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed")
    given = parser.parse_args(arguments)
    table = measures(given.site)
    print("| measure | count | goal |\n|---|---|---|")
    for name, (count, goal, _) in table.items():
        aim = "" if goal is None else f"at most {goal}" if goal else "0"
        print(f"| {name} | {count:,} | {aim} |")
    for name, (_, goal, listed) in table.items():
        if goal is not None and listed:
            print(f"\n{name}:", *listed, sep="\n  ")
    missed = any(goal is not None and count > goal for count, goal, _ in table.values())
    return int(missed and given.check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
