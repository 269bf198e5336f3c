"""What the site shows beside what is written: the type of each parameter, a link for
each name in code font, and formulas as MathML, which needs no script and no network.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

try:  # the examples below run where the site is not built
    from docutils import nodes
    from latex2mathml.converter import convert
except ImportError:
    nodes = convert = None

_SECTION = re.compile(r"^(Other )?Parameters$")
_NAMES = re.compile(r"^\*{0,2}\w+(, \*{0,2}\w+)*$")
_WORD = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_OF_LIBRARIES = {
    "np": "numpy",
    "npt": "numpy.typing",
    "pd": "pandas",
    "xr": "xarray",
    "os": "os",
    "torch": "torch",
}
"""Names by which other libraries are imported, and their own."""
_PRE = re.compile(r'(?<=<span class="pre">)[^<]{16,}(?=</span>)')
_BREAK = re.compile(r"(?<!\bcg\.)(?<=[._(,/])(?=\w)")
_NO_CALL = frozenset({"contrast", "methods", "motif", "placebos", "table"})
"""Names of the root that, written alone, are columns, dims, or tables of a trial file."""
_CODE = re.compile(r"^(?:cg\.|causalgia\.)?([A-Za-z_][\w.]*)(?:\(.*\))?$", re.DOTALL)


def types_of_parameters(_app, _what, _name, obj, _options, lines: list[str]) -> None:
    """Write the annotation of each parameter behind its name, before numpydoc reads the
    docstring; types that the docstring gives are left.
    """
    try:
        parameters = inspect.signature(obj).parameters
    except (TypeError, ValueError):
        return
    home = _module_of(obj)
    for at in _parameter_lines(lines):
        names = [one.lstrip("*") for one in lines[at].split(", ")]
        types = [
            annotation(parameters[one], home) for one in names if one in parameters
        ]
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


def _module_of(obj) -> str:
    """Return the name of the module in which an object's annotations were written."""
    return str(getattr(inspect.unwrap(obj), "__module__", ""))


def annotation(parameter: inspect.Parameter, home: str = "") -> str:
    """Return the annotation of a parameter as a reader writes it, with its default;
    names that only the module `home` knows are written out.

    Examples
    --------
    >>> def f(ci_prob: float = 0.95, rng: int | None = None): ...
    >>> [annotation(one) for one in inspect.signature(f).parameters.values()]
    ['float, default 0.95', 'int | None']
    """
    text = written_out(_as_written(parameter.annotation), home)
    default = parameter.default
    if text and isinstance(default, bool | int | float | str) and default != "":
        text += f", default {default!r}"
    return re.sub(r"([*_])(?!\w)", r"\\\1", text)


def _as_written(declared) -> str:
    """Return an annotation in one line, without the modules of typing, and arrays of
    any type without it.
    """
    if declared is inspect.Parameter.empty:
        return ""
    is_text = isinstance(declared, str)
    text = declared if is_text else inspect.formatannotation(declared)
    text = re.sub(r"\b(?:typing|collections\.abc|numpy|np\.typing)\.", "", text)
    text = re.sub(r"\b(?:npt\.)?(NDArray|DTypeLike|ArrayLike)\b", r"\1", text)
    text = re.sub(r"\bnp\.ndarray\[Any, Any\]", "NDArray", text)
    text = re.sub(r"\[(?=\s)|(?<=\s)\]", lambda found: found[0].strip(), text)
    return re.sub(r"\b(NDArray|Series|Index)\[Any\]", r"\1", " ".join(text.split()))


def written_out(text: str, home: str) -> str:
    """Return a type with each name that stands for another type replaced by that type:
    a choice of texts as ``{'a', 'b'}``.

    Examples
    --------
    >>> written_out("Error | None", "causalgia.verdicts._decide")
    "{'fdr', 'fwer', 'each'} | None"
    >>> written_out("Design | Tokens", "causalgia.design.null_model")
    'Design | NDArray[np.uint8]'
    """

    def meaning(found) -> str:
        stands_for, module = alias(found[0], home)
        return written_out(stands_for, module) if stands_for else found[0]

    text = _as_written(_WORD.sub(meaning, text))
    text = re.sub(r"\bLiteral\[((?:'[^']*'|\"[^\"]*\"|[\w, ])*)\]", r"{\1}", text)
    text = text.replace("} | {", ", ")  # choices of two names are one
    return re.sub(r"\bUnpack\[(\w+)Fields\]", r"fields of \1", text).replace('"', "'")


