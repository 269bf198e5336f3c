"""Works to cite for a result, as BibTeX: of the question, the null model, the
estimator, the intervals and verdicts.
"""

from __future__ import annotations

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


def _article(
    key: str,
    author: str,
    title: str,
    journal: str,
    year: int,
    volume: str,
    pages: str,
    doi: str = "",
) -> Work:
    fields = {
        "author": author,
        "title": title,
        "journal": journal,
        "year": str(year),
        "volume": volume,
        "pages": pages,
    }
    return Work(key, "article", fields | ({"doi": doi} if doi else {}))


_WORKS = [
    _article(
        "koo2021global",
        "Koo, Peter K. and Majdandzic, Antonio and Ploenzke, Matthew and Anand, "
        "Praveen and Paul, Steffan B.",
        "Global importance analysis: An interpretability method to quantify importance "
        "of genomic features in deep neural networks",
        "PLoS Computational Biology",
        2021,
        "17",
        "e1008925",
        "10.1371/journal.pcbi.1008925",
    ),
    _article(
        "altschul1985significance",
        "Altschul, Stephen F. and Erickson, Bruce W.",
        "Significance of nucleotide sequence alignments: a method for random sequence "
        "permutation that preserves dinucleotide and codon usage",
        "Molecular Biology and Evolution",
        1985,
        "2",
        "526--538",
        "10.1093/oxfordjournals.molbev.a040370",
    ),
    _article(
        "pustejovsky2018small",
        "Pustejovsky, James E. and Tipton, Elizabeth",
        "Small-sample methods for cluster-robust variance estimation and hypothesis "
        "testing in fixed effects models",
        "Journal of Business & Economic Statistics",
        2018,
        "36",
        "672--683",
        "10.1080/07350015.2016.1247004",
    ),
    _article(
        "satterthwaite1946approximate",
        "Satterthwaite, F. E.",
        "An approximate distribution of estimates of variance components",
        "Biometrics Bulletin",
        1946,
        "2",
        "110--114",
        "10.2307/3002019",
    ),
    _article(
        "welch1947generalization",
        "Welch, B. L.",
        "The generalization of Student's problem when several different population "
        "variances are involved",
        "Biometrika",
        1947,
        "34",
        "28--35",
        "10.1093/biomet/34.1-2.28",
    ),
    _article(
        "lin2013agnostic",
        "Lin, Winston",
        "Agnostic notes on regression adjustments to experimental data: Reexamining "
        "Freedman's critique",
        "The Annals of Applied Statistics",
        2013,
        "7",
        "295--318",
        "10.1214/12-AOAS583",
    ),
    _article(
        "smyth2004linear",
        "Smyth, Gordon K.",
        "Linear models and empirical Bayes methods for assessing differential "
        "expression in microarray experiments",
        "Statistical Applications in Genetics and Molecular Biology",
        2004,
        "3",
        "Article 3",
        "10.2202/1544-6115.1027",
    ),
    _article(
        "fieller1954some",
        "Fieller, E. C.",
        "Some problems in interval estimation",
        "Journal of the Royal Statistical Society: Series B",
        1954,
        "16",
        "175--185",
        "10.1111/j.2517-6161.1954.tb00159.x",
    ),
    _article(
        "hall1992removal",
        "Hall, Peter",
        "On the removal of skewness by transformation",
        "Journal of the Royal Statistical Society: Series B",
        1992,
        "54",
        "221--228",
        "10.1111/j.2517-6161.1992.tb01872.x",
    ),
    _article(
        "schuirmann1987comparison",
        "Schuirmann, Donald J.",
        "A comparison of the two one-sided tests procedure and the power approach for "
        "assessing the equivalence of average bioavailability",
        "Journal of Pharmacokinetics and Biopharmaceutics",
        1987,
        "15",
        "657--680",
        "10.1007/BF01068419",
    ),
    _article(
        "kruschke2018rejecting",
        "Kruschke, John K.",
        "Rejecting or accepting parameter values in Bayesian estimation",
        "Advances in Methods and Practices in Psychological Science",
        2018,
        "1",
        "270--280",
        "10.1177/2515245918771304",
    ),
    _article(
        "benjamini1995controlling",
        "Benjamini, Yoav and Hochberg, Yosef",
        "Controlling the false discovery rate: a practical and powerful approach to "
        "multiple testing",
        "Journal of the Royal Statistical Society: Series B",
        1995,
        "57",
        "289--300",
        "10.1111/j.2517-6161.1995.tb02031.x",
    ),
    _article(
        "meinshausen2008hierarchical",
        "Meinshausen, Nicolai",
        "Hierarchical testing of variable importance",
        "Biometrika",
        2008,
        "95",
        "265--278",
        "10.1093/biomet/asn007",
    ),
    _article(
        "holm1979simple",
        "Holm, Sture",
        "A simple sequentially rejective multiple test procedure",
        "Scandinavian Journal of Statistics",
        1979,
        "6",
        "65--70",
    ),
    _article(
        "dunn1961multiple",
        "Dunn, Olive Jean",
        "Multiple comparisons among means",
        "Journal of the American Statistical Association",
        1961,
        "56",
        "52--64",
        "10.1080/01621459.1961.10482090",
    ),
    _article(
        "dunnett1955multiple",
        "Dunnett, Charles W.",
        "A multiple comparison procedure for comparing several treatments with a "
        "control",
        "Journal of the American Statistical Association",
        1955,
        "50",
        "1096--1121",
        "10.1080/01621459.1955.10501294",
    ),
    _article(
        "stephens2017false",
        "Stephens, Matthew",
        "False discovery rates: a new deal",
        "Biostatistics",
        2017,
        "18",
        "275--294",
        "10.1093/biostatistics/kxw041",
    ),
    _article(
        "urbut2019flexible",
        "Urbut, Sarah M. and Wang, Gao and Carbonetto, Peter and Stephens, Matthew",
        "Flexible statistical methods for estimating and testing effects in genomic "
        "studies with multiple conditions",
        "Nature Genetics",
        2019,
        "51",
        "187--195",
        "10.1038/s41588-018-0268-8",
    ),
    _article(
        "waudbysmith2024time",
        "Waudby-Smith, Ian and Arbour, David and Sinha, Ritwik and Kennedy, Edward H. "
        "and Ramdas, Aaditya",
        "Time-uniform central limit theory and asymptotic confidence sequences",
        "The Annals of Statistics",
        2024,
        "52",
        "2613--2640",
        "10.1214/24-AOS2408",
    ),
    _article(
        "bates2023testing",
        "Bates, Stephen and Cand{\\`e}s, Emmanuel and Lei, Lihua and Romano, Yaniv and "
        "Sesia, Matteo",
        "Testing for outliers with conformal p-values",
        "The Annals of Statistics",
        2023,
        "51",
        "149--178",
        "10.1214/22-AOS2244",
    ),
    _article(
        "hanley1983nothing",
        "Hanley, James A. and Lippman-Hand, Abby",
        "If nothing goes wrong, is everything all right? Interpreting zero numerators",
        "JAMA",
        1983,
        "249",
        "1743--1745",
        "10.1001/jama.1983.03330370053031",
    ),
]
WORKS = {work.key: work for work in _WORKS}
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
