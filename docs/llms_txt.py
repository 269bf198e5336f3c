"""The text for assistants at the root of the site (https://llmstxt.org): the skill that
`causalgia skill` prints, and the pages of the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from causalgia.cli.skill_command import skill_text

HERE = Path(__file__).parent
_TOCTREE = re.compile(r"```\{toctree\}\n(.*?)\n```", re.DOTALL)


def text(source: str = "{page}.md") -> str:
    """Return the file; `source` is where the text of a page is."""
    front, _, body = skill_text().partition("\n---\n")
    description = front.partition("description: ")[2]
    title, _, rest = body.strip().partition("\n")
    pages = "\n".join(
        f"- [{name}]({source.format(page=page)}){meaning}"
        for page, name, meaning in pages_below("index")
    )
    return f"{title}\n\n> {description}\n{rest}\n\n## Pages\n\n{pages}\n"


def pages_below(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield the pages below one, in their order: path, title, and what the list of the
    page above says of it.
    """
    written = (HERE / f"{page}.md").read_text(encoding="utf-8")
    for block in _TOCTREE.findall(written):
        for line in block.splitlines():
            below = line.rpartition("<")[2].rstrip(">").strip()
            path = HERE / f"{below}.md"
            if not line.startswith(":") and path.exists():
                title = re.search(r"(?m)^# (.+)$", path.read_text(encoding="utf-8"))
                said = re.search(rf"(?m)^- \[.+\]\({below}\.md\)(: .+)$", written)
                name = title[1] if title else below.capitalize()
                yield below, name, said[1] if said else ""
                yield from pages_below(below)


if __name__ == "__main__":
    print(text())
