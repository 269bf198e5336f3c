"""Count the raises of the package that name a cure, and those whose cure a test applies::

    python tests/cures_census.py                     # the suite, a file at a time
    python tests/cures_census.py --files tests/test_estimate.py
    python tests/cures_census.py --rotating          # and the tests that take turns
    python tests/cures_census.py --harness           # and wrong values, from examples
    python tests/cures_census.py --count mpra --left # no run: what the records say

A raise names a cure where its text, or a field of its error, tells what to give instead.
The tests are run with `applied_cures`: what each refusal offers in fields and mentions,
and what its words mean, is applied to the call that was refused; so are the cures that
cases follow by hand (`cures`). What was applied and accepted is kept in ``--records``, by
the text of the raise, so that slices of the suite add up.
"""

from __future__ import annotations

import argparse
import ast
import collections
import functools
import inspect
import json
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from causalgia import lazy_names

ACCEPTED_CALLS: dict[str, collections.deque[dict[str, Any]]] = {}
"""The last calls of each function that were not refused."""
_naming = lazy_names._naming
_LARGEST_FILE = 65_536


class _File(NamedTuple):
    """A small file as it was when a call took it."""

    name: str
    content: bytes


def _copied(value: Any) -> Any:
    try:
        path = Path(value) if isinstance(value, str | Path) else None
        if path is not None and path.is_file() and path.stat().st_size < _LARGEST_FILE:
            return _File(path.name, path.read_bytes())
    except (OSError, ValueError, MemoryError):
        pass
    return value.copy() if type(value) in (dict, list) else value


def _noting(function: Any) -> Any:
    """Return a function of the library that keeps the arguments of accepted calls."""
    if function in _NOTING or getattr(function, "_notes", False):
        return _NOTING.get(function, function)
    named = _naming(function)

    @functools.wraps(named)
    def call(*args: Any, **kwargs: Any) -> Any:
        answer = named(*args, **kwargs)
        held = ACCEPTED_CALLS.setdefault(
            function.__qualname__, collections.deque(maxlen=40)
        )
        try:
            bound = inspect.signature(function).bind(*args, **kwargs).arguments
        except TypeError:
            return answer
        held.append(
            {k: _copied(v) for k, v in bound.items() if k not in ("self", "cls")}
        )
        return answer

    call._notes = True  # type: ignore[attr-defined]
    return _NOTING.setdefault(function, call)


_NOTING: dict[Any, Any] = {}
if __name__ == "__main__":
    lazy_names._naming = _noting  # before any public name is made

import applied_cures  # noqa: E402
import cures  # noqa: E402
import numpy as np  # noqa: E402
import offers  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
import xarray as xr  # noqa: E402
from applied_cures import ACCEPTED, Level, Notes, Outcome, Refused  # noqa: E402
from described_values import (  # noqa: E402
    is_of_a_kind,
    names_listed,
    parts_restored,
    without_rows,
)
from offers import (  # noqa: E402
    OUT,
    PACKAGE,
    settings_in_words,
    sites,
    trials,
    values_in_words,
)
from test_offered_values import SLOW, callables  # noqa: E402
from working_calls import working_calls  # noqa: E402

from causalgia.errors import CausalgiaError, quoted  # noqa: E402
from causalgia.mentions import Mention  # noqa: E402

ROOT = Path(__file__).parents[1]
SECONDS_A_CALL = 1.0

