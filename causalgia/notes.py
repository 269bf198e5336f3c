"""Texts in a Dataset: notes of a result in ``attrs["notes"]``, and long texts such as
its design.

Controls may differ from their treatment in place, number or length of sites, or in
composition; a note says so. A long text is an attribute if short, else compressed bytes
in a variable.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from causalgia.attributes import about
from causalgia.checks import in_list
from causalgia.choices import BASES, COMPLEMENT
from causalgia.errors import NAMES_SHOWN, DataError, first_of, quoted
from causalgia.inputs import inflate, parse_json

if TYPE_CHECKING:
    import xarray as xr


MODERATION_OFFERED = (
    "few units and many rows: shrink=cg.Shrinkage(variances=True) moderates their "
    "variances over the rows, as limma does"
)
"""Note of outcomes whose rows have few degrees of freedom."""
LONGEST_ATTRIBUTE = 30_000
"""Most characters of a text stored as an attribute; netCDF-4 allows 64 KB of
attributes.
"""
Sites: TypeAlias = tuple[tuple[int, int], ...]

_GC, _SINGLE, _SUBSTITUTED = 0.25, 0.4, 2
_POSITIONS_SHOWN = 3
_MOST_COMPARED = 500


class Said(str):
    """A sentence of an answer, and the task (and model) that it is on.

    Parameters
    ----------
    clause
        What is said, without its task.
    task, model
        None of a sentence on the whole.

    Examples
    --------
    >>> one = Said("the pair is additive.", "K562")
    >>> print(one)
    Task K562: the pair is additive.
    >>> one.task, one.clause
    ('K562', 'the pair is additive.')
    """

    __slots__ = ("clause", "model", "task")
    clause: str
    task: str | None
    model: str | None

    def __new__(
        cls, clause: str, task: str | None = None, model: str | None = None
    ) -> Said:
        begins = "" if task is None else f"Task {task}"
        begins += "" if model is None else f", model {model}"
        made = super().__new__(cls, f"{begins}: {clause}" if begins else clause)
        made.clause, made.task, made.model = clause, task, model
        return made

    def __reduce__(self) -> tuple[type[Said], tuple[str, str | None, str | None]]:
        return Said, (self.clause, self.task, self.model)


class ReportText(str):
    """A report: a string, which a notebook shows as HTML and a prompt as its text.

    Examples
    --------
    >>> ReportText("GATA1: 1.40 [1.20, 1.60]")
    GATA1: 1.40 [1.20, 1.60]
    """

    __slots__ = ("_html",)
    _html: str

    def __new__(cls, text: str, html: str = "") -> ReportText:
        made = super().__new__(cls, text)
        made._html = html
        return made

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the report for notebooks; text keeps its lines."""
        from causalgia.inputs import as_html

        return self._html or f"<pre>{as_html(str(self))}</pre>"


def as_said(sentence: str) -> Said:
    """Return a sentence of an answer; plain text is on the whole."""
    return sentence if isinstance(sentence, Said) else Said(sentence)


@dataclass(frozen=True, eq=False)
class Statement:
    """What an answer states on a task (and model), in values; `causalgia.tell` says it.

    Attributes
    ----------
    clauses
        Of each clause its kind, a row of `causalgia.tell.statements.CLAUSES`, and its
        values: ``("row", decision, "keeping all")``.
    task, model
        None of a statement on the whole.
    """

    clauses: tuple[tuple[Any, ...], ...]
    task: str | None = None
    model: str | None = None


State: TypeAlias = Literal["ok", "note", "pass", "warn", "fail", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """The result of a check, in values; `causalgia.tell.checks` says it.

    Attributes
    ----------
    name
        Name of the check.
    state
        Of a check of a claim ``"pass"``, ``"warn"`` or ``"fail"``. Of one of a design
        ``"ok"``; ``"note"``: worth knowing; ``"warn"``: the result of a trial would
        suffer; ``"FAIL"``: `causalgia.run` would refuse, or its results would be wrong.
    value, threshold
        The statistic, and the bound up to or from which it passes.
    values
        What its words are made of.
    words
        Row of `causalgia.tell.checks.CHECKS`; empty: that of its name.
    n_predictions
        Number of sequences that the check predicted.
    figure, text, cure
        Name of the statistic, what was found, and what to do.
    """

    name: str
    state: State
    value: float = math.nan
    threshold: float = math.nan
    values: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    n_predictions: int = 0
    figure: str = ""
    text: str = ""
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.state:<4}  {self.name:<23}  {self.text}"


