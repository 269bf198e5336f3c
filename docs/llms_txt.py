"""Write docs/llms.txt from the pages of the sections: which page answers what, for
assistants (https://llmstxt.org). ``python docs/llms_txt.py`` writes it again.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
SECTIONS = ("start", "guides", "experiments", "reference", "why_it_holds")
SUMMARY = """\
# causalgia

> Statistical causal inference for genomic neural networks, in Python: write a motif
> into many background sequences, compare each with its control, and read the average
> causal effect with its interval, a corrected p-value and a verdict about its size;
> and order the same design as an MPRA.

`pip install .` in a clone; `import causalgia as cg`; the shell command is `causalgia`.
`causalgia skill` prints which question is which call, ten pitfalls, and the signatures
of the installed version (without an installation: `causalgia/cli/skill.md` of the
repository, which has no signatures): read it before you write code. Arguments that do
not exist are refused. Examples of all pages run as they stand. The lists below are
those of the site.
"""
_LINK = re.compile(r"^- \[([^]]+)\]\(([^)]+\.md)\): (.+)$")


def text(source: str = "{page}.md") -> str:
    """Return the file; `source` is where the text of a page is."""
    parts = [SUMMARY]
    for section in SECTIONS:
        for line in (HERE / f"{section}.md").read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                parts.append(
                    f"\n## {line[2:]}\n" if len(parts) > 1 else f"## {line[2:]}\n"
                )
            elif found := _LINK.match(line):
                title, page, meaning = found.groups()
                place = source.format(page=page.removesuffix(".md"))
                parts.append(f"- [{title}]({place}): {meaning}")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (HERE / "llms.txt").write_text(text(), encoding="utf-8")
