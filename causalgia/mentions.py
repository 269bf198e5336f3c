"""Mentions of arguments and calls in messages, which Python and the shell write each in
words of its own.

A message is written as a docstring is: ```"give a goal (``half_width=``), or resume it by
``cg.run(..., store=)``"```. What stands between double backticks is a mention, with a
value where it has one, ```f"``rope={rope}`` is one number"```. Python prints the words
between the marks; a command prints the option, the key of the trial file or the command
that they are there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

MARK = "``"
"""What stands before and after a mention in the text of a message."""


class _NotGiven:
    """The type of `NOT_GIVEN`."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __reduce__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN = _NotGiven()
"""Stands for no value, where None is a value."""


class CallMention(NamedTuple):
    """A call in a mention: the name without ``cg.``, the arguments that it shows, by
    name or "", and what follows it, ``.lock(path)``.
    """

    name: str
    arguments: tuple[tuple[str, str], ...] = ()
    parentheses: str = ""
    then: str = ""


class Mention(str):
    """An argument or a call in a message; as text it is what Python prints.

    Examples
    --------
    >>> rope = Mention("rope=(-0.1, 0.1)")
    >>> print(rope), rope.argument, rope.value
    rope=(-0.1, 0.1)
    (None, 'rope', (-0.1, 0.1))
    >>> run = Mention("cg.run(..., store=)").call
    >>> run.name, run.arguments
    ('run', (('', '...'), ('store', '')))
    """

    def __reduce__(self) -> tuple[type[Mention], tuple[str, ...]]:
        return type(self), (str(self),)

    @cached_property
    def _halves(self) -> tuple[str, str, str]:
        """The argument, "=" and its value; or the call, in place of the value."""
        if self.startswith("cg."):
            return "", "", str(self)
        name, equals, value = self.partition("=")
        return name.rstrip(":"), equals, value

    @property
    def argument(self) -> str:
        """The name of the argument; "" if the mention is a call alone."""
        return self._halves[0]

    @property
    def value(self) -> object:
        """The value of the argument; `NOT_GIVEN` if there is none, or ``...``."""
        return literal(self._halves[2])

    @property
    def call(self) -> CallMention | None:
        """The call; None if there is none."""
        text = self._halves[2]
        if not text.startswith("cg."):
            return None
        words = text.removeprefix("cg.")
        end = next((i for i, letter in enumerate(words) if letter == "("), len(words))
        parts = split_at_commas(words[end:])
        return CallMention(words[:end], *parts)

    def renamed(self, names: Mapping[str, str]) -> Mention:
        """Return the mention with its argument under another name.

        Examples
        --------
        >>> Mention("arms=['A']").renamed({"arms": "pilot_arms"})
        "pilot_arms=['A']"
        """
        name = self.argument
        return Mention(names[name] + self[len(name) :]) if name in names else self


class Wording(Mention):
    """Words that Python and the shell have each of their own: a way out that is a
    function there and an option, a key or a command here, or nothing.

    Examples
    --------
    >>> way = Wording("use cg.cross()", shell="write [arms]")
    >>> str(way), way.shell
    ('use cg.cross()', 'write [arms]')
    """

    shell: str

    def __new__(cls, python: str, shell: str = "") -> Wording:
        self = super().__new__(cls, plain(python))
        self.shell = plain(shell)
        return self

    def __reduce__(self) -> tuple[type[Wording], tuple[str, ...]]:
        return type(self), (str(self), self.shell)

    def renamed(self, names: Mapping[str, str]) -> Mention:  # noqa: ARG002
        return self


class Unread(str):
    """A value in a mention that is not of plain Python: an expression, a long text that
    was cut, a number with commas.
    """

    __slots__ = ()


