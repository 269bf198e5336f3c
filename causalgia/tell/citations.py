"""Works to cite for a result, as BibTeX: of the question, the null model, the
estimator, the intervals and verdicts.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import causalgia
from causalgia.attributes import about, has
from causalgia.effect_table import hall_coefficient
from causalgia.tell.verdict_sentences import (
    is_decided,
    is_simultaneous,
    weakest_verdict,
)

if TYPE_CHECKING:
    import xarray as xr


class Work(NamedTuple):
    """A published work: BibTeX's key, kind and fields."""

    key: str
    kind: str
    fields: dict[str, str]

    def bibtex(self) -> str:
        """Return the entry as BibTeX."""
        lines = ",\n".join(
            f"  {name} = {{{value}}}" for name, value in self.fields.items()
        )
        return f"@{self.kind}{{{self.key},\n{lines}\n}}"

    def __str__(self) -> str:
        by = self.fields["author"].split(" and ")
        names = [name.partition(",")[0].strip("{}") for name in by]
        who = (
            names[0]
            if len(names) == 1
            else " & ".join(names)
            if len(names) == 2
            else f"{names[0]} et al."
        )
        at = self.fields.get("doi")
        return f"{who} ({self.fields['year']}){f', doi:{at}' if at else ''}"


def _read(entry: str) -> Work:
    """Return an entry of BibTeX, with a field a line."""
    kind, key = re.findall(r"@(\w+){(\w+),", entry)[0]
    return Work(key, kind, dict(re.findall(r"^  (\w+) = {(.*)},?$", entry, re.M)))


_WORKS = resources.files("causalgia.tell") / "page" / "works.bib"
_ENTRIES = _WORKS.read_text(encoding="utf-8").split("\n\n")
WORKS = {work.key: work for work in map(_read, _ENTRIES)}
_BY_METHOD = {
    "CR2": "pustejovsky2018small",
    "Satterthwaite": "satterthwaite1946approximate",
    "Welch": "welch1947generalization",
    "Lin's interacted regression": "lin2013agnostic",
    "Fieller": "fieller1954some",
}
"""Words of attrs["method"] -> the work that they come from."""
_BY_ADJUSTMENT = {
    "bh": "benjamini1995controlling",
    "holm": "holm1979simple",
    "bonferroni": "dunn1961multiple",
    "dunnett": "dunnett1955multiple",
    "fdr": "benjamini1995controlling",
    "sequence": "waudbysmith2024time",
}
"""Methods of adjustment, and error rates of verdicts -> their work."""
_OF_AUDIT = (
    *("koo2021global", "altschul1985significance", "benjamini1995controlling"),
    "meinshausen2008hierarchical",
)


def software() -> Work:
    """Return this library as a work to cite."""
    title = "causalgia: statistical causal inference for genomic neural networks"
    fields = {
        "author": "{The causalgia developers}",
        "title": title,
        "year": "2026",
        "version": causalgia.__version__,
    }
    return Work("causalgia", "software", fields)


def uses_skewness(effects: xr.Dataset) -> bool:
    """Return whether intervals and tests allow for the skewness of effects: of single
    effects, whose target has one.
    """
    by_others = is_simultaneous(effects) or about(effects, None).error == "sequence"
    known = "lower" in effects and bool((hall_coefficient(effects) != 0).any())
    return known and not by_others


def works(effects: xr.Dataset) -> tuple[Work, ...]:
    """Return the works that estimates or decisions rest on, this library first.

    Parameters
    ----------
    effects
        Estimates or decisions; their attributes say which null model, estimator,
        adjustment and evidence they have.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(
    ...     from_effects([1.4], se=[0.1], names=["GATA1"]), rope=(-0.1, 0.1)
    ... )
    >>> [work.key for work in works(decided)]
    ['causalgia', 'kruschke2018rejecting', 'schuirmann1987comparison', 'benjamini1995controlling']
    """
    attrs, decided = effects.attrs, is_decided(effects)
    keys = ["koo2021global"] if has(attrs).null_kind else []
    keys += (
        ["altschul1985significance"]
        if about(attrs, None).null_kind == "dinucleotide_shuffle"
        else []
    )
    # a coordinate of the user's stands in it
    method = about(attrs, "").method.replace(str(about(attrs, "unit").cluster), "")
    keys += [key for word, key in _BY_METHOD.items() if word in method]
    keys += ["smyth2004linear"] if has(attrs).moderated_rows else []
    keys += ["hall1992removal"] if uses_skewness(effects) else []
    matched = "p_matched" in effects
    if decided:
        keys.append("kruschke2018rejecting")
        keys.append("bates2023testing" if matched else "schuirmann1987comparison")
        keys += ["hanley1983nothing"] if weakest_verdict(effects) else []
    if "lfsr" in effects:
        keys.append("stephens2017false")
    keys += ["urbut2019flexible"] if has(attrs).across else []
    keys.append(_error_rate(effects, matched=matched))
    keys.append(_BY_ADJUSTMENT.get(str(about(attrs, None).band), ""))
    return (software(), *(WORKS[key] for key in dict.fromkeys(filter(None, keys))))


def audit_works() -> tuple[Work, ...]:
    """Return the works that an audit rests on, this library first."""
    return (software(), *(WORKS[key] for key in _OF_AUDIT))


def _error_rate(effects: xr.Dataset, *, matched: bool) -> str:
    """Return the work of the error rate of verdicts; empty for none."""
    attrs = effects.attrs
    if not is_decided(effects):
        return ""
    if matched:
        return _BY_ADJUSTMENT["bh"]
    if about(attrs, None).error == "fwer":
        return _BY_ADJUSTMENT["holm"]
    return _BY_ADJUSTMENT.get(str(about(attrs, None).error), "")
