"""The skill for assistants: which question is which call, with the signatures of this
version.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from causalgia.cli.folder import output_folder, write_text
from causalgia.cli.output import echo, emit, record_files
from causalgia.cli.shell import Force
from causalgia.errors import DataError, quoted

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
    "MatchedVariants",
    "Untreated",
    "Embed",
    "Placebo",
    "Insert",
    "Delete",
    "Mutate",
    "Ablate",
    "Scramble",
    "Copy",
    "EmbedEach",
    "AblateEach",
    "Track",
    "Window",
    "TorchPredictor",
    "FunctionPredictor",
    "Ensemble",
    "load_predictor",
    "run",
    "contrast",
    "contrast_models",
    "estimate",
    "moderation",
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


def _torch_predictor() -> inspect.Signature:
    """Return the signature of `causalgia.TorchPredictor`, from its source: torch may be
    absent.
    """
    source = (files("causalgia.predict") / "torch_predictor.py").read_text("utf-8")
    (made,) = (
        init.args
        for one in ast.parse(source).body
        if isinstance(one, ast.ClassDef) and one.name == "TorchPredictor"
        for init in one.body
        if isinstance(init, ast.FunctionDef) and init.name == "__init__"
    )
    first = [
        inspect.Parameter(one.arg, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for one in made.args[1:]
    ]
    rest = [
        inspect.Parameter(
            one.arg, inspect.Parameter.KEYWORD_ONLY, default=ast.literal_eval(default)
        )
        for one, default in zip(made.kwonlyargs, made.kw_defaults, strict=True)
        if default is not None
    ]
    return inspect.Signature([*first, *rest])


def signature_line(name: str, call: Callable[..., Any] | inspect.Signature) -> str:
    """Return the signature of a call as one line, without annotations.

    Examples
    --------
    >>> def embed(pattern: str, *, at: int, strand: str = "+"): ...
    >>> signature_line("cg.embed", embed).replace(_KEPT, " ")
    "cg.embed(pattern, *, at, strand='+')"
    """
    parts = []
    takes = call if isinstance(call, inspect.Signature) else inspect.signature(call)
    for one in takes.parameters.values():
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
        of_torch = verb == "TorchPredictor"
        call = _torch_predictor() if of_torch else getattr(cg, verb)
        yield signature_line(f"cg.{verb}", call)
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