def literal(text: str) -> object:
    """Return the value that a text is in Python, and `NOT_GIVEN` for ``...``.

    Examples
    --------
    >>> literal("(-1, 1)"), literal("nan"), literal("..."), literal("1,000")
    ((-1, 1), nan, NOT_GIVEN, '1,000')
    """
    if text in ("", "...", "{...}", "[...]"):
        return NOT_GIVEN
    if text.lstrip("-") in ("nan", "inf"):
        return float(text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return Unread(text)
    bare = isinstance(value, tuple) and not text.startswith("(")
    return Unread(text) if bare else value


def split_at_commas(text: str) -> tuple[tuple[tuple[str, str], ...], str, str]:
    """Return the arguments of a call by name, its parentheses, and what follows.

    Examples
    --------
    >>> split_at_commas("(x, motifs=['a', 'b'], store=).lock(path)")
    ((('', 'x'), ('motifs', "['a', 'b']"), ('store', '')), "(x, motifs=['a', 'b'], store=)", '.lock(path)')
    """
    depth, quote, parts, begin = 0, "", [], 1
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if not quote and (depth == 0 or (depth == 1 and letter == ",")):
            parts.append(text[begin:i].strip())
            begin = i + 1
        if not depth:
            break
    named = [
        (name, value) if equals and name.isidentifier() else ("", part)
        for part in parts
        if part
        for name, equals, value in [part.partition("=")]
    ]
    return tuple(named), text[: begin - 1] + text[begin - 1 : begin], text[begin:]


def with_mentions(text: str) -> tuple[str, ...]:
    """Return the parts of a text, of which the mentions are a `Mention` each.

    Examples
    --------
    >>> with_mentions("give ``rope=`` or ``error='each'``")
    ('give ', 'rope=', ' or ', "error='each'")
    >>> with_mentions("the arm ``")
    ('the arm ``',)
    """
    pieces = text.split(MARK)
    if len(pieces) % 2 == 0:  # a mark of the user's own
        pieces[-2:] = [MARK.join(pieces[-2:])]
    return tuple(
        Mention(piece) if k % 2 else piece for k, piece in enumerate(pieces) if piece
    )


def with_marked_calls(text: str) -> str:
    """Return a text that was stored in the words of Python with marks around its calls,
    which all begin with ``cg.``.

    Examples
    --------
    >>> print(with_marked_calls("use cg.Genomic(of=(...)) or cg.mpra.fit."))
    use ``cg.Genomic(of=(...))`` or ``cg.mpra.fit``.
    """
    before, *after = text.split("cg.")
    marked = before
    for piece in after:
        names = piece.split("(", 1)[0]
        end = next(
            (i for i, c in enumerate(names) if not (c.isalnum() or c in "_.")),
            len(names),
        )
        while names[:end].endswith("."):
            end -= 1
        if end == len(names) < len(piece):  # the name goes up to a parenthesis
            _, parentheses, _ = split_at_commas(piece[end:])
            end += len(parentheses)
        marked += f"{MARK}cg.{piece[:end]}{MARK}{piece[end:]}" if end else f"cg.{piece}"
    return marked


def plain(text: str) -> str:
    """Return a text with its mentions as Python writes them.

    Examples
    --------
    >>> plain("give ``rope=`` or ``error='each'``")
    "give rope= or error='each'"
    """
    return "".join(with_mentions(text))


Writer: TypeAlias = Callable[[Iterable[Any]], str]
"""Writes the parts of a message, of which some are mentions."""


def _in_python(parts: Iterable[Any]) -> str:
    return "".join(map(str, parts))


_writer: ContextVar[Writer] = ContextVar("writer", default=_in_python)


def in_words(message: str | Iterable[Any]) -> str:
    """Return a text, or the parts of an error, with mentions in the words of who reads it
    at once: those of the shell in a command, and else those of Python.

    Texts that are stored are written by `plain`.

    Examples
    --------
    >>> in_words("give ``rope=``")
    'give rope='
    """
    parts = with_mentions(message) if isinstance(message, str) else message
    return _writer.get()(parts)


@contextmanager
def mentions_written_by(writer: Writer) -> Iterator[None]:
    """Set how `in_words` writes mentions, in the body of the context."""
    token = _writer.set(writer)
    try:
        yield
    finally:
        _writer.reset(token)
