"""The first page of the site: README, whose addresses of the repository become places
on the site, and whose wide pictures give way to narrow ones on narrow pages.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
_PICTURE = re.compile(r"^!\[([^]]+)\]\(pictures/(\w+)\.png\)$", re.MULTILINE)


def repository() -> str:
    """Return the address of the repository."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    address: str = tomllib.loads(text)["project"]["urls"]["Source"]
    return address


def roots() -> tuple[str, str]:
    """Return what stands before the path of a file in README: of a page, of a picture."""
    at = repository()
    raw = at.replace("github.com", "raw.githubusercontent.com")
    return f"{at}/blob/main/", f"{raw}/main/"


def text() -> str:
    """Return README as a page of the site."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for root in roots():  # its pages and pictures; a script is no page of the site
        own = re.compile(rf"\({re.escape(root)}docs/(?=[\w/]+\.(?:md|png)[#)])")
        readme = own.sub("(", readme)
    return _PICTURE.sub(_by_width, readme)


def _by_width(found: re.Match[str]) -> str:
    """Return a picture as a directive, and its narrow form beside it if it has one."""
    alt, name = found.groups()
    if not (HERE / "pictures" / f"{name}_stacked.png").exists():
        return found[0]
    return "\n".join(
        f"```{{image}} pictures/{file}.png\n:class: on-{width}-pages\n:alt: {alt}\n```"
        for file, width in ((name, "wide"), (f"{name}_stacked", "narrow"))
    )
