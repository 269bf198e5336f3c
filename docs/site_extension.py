"""What the site shows beside what is written: the type of each parameter, a link for
each name in code font, and formulas as MathML, which needs no script and no network.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from docutils import nodes
from latex2mathml.converter import convert

_SECTION = re.compile(r"^(Other )?Parameters$")
_NAMES = re.compile(r"^\*{0,2}\w+(, \*{0,2}\w+)*$")
_CODE = re.compile(r"^(?:cg\.|causalgia\.)?([A-Za-z_][\w.]*)(?:\(.*\))?$", re.DOTALL)


def types_of_parameters(app, what, name, obj, options, lines: list[str]) -> None:
    """Write the annotation of each parameter behind its name, before numpydoc reads the
    docstring; types that the docstring gives are left.
    """
    try:
        parameters = inspect.signature(obj).parameters
    except (TypeError, ValueError):
        return
    for at in _parameter_lines(lines):
        names = [one.lstrip("*") for one in lines[at].split(", ")]
        types = {annotation(parameters[one]) for one in names if one in parameters}
        if len(types) == 1 and (written := types.pop()):
            lines[at] = f"{lines[at]} : {written}"


def _parameter_lines(lines: list[str]) -> Iterator[int]:
    within = False
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1]):
            within = bool(_SECTION.match(line))
        elif within and _NAMES.match(line):
            yield i


def annotation(parameter: inspect.Parameter) -> str:
    """Return the annotation of a parameter as a reader writes it, with its default.

    Examples
    --------
    >>> def f(ci_prob: float = 0.95, rng: "int | None" = None): ...
    >>> [annotation(one) for one in inspect.signature(f).parameters.values()]
    ['float, default 0.95', 'int | None']
    """
    if parameter.annotation is parameter.empty:
        return ""
    written = parameter.annotation
    text = written if isinstance(written, str) else inspect.formatannotation(written)
    text = re.sub(r"\b(?:typing|collections\.abc|numpy|np\.typing)\.", "", text)
    text = " ".join(text.split())
    default = parameter.default
    if isinstance(default, bool | int | float | str) and default != "":
        text += f", default {default!r}"
    return text.replace("*", r"\*")


def link_names(app, doctree, docname: str) -> None:
    """Make each name in code font a link to its page, except in headings and links."""
    objects = app.env.domains["py"].objects
    for literal in list(doctree.findall(nodes.literal)):
        inside = literal.parent
        while inside is not None and not isinstance(inside, nodes.reference):
            inside = inside.parent
        within_title = isinstance(literal.parent, nodes.title)
        found = _CODE.match(literal.astext())
        if inside is not None or within_title or not found:
            continue
        entry = objects.get(f"causalgia.{found[1].rstrip('.')}")
        if entry is None or entry.docname == docname:
            continue
        target = app.builder.get_relative_uri(docname, entry.docname)
        link = nodes.reference(
            "", "", refuri=f"{target}#{entry.node_id}", internal=True
        )
        literal.parent.replace(literal, link)
        link += literal


def inline_formula(self, node) -> None:
    """Write a formula within a line."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(self, node) -> None:
    """Write a formula of its own."""
    text = node.astext()
    if r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    self.body.append(f'<div class="math">{convert(text, display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app) -> dict[str, bool]:
    """Connect them."""
    app.connect("autodoc-process-docstring", types_of_parameters, priority=400)
    app.connect("doctree-resolved", link_names)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