def said_to_json(sentences: Iterable[str]) -> str:
    """Return sentences as JSON, with their tasks and models.

    Examples
    --------
    >>> said_from_json(said_to_json([Said("additive.", "K562")]))[0].task
    'K562'
    """
    found = map(as_said, sentences)
    return json.dumps([[one.clause, one.task, one.model] for one in found])


def said_from_json(text: str) -> tuple[Said, ...]:
    """Return the sentences from the text of `said_to_json`; lines of any other text,
    as of an older file, are on the whole.

    Raises
    ------
    DataError
        If the text is not valid.
    """
    if text[:1] != "[":
        return tuple(map(Said, text.splitlines()))
    plain = parse_json(text, DataError, source="the sentences of an answer")
    try:
        return tuple(Said(*one) for one in plain)
    except TypeError as error:
        raise DataError(
            f"the sentences of an answer cannot be read ({error})"
        ) from error


@dataclass(frozen=True)
class Edit:
    """Edit of a sequence by one step of an arm.

    Parameters
    ----------
    does
        ``"motif"``, ``"placebo"``, ``"placebo, fixed"``, or kind and settings of
        another step. Two steps with the same `does` and pattern differ only in place.
    sites
        (start, width) of the edited sites, in coordinates of the background; None if
        they differ between sequences.
    grows
        Bases by which the sequence becomes longer.
    pattern, label
        Identity and name of the pattern; empty if none is written.
    letters
        The motif on the + strand (A C G T and IUPAC); empty if units have different
        instances of a motif.
    bases
        Counts of A, C, G, T: expected counts for IUPAC letters, those of the consensus
        for a motif.
    one_strand
        Whether it is RNA (written with U), without opposite strand.
    """

    does: str
    sites: Sites | None
    grows: int = 0
    pattern: str = ""
    label: str = ""
    letters: str = ""
    bases: tuple[float, ...] = ()
    one_strand: bool = False

    @property
    def is_placebo(self) -> bool:
        """Whether it writes a rearrangement of its pattern."""
        return self.does.startswith("placebo")

    @property
    def removes(self) -> bool:
        """Whether it removes bases without writing a motif."""
        return self.does.split()[0] in ("ablate", "delete", "mutate", "scramble")

    @property
    def question(self) -> tuple[str, str]:
        """The edit without its place."""
        return ("placebo" if self.is_placebo else self.does, self.pattern)

    @property
    def gc(self) -> float:
        """Share of G and C in the motif."""
        return (self.bases[1] + self.bases[2]) / sum(self.bases)


Edits: TypeAlias = Mapping[str, tuple[Edit, ...]]
"""Arm -> its edits."""


def edits_to_json(edits: Edits) -> str:
    """Return edits as JSON.

    Examples
    --------
    >>> edits_to_json({"shorter": (Edit("delete", ((10, 5),), -5),)})
    '{"shorter": [["delete", [[10, 5]], -5, "", "", "", [], false]]}'
    """
    return json.dumps(
        {arm: [astuple(edit) for edit in done] for arm, done in edits.items()}
    )


