"""What the site shows beside what is written: the type of each parameter, a link for
each name in code font, and formulas as MathML, which needs no script and no network.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

try:  # the examples below run where the site is not built
    from docutils import nodes
    from latex2mathml.converter import convert
except ImportError:
    nodes = convert = None

_SECTION = re.compile(r"^(Other )?Parameters$")
_NAMES = re.compile(r"^\*{0,2}\w+(, \*{0,2}\w+)*$")
_CODE = re.compile(r"^(?:cg\.|causalgia\.)?([A-Za-z_][\w.]*)(?:\(.*\))?$", re.DOTALL)


def types_of_parameters(_app, _what, _name, obj, _options, lines: list[str]) -> None:
    """Write the annotation of each parameter behind its name, before numpydoc reads the
    docstring; types that the docstring gives are left.
    """
    try:
        parameters = inspect.signature(obj).parameters
    except (TypeError, ValueError):
        return
    for at in _parameter_lines(lines):
        names = [one.lstrip("*") for one in lines[at].split(", ")]
        types = [annotation(parameters[one]) for one in names if one in parameters]
        if len(types) == len(names) and all(types):
            # of one type: once; else those of all, in their order
            lines[at] += f" : {'; '.join(types if len(set(types)) > 1 else types[:1])}"


def _parameter_lines(lines: list[str]) -> Iterator[int]:
    within = False
    for i, line in enumerate(lines):
        if i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1]):
            within = bool(_SECTION.match(line))
        elif within and _NAMES.match(line):
            yield i


def annotation(parameter: inspect.Parameter) -> str:
    """Return the annotation of a parameter as a reader writes it, with its default;
    arrays and Series of any type without it.

    Examples
    --------
    >>> def f(ci_prob: float = 0.95, rng: int | None = None): ...
    >>> [annotation(one) for one in inspect.signature(f).parameters.values()]
    ['float, default 0.95', 'int | None']
    """
    if parameter.annotation is parameter.empty:
        return ""
    written = parameter.annotation
    text = written if isinstance(written, str) else inspect.formatannotation(written)
    text = re.sub(r"\b(?:typing|collections\.abc|numpy|np\.typing)\.", "", text)
    text = re.sub(r"\b(NDArray|Series|Index)\[Any\]", r"\1", " ".join(text.split()))
    default = parameter.default
    if isinstance(default, bool | int | float | str) and default != "":
        text += f", default {default!r}"
    return re.sub(r"([*_])(?!\w)", r"\\\1", text)


def link_names(app, doctree, docname: str) -> None:
    """Make each name in code font a link to its page, and the path of each page too,
    except in headings and links.
    """
    for written in list(doctree.findall(_is_code)):
        inside = written.parent
        while inside is not None and not isinstance(inside, nodes.reference):
            inside = inside.parent
        if inside is not None or isinstance(written.parent, nodes.title):
            continue
        page, place = _page_of(app.env, written.astext())
        if page in ("", docname):
            continue
        uri = app.builder.get_relative_uri(docname, page) + place
        link = nodes.reference("", "", refuri=uri, internal=True)
        written.parent.replace(written, link)
        link += nodes.literal("", written.astext())


def _is_code(node) -> bool:
    """Tell text in code font, and a name of the root in single backticks."""
    by_name = isinstance(node, nodes.emphasis) and node.astext().startswith("cg.")
    return isinstance(node, nodes.literal) or by_name


def _page_of(env, text: str) -> tuple[str, str]:
    """Return the page of a name or path, and the place on it; both empty if none."""
    if path := re.fullmatch(r"docs/([\w/-]+)\.md", text):
        return (path[1], "") if path[1] in env.found_docs else ("", "")
    name = _CODE.match(text)
    found = name and env.domains["py"].objects.get(f"causalgia.{name[1].rstrip('.')}")
    room = name and text.startswith(("cg.", "causalgia.")) and f"api/{name[1]}"
    if not found and room in env.found_docs:
        return room, ""
    return (found.docname, f"#{found.node_id}") if found else ("", "")


def inline_formula(self, node) -> None:
    """Write a formula within a line."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(self, node) -> None:
    """Write a formula of its own."""
    text = node.astext()
    if r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    self.body.append(f'<div class="formula">{convert(text, display="block")}</div>\n')
    raise nodes.SkipNode


def setup(app) -> dict[str, bool]:
    """Connect them."""
    app.connect("autodoc-process-docstring", types_of_parameters, priority=400)
    app.connect("doctree-resolved", link_names)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