def alias(name: str, home: str) -> tuple[str, str]:
    """Return the type that a name stands for in a module, and the module that says so;
    both empty if it is no such name.
    """
    defined, imported = _names_of(home)
    if name in imported:
        return alias(imported[name][1], imported[name][0])
    return (defined[name], home) if name in defined else ("", "")


@cache
def _names_of(home: str) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """Return the names of types that a module of this package defines, each with that
    type; and what it imports from the package, for type checkers alone as well.
    """
    spec = find_spec(home) if home.startswith("causalgia") else None
    defined: dict[str, str] = {}
    imported: dict[str, tuple[str, str]] = {}
    if spec is None or spec.origin is None:
        return defined, imported
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and "causalgia" in (node.module or ""):
            for one in node.names:
                imported[one.asname or one.name] = (str(node.module), one.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            of = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            says = ast.unparse(getattr(node, "annotation", node.value))
            if "TypeAlias" in says or says.startswith("Literal["):
                defined[ast.unparse(of)] = _type_text(node.value)
    return defined, imported


def _type_text(value) -> str:
    """Return the source of a type, without the quotes around a whole type."""
    whole = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return value.value if whole else ast.unparse(value)


def signature_as_written(_app, what, _name, obj, _options, signature, _returned):
    """Return a signature with the annotations that its source has, in place of those
    that they are for Python; names of public classes and of other libraries are links.
    """
    try:
        parameters = list(inspect.signature(obj).parameters.values())
    except (TypeError, ValueError):
        return None
    if signature is None:
        return None
    if what == "method" and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    parts, kinds = [], inspect.Parameter
    for i, one in enumerate(parameters):
        before = parameters[i - 1].kind if i else None
        if before is kinds.POSITIONAL_ONLY and one.kind is not before:
            parts.append("/")
        if one.kind is kinds.KEYWORD_ONLY and before not in (
            kinds.KEYWORD_ONLY, kinds.VAR_POSITIONAL
        ):  # fmt: skip
            parts.append("*")
        stars = {kinds.VAR_POSITIONAL: "*", kinds.VAR_KEYWORD: "**"}.get(one.kind, "")
        declared = _as_linked(_as_written(one.annotation))
        part = f"{stars}{one.name}{': ' if declared else ''}{declared}"
        if one.default is not one.empty:
            shown = getattr(one.default, "__name__", None) or repr(one.default)
            shown = "..." if shown.startswith("<") else shown
            part += f" = {shown}" if declared else f"={shown}"
        parts.append(part)
    returned = inspect.signature(obj).return_annotation if what != "class" else None
    is_none = returned in (None, inspect.Signature.empty)
    return f"({', '.join(parts)})", None if is_none else _as_linked(
        _as_written(returned)
    )


def _as_linked(text: str) -> str:
    """Return a type in which names have their full path behind a tilde, by which Sphinx
    finds their page and shows the last part.
    """

    def full(found) -> str:
        first, _, rest = found[0].partition(".")
        if rest and first in _OF_LIBRARIES:
            return f"~{_OF_LIBRARIES[first]}.{rest}"
        return f"~{public}" if (public := _public_classes().get(found[0])) else found[0]

    return _WORD.sub(full, text)


@cache
def _public_classes() -> dict[str, str]:
    """Return the path of each class that the reference has, by its name."""
    import api_pages

    import causalgia as cg

    listed = {name: getattr(cg, name) for name in cg.__all__}
    rooms = {
        f"{room}.{name}": value
        for room in api_pages.ROOMS
        for name, value in api_pages.exports(room).items()
    }
    return {
        name.rpartition(".")[2]: f"causalgia.{name}"
        for name, value in (rooms | listed).items()
        if inspect.isclass(value)
    }


def link_names(app, doctree, docname: str) -> None:
    """Make each name in code font a link to its page, and the path of each page too,
    except in headings and links.
    """
    for block in list(doctree.findall(nodes.literal_block)):
        if block.rawsource == block.astext():  # an example ends in an empty line
            block.rawsource = block.rawsource.rstrip("\n")
            block.children = [nodes.Text(block.rawsource)]
    for listed in list(doctree.findall(nodes.classifier)):
        _link_classes(app, listed, docname)
    for written in list(doctree.findall(_is_code)):
        inside = written.parent
        while inside is not None and not isinstance(inside, nodes.reference):
            inside = inside.parent
        if inside is not None or isinstance(written.parent, nodes.title):
            continue
        text = written.astext()
        if docname == "formats" and text.isidentifier():  # a variable, or an attribute
            continue
        page, place = _page_of(app.env, text)
        if page in ("", docname):
            continue
        uri = app.builder.get_relative_uri(docname, page) + place
        link = nodes.reference("", "", refuri=uri, internal=True)
        written.parent.replace(written, link)
        link += nodes.literal("", text)


def _link_classes(app, listed, docname: str) -> None:
    """Make the public classes in the type of a parameter links."""
    text, parts, end = listed.astext(), [], 0
    for found in _WORD.finditer(text):
        page, place = _page_of(app.env, _public_classes().get(found[0], ""))
        if page in ("", docname):
            continue
        uri = app.builder.get_relative_uri(docname, page) + place
        parts.append(nodes.Text(text[end : found.start()]))
        parts.append(nodes.reference("", found[0], refuri=uri, internal=True))
        end = found.end()
    if parts:
        listed.children = []
        listed += [*parts, nodes.Text(text[end:])]


def _is_code(node) -> bool:
    """Tell text in code font, and a name of the root in single backticks."""
    by_name = isinstance(node, nodes.emphasis) and node.astext().startswith("cg.")
    return isinstance(node, nodes.literal) or by_name


def _page_of(env, text: str) -> tuple[str, str]:
    """Return the page of a name or path, and the place on it; both empty if none."""
    if path := re.fullmatch(r"docs/([\w/-]+)\.md", text):
        return (path[1], "") if path[1] in env.found_docs else ("", "")
    if text in _NO_CALL:
        return "", ""
    name = _CODE.match(text)
    found = name and env.domains["py"].objects.get(f"causalgia.{name[1].rstrip('.')}")
    room = name and text.startswith(("cg.", "causalgia.")) and f"api/{name[1]}"
    if not found and room in env.found_docs:
        return room, ""
    return (found.docname, f"#{found.node_id}") if found else ("", "")


def may_break(html: str) -> str:
    """Let a long name in code font break behind a dot, a bracket, an underscore, a
    comma or a slash, as a reader would break it.

    Examples
    --------
    >>> may_break('<span class="pre">cg.experiments.kmer_screen</span>')
    '<span class="pre">cg.experiments.<wbr>kmer_<wbr>screen</span>'
    """
    return _PRE.sub(lambda found: _BREAK.sub("<wbr>", found[0]), html)


def break_names(_app, _page, _template, context: dict, _doctree) -> None:
    """Let the names of a page break."""
    if "body" in context:
        context["body"] = may_break(context["body"])


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


def root_of(url: str) -> str:
    """Return what the links of the page for missing addresses are relative to: a server
    shows it at any depth, so they begin at the root of the site.

    Examples
    --------
    >>> root_of(""), root_of("https://example.org/causalgia")
    ('/404.html', '/causalgia/404.html')
    """
    return f"{urlsplit(url).path.rstrip('/')}/404.html"


def place_missing_page(app, page: str, _template, context: dict, _doctree) -> None:
    """Let the links of the page for missing addresses begin at the root."""
    if page == "404":
        base = f'<base href="{root_of(app.config.html_baseurl)}" />'
        context["metatags"] = base + context.get("metatags", "")


def setup(app) -> dict[str, bool]:
    """Connect them."""
    app.connect("autodoc-process-docstring", types_of_parameters, priority=400)
    app.connect("autodoc-process-signature", signature_as_written)
    app.connect("doctree-resolved", link_names)
    app.connect("html-page-context", place_missing_page)
    app.connect("html-page-context", break_names)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