def edits_from_json(text: str) -> dict[str, tuple[Edit, ...]]:
    """Return the edits from the text of `edits_to_json`.

    Raises
    ------
    DataError
        If the text is not valid.

    Examples
    --------
    >>> edits = {"shorter": (Edit("delete", ((10, 5),), -5),), "untreated": ()}
    >>> edits_from_json(edits_to_json(edits)) == edits
    True
    """
    source = "attrs['edits'] of the outcomes"
    plain = parse_json(text, DataError, source=source)
    try:
        return {arm: tuple(map(_edit_from_plain, done)) for arm, done in plain.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{source} cannot be read ({error})") from error


def _edit_from_plain(plain: list[object]) -> Edit:
    does, sites, grows, pattern, label, letters, bases, one_strand = plain
    where = None if sites is None else tuple((start, width) for start, width in sites)  # type: ignore[attr-defined]
    return Edit(does, where, grows, pattern, label, letters, tuple(bases), one_strand)  # type: ignore[arg-type]


def notes_of_controls(
    contrasts: Mapping[str, Mapping[str, float]], edits: Edits
) -> list[str]:
    """Return a sentence for each unintended difference between the arms of a contrast.

    Two arms are compared by the edits that they do not share. If one has no such edit
    (as an untreated arm), or both have the same edits at other places or in another
    number, the difference is the question and is not noted. Otherwise noted are
    differences in number, place or length of sites or in length of the sequence; a
    placebo that rearranges another motif; and motifs of another composition.

    Composition is compared in two ways. The share of G and C, equal on both strands of
    DNA, is noted if it differs by more than a quarter. The shares of single bases are
    noted if more than two fifths of the bases differ (total variation distance):
    AAAAAAA against ATATATA. For DNA this is up to the reverse complement: AAAAAAA and
    TTTTTTT are one duplex in two orientations, so the note says that the contrast is of
    orientation alone. RNA (a motif with U) is compared as written. Motifs with one or
    two substituted bases are mutants, whose difference is the question, and are not
    noted. Dinucleotides are not compared; a placebo does not preserve them either.

    Bases that one arm removes where the other has no edit are compared only if the arm
    has no other edit; otherwise they belong to the background, as a tile that the other
    arm leaves in place.

    An arm is compared with each arm that it is contrasted with, such as two controls of
    equal weight, up to 500 pairs. Contrasts with several arms of both signs, such as
    interactions and slopes, are skipped.

    Parameters
    ----------
    contrasts
        Contrast -> arm -> weight.
    edits
        Edits of each arm; contrasts with other arms are skipped.

    Examples
    --------
    >>> edits = {
    ...     "GATA": (
    ...         Edit(
    ...             "motif",
    ...             ((20, 4),),
    ...             pattern="GATA",
    ...             letters="GATA",
    ...             bases=(2, 0, 1, 1),
    ...         ),
    ...     ),
    ...     "scrambled": (Edit("scramble 1", ((80, 4),)),),
    ... }
    >>> notes_of_controls({"GATA": {"GATA": 1.0, "scrambled": -1.0}}, edits)[0][:67]
    "'GATA' and its control 'scrambled' differ in place (at 20 against 8"
    """
    found: dict[str, list[str]] = {cure: [] for cure in _LOOKS}
    for treated, control in dict.fromkeys(_compared_arms(contrasts, edits)):
        for cure, what in _differences(treated, control, edits).items():
            found[cure].append(what)
    return [f"{first_findings(what)}; {cure}" for cure, what in found.items() if what]


def first_findings(found: list[str], thing: str = "contrast") -> str:
    """Return the first findings and the number of the others."""
    return first_of(found, NAMES_SHOWN, sep="; ", thing=thing)


def _compared_arms(
    contrasts: Mapping[str, Mapping[str, float]], edits: Edits
) -> Iterator[tuple[str, str]]:
    """Yield pairs (treated, control) from contrasts with a single arm of one sign."""
    left = _MOST_COMPARED
    for weights in contrasts.values():
        plus = [arm for arm, weight in weights.items() if weight > 0]
        minus = [arm for arm, weight in weights.items() if weight < 0]
        if min(len(plus), len(minus)) != 1 or not weights.keys() <= edits.keys():
            continue
        pairs = list(product(plus, minus))
        if len(pairs) > 1:
            pairs, left = pairs[:left], max(left - len(pairs), 0)
        yield from pairs


def _differences(treated: str, control: str, edits: Edits) -> dict[str, str]:
    """Return unintended differences between two arms: cure -> finding."""
    one = [edit for edit in edits[treated] if not _is_among(edit, edits[control])]
    other = [edit for edit in edits[control] if not _is_among(edit, edits[treated])]
    if not (one and other) or {edit.question for edit in one} == {
        edit.question for edit in other
    }:
        return {}
    who = f"'{treated}' and its control '{control}'"
    found = {
        _SAME_BASES: f"{who} differ in {what}"
        if (what := _site_differences(one, other))
        else "",
        _OWN_MOTIF: f"the control '{control}' of '{treated}' {what}"
        if (what := _foreign_placebo_note(one, other))
        else "",
        _OWN_BASES: f"{who} differ in composition ({what})"
        if (what := _composition_note(one, other))
        else "",
        _ORIENTATION: f"{who} write reverse complements ({what})"
        if (what := _reverse_complement_note(one, other))
        else "",
    }
    return {cure: what for cure, what in found.items() if what}


def _is_among(edit: Edit, others: tuple[Edit, ...]) -> bool:
    """Return whether an arm has the same edit at the same place, possibly as part of a
    longer motif.
    """
    if edit in others:
        return True
    if edit.does != "motif" or edit.grows or not edit.sites or not edit.letters:
        return False
    for longer in others:
        if longer.does == "motif" and not longer.grows and longer.sites:
            offset = edit.sites[0][0] - longer.sites[0][0]
            if (
                offset >= 0
                and longer.letters[offset : offset + len(edit.letters)] == edit.letters
            ):
                return True
    return False


_SAME_BASES = (
    "write both over the same bases, or part of the effect is of the place or the "
    "length and not of the motif"
)
_OWN_MOTIF = (
    "a placebo of its own motif keeps the composition: cg.Placebo of the same pattern "
    "at the same place"
)
_OWN_BASES = (
    "part of the effect may be of the composition; cg.Placebo keeps that of the motif"
)
_ORIENTATION = (
    "on double-stranded DNA that is one motif in two orientations, and the effect is "
    "of orientation alone"
)
_LOOKS = (_SAME_BASES, _OWN_MOTIF, _OWN_BASES, _ORIENTATION)


def _site_differences(one: list[Edit], other: list[Edit]) -> str:
    """Return differences in number, place and length of sites and in length of the
    sequence, as text.
    """
    grown = sum(edit.grows for edit in one) - sum(edit.grows for edit in other)
    if not grown and [edit.sites for edit in one] == [edit.sites for edit in other]:
        return ""
    here, there = (
        _merged_sites(_comparable_edits(one, other)),
        _merged_sites(_comparable_edits(other, one)),
    )
    if here is None or there is None:
        return ""
    (starts, widths), (starts_, widths_) = here, there
    places = f"at {_first_numbers(starts)} against {_first_numbers(starts_)}"
    found = {}
    if len(starts) != len(starts_):
        found["number of sites"] = f"{len(starts)} against {len(starts_)}, {places}"
    else:
        found["place"] = places if starts != starts_ else ""
        found["length"] = (
            f"{_first_numbers(widths)} bases against {_first_numbers(widths_)}"
            if widths != widths_
            else ""
        )
    if grown:
        found["length of the sequence"] = (
            f"{abs(grown)} bases {'longer' if grown > 0 else 'shorter'}"
        )
    found = {kind: what for kind, what in found.items() if what}
    return f"{' and '.join(found)} ({', '.join(found.values())})" if found else ""


def _comparable_edits(one: list[Edit], other: list[Edit]) -> list[Edit]:
    """Return the edits of an arm without removals at places that the other leaves
    unedited, if any remain.
    """
    return [
        edit
        for edit in one
        if not edit.removes or any(_overlap(edit, there) for there in other)
    ] or one


def _merged_sites(edits: list[Edit]) -> tuple[list[int], list[int]] | None:
    """Return starts and widths of all sites, adjacent ones merged; None if they differ
    between sequences.
    """
    if any(edit.sites is None for edit in edits):
        return None
    starts: list[int] = []
    widths: list[int] = []
    for start, width in sorted(site for edit in edits for site in edit.sites or ()):
        if starts and start == starts[-1] + widths[-1]:
            widths[-1] += width
        else:
            starts.append(start)
            widths.append(width)
    return starts, widths


def _first_numbers(numbers: list[int]) -> str:
    """Return numbers as text, at most the first three."""
    if len(numbers) > _POSITIONS_SHOWN:
        return (
            f"{', '.join(map(str, numbers[:_POSITIONS_SHOWN]))} and {len(numbers) - _POSITIONS_SHOWN} "
            "more"
        )
    return in_list(list(map(str, numbers)))


def _foreign_placebo_note(one: list[Edit], other: list[Edit]) -> str:
    """Return a note on the first placebo that rearranges a motif other than those at
    its place (or anywhere).
    """
    motifs = [edit for edit in one if edit.label]
    for placebo in (edit for edit in other if edit.is_placebo):
        there = [edit for edit in motifs if _overlap(edit, placebo)] or motifs
        together = "".join(edit.pattern for edit in there)
        if there and not any(
            _may_be_rearrangement(edit, placebo)
            for edit in [*there, replace(there[0], pattern=together)]
        ):
            share = f"GC {placebo.gc:.2f} against {there[0].gc:.2f}"
            return f"rearranges {placebo.label}, not {there[0].label} ({share})"
    return ""


def _overlap(one: Edit, other: Edit) -> bool:
    """Return whether two edits change a common base of the background."""
    return any(
        start < start_ + width_ and start_ < start + width
        for start, width in one.sites or ()
        for start_, width_ in other.sites or ()
    )


def _may_be_rearrangement(motif: Edit, placebo: Edit) -> bool:
    """Return whether a placebo may be a rearrangement of a motif."""
    if motif.pattern == placebo.pattern:
        return True
    if not (_is_fixed(motif) and _is_fixed(placebo)):  # of an unknown instance
        return placebo.does == "placebo, fixed" and sum(motif.bases) == sum(
            placebo.bases
        )
    return sorted(motif.pattern) == sorted(placebo.pattern)


def _is_fixed(edit: Edit) -> bool:
    return edit.pattern != "" and set(edit.pattern) <= set(BASES)


def _composition_note(one: list[Edit], other: list[Edit]) -> str:
    """Return the difference in composition as text, if more than two bases are
    substituted.
    """
    if not all(edit.letters and not edit.is_placebo for edit in [*one, *other]):
        return ""
    here, there = (
        "".join(
            edit.letters for edit in sorted(edits, key=lambda edit: edit.sites or ())
        )
        for edits in (one, other)
    )
    if (
        len(here) == len(there)
        and sum(a != b for a, b in zip(here, there, strict=True)) <= _SUBSTITUTED
    ):
        return ""
    shares, others = _base_shares(one), _base_shares(other)
    gc, gc_ = shares[1] + shares[2], others[1] + others[2]
    if abs(gc - gc_) > _GC:
        return f"GC {gc:.2f} against {gc_:.2f}"
    one_strand = any(edit.one_strand for edit in [*one, *other])
    turned = others if one_strand else others[::-1]  # A C G T backwards is T G C A
    if min(_distance(shares, others), _distance(shares, turned)) <= _SINGLE:
        return ""
    return " against ".join(
        " ".join(
            f"{base} {share:.2f}"
            for base, share in zip(BASES, found, strict=True)
            if share
        )
        for found in (shares, others)
    )


def _base_shares(edits: list[Edit]) -> list[float]:
    """Return the shares of A, C, G and T in the motifs."""
    counts = [
        sum(of_base) for of_base in zip(*(edit.bases for edit in edits), strict=True)
    ]
    return [count / sum(counts) for count in counts]


def _distance(one: list[float], other: list[float]) -> float:
    """Return the total variation distance of two compositions."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2


def _reverse_complement_note(one: list[Edit], other: list[Edit]) -> str:
    """Return two motifs, one per arm, that are reverse complements of each other, as
    text.
    """
    if (
        len(one) != 1
        or len(other) != 1
        or one[0].one_strand
        or not (_is_fixed(one[0]) and _is_fixed(other[0]))
    ):
        return ""
    if (
        one[0].is_placebo
        or other[0].is_placebo
        or one[0].letters != other[0].letters[::-1].translate(COMPLEMENT)
    ):
        return ""
    return f"{one[0].letters} against {other[0].letters}"


def with_notes(dataset: xr.Dataset, *sentences: str) -> xr.Dataset:
    """Return the Dataset with sentences added to ``attrs["notes"]``, each once, one a
    line.

    Verbs pass attrs on to their results, and `causalgia.report` prints each line as
    "Note: ...".

    Examples
    --------
    >>> import xarray as xr
    >>> once = with_notes(xr.Dataset(), "control and treatment differ in length")
    >>> with_notes(once, "control and treatment differ in length", "10 parents").attrs[
    ...     "notes"
    ... ].splitlines()
    ['control and treatment differ in length', '10 parents']
    """
    known = notes_of(dataset)
    lines = dict.fromkeys(
        [*known, *(" ".join(sentence.split()) for sentence in sentences)]
    )
    added = len(lines) > len(known)
    return dataset.assign_attrs(notes="\n".join(lines)) if added else dataset


def notes_of(dataset: xr.Dataset) -> list[str]:
    """Return the notes of a Dataset, in the order in which they were added.

    Examples
    --------
    >>> import xarray as xr
    >>> notes_of(xr.Dataset(attrs={"notes": "10 parents"})), notes_of(xr.Dataset())
    (['10 parents'], [])
    """
    return [line for line in about(dataset, "").notes.split("\n") if line]


def without_notes(dataset: xr.Dataset, sentences: Iterable[str]) -> xr.Dataset:
    r"""Return the Dataset without these notes, which were shown before.

    Examples
    --------
    >>> import xarray as xr
    >>> notes_of(
    ...     without_notes(
    ...         xr.Dataset(attrs={"notes": "10 parents\none task"}), ["10 parents"]
    ...     )
    ... )
    ['one task']
    """
    left_out = {" ".join(sentence.split()) for sentence in sentences}
    return dataset.assign_attrs(
        notes="\n".join(note for note in notes_of(dataset) if note not in left_out)
    )


def pack_text(dataset: xr.Dataset, name: str, text: str) -> xr.Dataset:
    """Return the Dataset with a text as ``attrs[name]``, or zlib-compressed as variable
    ``name (byte)`` if it is long.

    Examples
    --------
    >>> import xarray as xr
    >>> unpack_text(pack_text(xr.Dataset(), "design", "x" * 50_000), "design")[:3]
    'xxx'
    """
    import numpy as np

    from causalgia.schema import annotate

    if len(text) <= LONGEST_ATTRIBUTE:
        return dataset.assign_attrs({name: text})
    return annotate(
        dataset.assign(
            {name: ("byte", np.frombuffer(zlib.compress(text.encode(), 1), np.uint8))}
        )
    )


def unpack_text(dataset: xr.Dataset, name: str) -> str | None:
    """Return the text that `pack_text` stored under a name, or None.

    Raises
    ------
    DataError
        If its bytes are damaged, or unpack to more than 128 MiB and twenty times their
        size.
    """
    if name in dataset.variables:
        return inflate(
            dataset[name].to_numpy().tobytes(),
            DataError,
            source=f"the variable {quoted(name)}",
        ).decode()
    text = dataset.attrs.get(name)
    return None if text is None else str(text)


def design_question(outcomes: xr.Dataset) -> dict[str, Any]:
    """Return the contrasts of the design stored with outcomes: ``{"control": ...}``,
    ``{"contrasts": ...}`` or {}.

    Raises
    ------
    DataError
        If the stored design is not a JSON table.

    Examples
    --------
    >>> import xarray as xr
    >>> design_question(xr.Dataset(attrs={"design": '{"contrasts": "untreated"}'}))
    {'control': 'untreated'}
    """
    try:
        text = unpack_text(outcomes, "design")
        contrasts = parse_json(text or "{}", DataError).get("contrasts")
    except (DataError, AttributeError) as error:
        raise DataError(
            f"the design kept with the outcomes cannot be read ({error})"
        ) from error
    if contrasts is None:
        return {}
    return {"control" if isinstance(contrasts, str) else "contrasts": contrasts}