CURE = re.compile(
    r"(?:[;:,] |\bor |^)(?:\w+ly )?(?:give|use|write|drop|leave|name|set|choose|take|pass|"
    r"run|make|save|add|check|draw|select|rename|wrap|load|put|keep|order|correct|"
    r"remove|try|plan|ask|read|move|open|say|start|repeat|order|convert|reduce|"
    r"address|compare|split|state|copy)\b(?! <)"
    r"|did you mean|one of |for example|must be|at least|at most|it takes(?! what is not)|is now\b"
)
BY_OTHERS = {
    "install something": re.compile(r"\binstall|pip |extra"),
    "a file that another program writes anew": re.compile(
        r"save (?:it|the|as)|export|download|git lfs|samtools|bcftools|convert|bgzip|"
        r"sequence (?:them|it) again|UTF-8|(?:make|write) (?:it|the file) (?:anew|again)|"
        r"unzip|gunzip|twoBitToFa"
    ),
    "a place on disk, or a machine": re.compile(
        r"permission|disk|memory|another (?:place|folder|machine)|workers?\b|client|GPU"
    ),
    "the network's own code": re.compile(
        r"forward|the network|the module|the factory|state_dict|checkpoint|torch\."
    ),
    "the laboratory or who sent the data": re.compile(
        r"laborator|order longer|who made|sequencing|whoever|vendor"
    ),
    "more data: units, replicates, sequences, draws": re.compile(
        r"(?:draw|run|use|give|take|add|assign|plan|sample|measure|make|select|order) "
        r"(?:\w+ ){0,3}?(?:more|longer|two|three|several|other|others|another)\b(?! path)"
        r"|sample (?:it )?again|needs? (?:two|three|more)|two or more are needed"
        r"|farther apart|p-values to estimate"
    ),
    "what only the user knows: a name, a value that is wrong or missing": re.compile(
        r"name (?:it|them|each|one|the)\b|give (?:it|each|them) (?:\w+ ){0,3}names?\b"
        r"|names? of its own|\bcorrect\b|as they were counted"
        r"|write (?:it|them) (?:one|as)|must be the same|cast it|which is meant"
        # but "fill it in, or drop the row": the row can be dropped
        r"|^(?!.*\b(?:leave|drop)\b).*(?:fill (?:it|them) in|repair)"
    ),
    "the result of another call, which the user has": re.compile(
        r"(?:give|take|select) (?:\w+ ){0,6}(?:of|from|as) ``cg\."
        r"|give what ``cg\.|take (?:it|one|them) (?:\w+ )?(?:by|from) ``cg\."
        r"|give (?:those|the \w+) (?:that|they|of)\b|select (?:the same|them|on both)"
    ),
}
"""Cures that a program cannot apply to the call, by what has to be done."""


class _TooLong(BaseException):
    """A call that works longer than the census waits."""


