"""The skill for assistants: which question is which call, with the signatures of this
version.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from causalgia.cli.folder import output_folder, write_text
from causalgia.cli.output import echo, emit, record_files
from causalgia.cli.shell import Force
from causalgia.errors import (
    DataError,
    MissingExtraError,
    install_command,
    quoted,
)

SKILL = "SKILL.md"
_PLACE_OF_SIGNATURES = "<!-- signatures -->"
_WIDTH = 120
_KEPT = "\N{NO-BREAK SPACE}"  # a space at which no line ends
_DEFAULT_LETTERS = 30  # a longer default is not shown
_VERBS = (
    "Design",
    "Analysis",
    "Uniform",
    "DinucleotideShuffle",
    "Genomic",
    "Embed",
    "Placebo",
    "TorchPredictor",
    "FunctionPredictor",
    "Ensemble",
    "load_predictor",
    "run",
    "contrast",
    "estimate",
    "infer",
    "decide",
    "analyze",
    "report",
    "table",
    "tidy",
    "check",
    "refute",
    "confirm",
    "audit",
    "attribute",
    "rank",
    "sample_size",
    "tipping_point",
    "from_frame",
    "from_effects",
)
_EXPERIMENTS = ("null_models", "tile_search", "proposals", "site_pairs")
_BENCH = (
    "library",
    "write_library",
    "virtual_trial",
    "simulate",
    "read_counts",
    "quality",
    "fit",
    "average",
    "conditions",
    "concordance",
    "power",
    "NoiseModel",
    "components",
)


def signature_line(name: str, call: Callable[..., Any]) -> str:
    """Return the signature of a call as one line, without annotations.

    Examples
    --------
    >>> def embed(pattern: str, *, at: int, strand: str = "+"): ...
    >>> signature_line("cg.embed", embed).replace(_KEPT, " ")
    "cg.embed(pattern, *, at, strand='+')"
    """
    parts = []
    for one in inspect.signature(call).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        if one.kind is one.VAR_KEYWORD:
            parts.append(f"**{one.name}")
        elif one.default is one.empty:
            parts.append(one.name)
        else:
            default = quoted(one.default).replace(" ", _KEPT)
            written = len(default) <= _DEFAULT_LETTERS and not default.startswith("<")
            shown = default if written else "..."
            parts.append(f"{one.name}={shown}")
    return f"{name}({', '.join(parts)})"


def _signatures() -> Iterator[str]:
    import causalgia as cg

    for verb in _VERBS:
        try:
            yield signature_line(f"cg.{verb}", getattr(cg, verb))
        except MissingExtraError:
            yield f"cg.{verb}: needs {install_command('torch')}"
    for name in (*(str(entry) for entry in cg.experiments.entries()), *_EXPERIMENTS):
        call = getattr(cg.experiments, name)
        yield signature_line(f"cg.experiments.{name}", call)
    for name in _BENCH:
        yield signature_line(f"cg.mpra.{name}", getattr(cg.mpra, name))


def skill_text() -> str:
    r"""Return the skill, with the signatures of the calls that it names.

    Examples
    --------
    >>> text = skill_text()
    >>> text.startswith("---\nname: causalgia"), "cg.estimate(effects, *," in text
    (True, True)
    """
    lines = (
        textwrap.fill(line, _WIDTH, subsequent_indent=" " * 4, break_long_words=False)
        for line in _signatures()
    )
    text = (files("causalgia.cli") / "skill.md").read_text(encoding="utf-8")
    return text.replace(
        _PLACE_OF_SIGNATURES, "\n".join(["`text", *lines, "`"]).replace(_KEPT, " ")
    )


def skill(*, install: Path | None = None, force: Force = False) -> None:
    """Print or install the skill for assistants: which question is which call,
    pitfalls, and the signatures of this version.

    Example:   causalgia skill

    Example:   causalgia skill --install .claude/skills

    Parameters
    ----------
    install
        The folder of an assistant's skills: writes DIR/causalgia/SKILL.md, and DIR if
        missing.
    """
    text = skill_text()
    if install is None:
        emit(text.rstrip("\n"))
        return
    place = install / "causalgia" / SKILL
    if place.exists() and not force and place.read_bytes() != text.encode():
        raise DataError(f"{place} exists already, and differs; --force writes over it")
    with output_folder(place.parent):
        write_text(place, text)
    record_files(place)
    echo(f"Wrote {place}")