@cache
def raises() -> tuple[tuple[str, int, int, str, str], ...]:
    """Return file, first and last line, all text, and the source of each raise of an
    error that is made there.
    """
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        file = str(path.relative_to(PACKAGE))
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            if not name.endswith("Error") and "error" not in name.casefold():
                continue
            texts = [
                one.value
                for one in ast.walk(node.exc)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            fields = {one.arg for one in node.exc.keywords}
            cure = " cure; give" if fields & {"cure", "example", "then"} else ""
            cure += " install" * ("install_command(" in ast.unparse(node.exc))
            last = node.end_lineno or node.lineno
            source = f"{file}: {ast.unparse(node)}"
            found.append((file, node.lineno, last, " ".join(texts) + cure, source))
    return tuple(found)


@cache
def raise_at(place: str) -> str:
    """Return the source of the raise at ``file:line``, or ""."""
    file, _, line = place.rpartition(":")
    return next(
        (
            source
            for one, first, last, _, source in raises()
            if one == file and first <= int(line) <= last
        ),
        "",
    )


class Census:
    """What is applied while tests run: the raises that were reached, and those whose cure
    was accepted, and how it was applied.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[str, str] = {}
        if path.is_file():
            self.records |= json.loads(path.read_text())
        self.not_cured: list[str] = []
        self.pending: list[Refused] = []

    def note(self, places: tuple[str, ...], how: str) -> None:
        for place in places:
            source = raise_at(place)
            if source and (how != "reached" or source not in self.records):
                self.records[source] = how

    def save(self) -> None:
        self.path.write_text(json.dumps(self.records, indent=1, sort_keys=True))

    def by_hand(self, error: CausalgiaError) -> None:
        self.note(tuple(sites(error)), "by hand")

    def count(self, notes: Notes, root: Path) -> list[str]:
        """Apply what refusals say and what their words mean; stands for `not_cured`."""
        before = len(self.records)
        with applied_cures.in_a_folder(root):
            for refused in notes.refused:
                self.note(refused.places, "reached")
                left = [p for p in refused.places if self._is_open(p)]
                if not left:
                    continue
                how, again = _how_cured(refused)
                if how:
                    self.note(refused.places, how)
                else:
                    self.not_cured += again
                    self.pending.append(refused)
        if len(self.records) > before:  # should the file not come to its end
            self.save()
        return []

    def try_again(self, root: Path) -> None:
        """Try what is left when all calls of a file of tests are known."""
        with applied_cures.in_a_folder(root):
            for refused in self.pending:
                if any(map(self._is_open, refused.places)):
                    self.note(refused.places, _how_cured(refused)[0] or "reached")
        self.pending.clear()

    def _is_open(self, place: str) -> bool:
        return self.records.get(raise_at(place), "reached") == "reached"


def _how_cured(refused: Refused) -> tuple[str, list[str]]:
    """Return how a refusal was cured: by what it says, or by what its words mean; "" if
    it was not; and what it says that was refused again.
    """
    again = []
    for how, made in (
        ("in a field or a mention", applied_cures.offers_made(refused)),
        ("in words", offers_in_words(refused)),
    ):
        tried: set[str] = set()
        for level, offer in made:
            key = f"{level.name} {list(offer)} {list(offer.values())!r}"[:300]
            if key in tried or len(tried) > 40:
                continue
            tried.add(key)
            outcome = _in_time(applied_cures.applied, refused, level, offer)
            if outcome is None or outcome.outcome == ACCEPTED:
                return how, []
            if (
                how == "in a field or a mention"
                and outcome.outcome == applied_cures.AGAIN
            ):
                again.append(f"{refused.places[0]}: {outcome}")
    return "", again


def _in_time(apply: Callable[..., Outcome], *given: Any) -> Outcome | None:
    """Return what became of an offer; None where it is accepted and works for long."""

    def stop(*_: object) -> None:
        raise _TooLong

    former = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_A_CALL)
    try:
        return apply(*given)
    except _TooLong:
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


class _AnyName(set[str]):
    def __contains__(self, name: object) -> bool:
        return True


def offers_in_words(refused: Refused) -> Iterator[tuple[Level, dict[str, Any]]]:
    """Yield the changes that the words of an error may mean, each with its call."""
    error = refused.error
    text = str(error)
    for name, value in _settings_in_words(refused, text):
        level = applied_cures.taker(refused, name)
        if level is not None and not applied_cures.is_large(value):
            yield level, {name: value}


def _settings_in_words(refused: Refused, text: str) -> Iterator[tuple[str, Any]]:
    error = refused.error
    yield from settings_in_words(text, _AnyName())
    names = [error.argument] if error.argument else []
    names += [one.argument for one in error.parts if isinstance(one, Mention)]
    names += re.findall(r"(?<![\w.])(\w+)=", text)
    for level in refused.levels[:1]:
        parameters = inspect.signature(level.function).parameters
        names += [
            one
            for one in parameters
            if re.search(rf"(?<!\w){re.escape(one.rstrip('s'))}s?(?!\w)", text)
        ]
        bound = level.bound()
        names += [
            one
            for one, value in (bound.arguments if bound else {}).items()
            if isinstance(value, str | Path) and str(value) in text
        ]
        names += [one for one in parameters if one not in ("self", "cls")][:1]
    for name in dict.fromkeys(filter(None, names)):
        level_of = applied_cures.taker(refused, name)
        if level_of is None:
            continue
        bound = level_of.bound()
        wrong = bound.arguments.get(name, OUT) if bound else OUT
        if wrong is OUT:
            wrong = level_of.kwargs.get(name, OUT)
        if re.search(r"(?:leave|drop) (?:it|them)(?: out)?\b", text):
            yield name, OUT
        if re.search(rf"(?:leave|drop) (?:out )?{name}=", text):
            yield name, OUT
        if wrong is not OUT:
            for value in (*values_in_words(text), *_listed(text), *_of_a_kind(text)):
                placed = in_place_of(wrong, value, text)
                if placed is not OUT:
                    yield name, placed
            part = without_rows(wrong, text)
            if part is not None:
                yield name, part
            for path in without_lines(wrong, text):
                yield name, path
        calls = _accepted(level_of)
        for right in _different(one[name] for one in reversed(calls) if name in one):
            if isinstance(right, _File):
                for path in restored_file(wrong, right, text):
                    yield name, path
                continue
            if wrong is OUT:
                yield name, right
                continue
            for value in names_listed(text, right):
                yield name, value
            part = parts_restored(wrong, right, text)
            if part is not None:
                yield name, part
            if (
                is_of_a_kind(text, right)
                or _is_named(name, text)
                or sets_apart(text, wrong, right)
            ):
                yield name, right


def _accepted(level: Level) -> list[dict[str, Any]]:
    """Return accepted calls of a function: those of the tests, and of its examples."""
    return [*ACCEPTED_CALLS.get(level.name, ())] or _of_examples(level.function)


@cache
def _of_examples(function: Any) -> list[dict[str, Any]]:
    if ">>>" not in (function.__doc__ or "") or SLOW & set(
        function.__qualname__.split(".")
    ):
        return []
    try:
        return [one.given for one in working_calls(function)]
    except Exception:  # an example that needs what is not here
        return []


def _is_named(name: Any, text: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", text))


def restored_file(wrong: Any, right: _File, text: str) -> Iterator[Path]:
    """Yield a file that an accepted call had in place of the wrong one, if the message
    names what sets the two apart: the line, or words that one of them has.
    """
    if not isinstance(wrong, str | Path) or not Path(wrong).is_file():
        return
    content = Path(wrong).read_bytes()
    pairs = zip_longest(content.splitlines(), right.content.splitlines())
    lines = {i for i, (one, other) in enumerate(pairs, 1) if one != other}
    named = {int(one) for one in re.findall(r"line (\d+)", text)}
    words = [one.encode() for one in re.findall(r"'([^']+)'", text)]
    apart = any((one in content) != (one in right.content) for one in words)
    n = len(right.content.splitlines())
    if len(lines) <= max(3, n // 2) and (apart or lines & named or not named):
        path = Path(tempfile.mkdtemp(dir=".")).absolute() / right.name
        path.write_bytes(right.content)
        yield path


def sets_apart(text: str, wrong: Any, right: Any) -> bool:
    """Return whether a message names what sets a refused value apart from one that was
    accepted: a column, a variable, a key, a shape, a type, or the value itself.
    """
    if type(wrong) is not type(right):
        return _is_named(type(wrong).__name__, text) or quoted(wrong) in text
    if isinstance(wrong, np.ndarray):
        return str(wrong.shape) in text or str(wrong.dtype) in text
    if isinstance(wrong, pd.DataFrame | xr.Dataset | Mapping):
        keys = {*wrong} | {*right} | {*getattr(wrong, "coords", ())}
        changed = [
            one
            for one in keys
            if (one in wrong) != (one in right) or not _is_equal(wrong[one], right[one])
        ]
        dims = [*getattr(wrong, "sizes", ()), *getattr(right, "sizes", ())]
        return any(_is_named(one, text) for one in [*changed, *dims])
    return quoted(wrong) in text


def _is_equal(one: Any, other: Any) -> bool:
    equals = getattr(one, "equals", None)
    try:
        return bool(equals(other) if equals else np.array_equal(one, other))
    except Exception:  # values that cannot be compared
        return False


def _different(values: Iterator[Any]) -> Iterator[Any]:
    seen = set()
    for value in values:
        key = (type(value), repr(value)[:200])
        if key not in seen and len(seen) < 6:
            seen.add(key)
            yield value


_NAMES = r"[\w.+-]+|'[^']*'|\"[^\"]*\""
_LISTS = re.compile(
    rf"(?:one of|of|neither|there (?:is|are)(?: only)?|only|it has|takes|are|is|:) "
    rf"((?:(?:{_NAMES})(?: \([^)]*\))?(?:, and |, or |, nor |, | and | or | nor ))*"
    rf"(?:{_NAMES}))"
)


def _listed(text: str) -> Iterator[str]:
    """Yield the first names of the lists in a message."""
    for found in _LISTS.finditer(text):
        for name in re.findall(_NAMES, re.sub(r" \([^)]*\)", "", found[1]))[:2]:
            if name not in ("or", "nor", "and", "not", "a", "the", "given"):
                yield name.strip("'\".")


def _of_a_kind(text: str) -> Iterator[Any]:
    """Yield plain values of the kinds that a message names."""
    for words, values in {
        r"whole number|an integer": (1, 2, 10),
        r"(?<!whole )number|above 0|positive|finite": (1.0, 0.1),
        r"True or False|True nor False": (False, True),
        r"\bseed\b|whole number of at least 0": (0,),
        r"\bpath\b|\bfile\b": ("made_here",),
    }.items():
        if re.search(words, text):
            yield from values


def in_place_of(wrong: Any, offer: Any, text: str) -> Any:
    """Return what an argument is with a value in place of what the message quotes, or
    OUT.
    """
    if isinstance(wrong, Mapping):
        keys = [one for one in wrong if quoted(one) in text]
        values = [one for one in wrong if quoted(wrong[one]) in text]
        if len(keys) == 1 and isinstance(offer, str):
            return {offer if k == keys[0] else k: v for k, v in wrong.items()}
        if values:
            return {k: offer if k in values else v for k, v in wrong.items()}
        return OUT
    if type(wrong) in (list, tuple):
        hits = [i for i, one in enumerate(wrong) if quoted(one) in text]
        if hits:
            changed = (offer if i in hits else one for i, one in enumerate(wrong))
            return type(wrong)(changed)
        return OUT if isinstance(offer, str) else offer
    return offer


def without_lines(path: Any, text: str) -> Iterator[Path]:
    """Yield a copy of a text file without the line that a message says to leave out."""
    found = re.search(r", line (\d+)", text)
    if not found or not isinstance(path, str | Path) or not Path(path).is_file():
        return
    if not re.search(r"\b(?:leave|drop|remove)\b[^;]*\b(?:out|lines?|it|one)\b", text):
        return
    lines = Path(path).read_bytes().splitlines(keepends=True)
    folder = Path(tempfile.mkdtemp(dir="."))
    shorter = folder / Path(path).name
    del lines[int(found[1]) - 1 : int(found[1])]
    shorter.write_bytes(b"".join(lines))
    yield shorter.absolute()


def by_harness(census: Census, rooms: set[str]) -> None:
    """Count the errors that wrong values reach, from the examples of docstrings, and what
    is taken of their offers.
    """
    plain = offers._refusal

    def in_time(*given: Any) -> Any:
        found: list[Any] = []

        def call() -> Any:
            found.append(plain(*given))
            return Outcome(None, None, {}, ACCEPTED)  # type: ignore[arg-type]

        _in_time(call)
        return found[0] if found else TimeoutError()

    offers._refusal = in_time
    for name, value in callables():
        if name in SLOW or ">>>" not in (value.__doc__ or ""):
            continue
        if rooms and not rooms & {*value.__module__.split(".")}:
            continue
        for one in trials(name, value, many=True):
            taken = one.offer is not None and one.after is None
            census.note(tuple(sites(one.error)), "harness" if taken else "reached")


def count(records: Mapping[str, str], rooms: set[str], *, left_too: bool) -> None:
    """Print how many cures are applied, and what is left by room."""
    counts: collections.Counter[str] = collections.Counter()
    left: collections.Counter[str] = collections.Counter()
    for file, first, _, text, source in raises():
        room = file.split("/")[0].removesuffix(".py")
        if rooms and room not in rooms:
            continue
        counts["raises"] += 1
        if not CURE.search(text):
            counts["without a cure (a fact, or a cure made elsewhere)"] += 1
            continue
        counts["name a cure"] += 1
        how = records.get(source, "")
        if how not in ("", "reached"):
            counts["applied by a test, and accepted"] += 1
            counts[f"    {how}"] += 1
            continue
        kind = next((k for k, one in BY_OTHERS.items() if one.search(text)), "")
        if kind:
            counts["no program can apply it"] += 1
            counts[f"    {kind}"] += 1
            continue
        counts["left"] += 1
        counts["    reached by a test"] += how == "reached"
        if left_too:
            words = " ".join(text.split())[:160]
            print(f"{how or '':7}  {file}:{first}: {words}")
        left[room] += 1
    for what in sorted(counts, key=_ORDER):
        print(f"{counts[what]:6,}  {what}")
    print("left by room: " + ", ".join(f"{r} {n}" for r, n in left.most_common()))


def _ORDER(what: str) -> tuple[int, str]:
    order = (
        *("raises", "without a cure (a fact, or a cure made elsewhere)", "name a cure"),
        *(
            "applied by a test, and accepted",
            "    in a field or a mention",
            "    in words",
            "    by hand",
        ),
        *("    harness", "no program can apply it", *(f"    {k}" for k in BY_OTHERS)),
        *("left", "    reached by a test"),
    )
    return order.index(what), what


def main() -> None:
    """Run tests, apply what their refusals offer, and count."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--files", nargs="*", type=Path)
    reader.add_argument("--harness", action="store_true")
    reader.add_argument("--rotating", action="store_true")
    reader.add_argument("--count", nargs="*", metavar="ROOM")
    reader.add_argument("--left", action="store_true")
    records = Path(tempfile.gettempdir()) / "causalgia_cures.json"
    reader.add_argument("--records", type=Path, default=records)
    given = reader.parse_args()
    census = Census(given.records.absolute())
    files = given.files
    if files is None:
        files = [] if given.count is not None or given.harness else _files()
    applied_cures.not_cured = census.count
    cures.observe = census.by_hand
    for file in files:
        ACCEPTED_CALLS.clear()
        options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")
        # cases by hand take turns in the suite, and are all counted here
        all_turns = given.rotating or file.name.startswith("test_applied_cures")
        marks = "not long and not browser" + ("" if all_turns else " and not rotating")
        os.environ["ROTATING"] = "all" if all_turns else ""
        pytest.main([str(file), "-m", marks, *options])
        census.try_again(ROOT)
        census.save()
    for one in census.not_cured:
        print(f"does not cure: {one}")
    if given.harness:
        os.chdir(tempfile.mkdtemp())
        by_harness(census, set(given.count or ()))
        census.save()
    count(census.records, set(given.count or ()), left_too=given.left)


def _files() -> list[Path]:
    """Return the files of tests that meet refusals."""
    return [
        path
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        if re.search(r"raises\(|refus|cure", path.read_text())
    ]


if __name__ == "__main__":
    main()
