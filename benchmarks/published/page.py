"""The page of the founding paper as Markdown, from stored results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from catalogued.writing import table

from . import figures, measured

Results = dict[str, Any]
Row = dict[str, Any]
COLUMNS = (
    "statement",
    "trial",
    "published",
    "oracle",
    "trained: residual · exponential",
    "verdict",
)
WORDS = {"increases": "raises", "decreases": "lowers"}
HUMAN, FLY = "500 human elements", "10 fly enhancers"
NULL_MODELS = ("uniform", "shuffle", "dinucleotide shuffle", "the sequences")
SOURCES = ("oracle", *measured.ARCHITECTURES)
TEMPLATE = Path(__file__).with_name("page.md")
_CATALOGUE = Path(__file__).resolve().parents[1] / "catalogued" / "results.json"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One row: a contrast of an experiment, and the verdict that the paper's figure
    would have; None where it has none to compare with.
    """

    says: str
    published: str
    part: str
    contrast: str
    expects: str | None
    note: str = ""


def written(results: Results) -> str:
    """Return the page: its template with tables and figures of the results."""
    tables = {name: table(COLUMNS, rows) for name, rows in themes(results).items()}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        tables,
        null_models=_null_models(results["real/null models"]),
        **_in_the_text(results),
    )


def themes(results: Results) -> dict[str, list[list[str]]]:
    """Return theme -> rows."""
    return {
        "motif": _motif(results),
        "copies": _copies(results),
        "spacing": _spacing(results),
        "structure": _structure(results),
        "affinity": _affinity(results),
        "gc": _gc(results),
        "invariance": _invariance(results),
        "helix": _helix(results),
    }


# --- one row --------------------------------------------------------------------------


def effect(row: Row) -> str:
    """Return an effect with its interval.

    Examples
    --------
    >>> effect({"ace": 3.8111, "lower": 3.7792, "upper": 3.843})
    '3.81 [3.78, 3.84]'
    """
    return f"{_two(row['ace'])} [{_two(row['lower'])}, {_two(row['upper'])}]"


def _two(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def rows_of(results: Results, part: str, contrast: str) -> list[Row]:
    """Return the rows of the oracle and of both ensembles."""
    return [results[f"{source}/{part}"][contrast] for source in SOURCES]


def _row(results: Results, one: Statement) -> list[str]:
    oracle, residual, exponential = found = rows_of(results, one.part, one.contrast)
    return [
        one.says,
        f"`{one.part}.toml`",
        one.published,
        effect(oracle),
        f"{effect(residual)} · {effect(exponential)}",
        verdict([row["verdict"] for row in found], one.expects) + one.note,
    ]


def verdict(words: list[str], expects: str | None) -> str:
    """Return the verdicts of the oracle and both ensembles in words, and whether they
    are as published.

    Examples
    --------
    >>> verdict(["increases"] * 3, "increases")
    'raises, as published'
    >>> verdict(["decreases", "undecided", "decreases"], "decreases")
    'lowers; residual undecided; as published where decided'
    >>> verdict(["decreases"] * 3, "negligible")
    'lowers; **not as published**'
    """
    plain = [WORDS.get(word, word) for word in words]
    first, rest = plain[0], list(zip(measured.ARCHITECTURES, plain[1:], strict=True))
    others = "".join(f"; {name} {word}" for name, word in rest if word != first)
    if expects is None:
        return f"{first}{others}"
    decided = {word for word in words if word != "undecided"}
    if decided == {expects}:
        whole = "undecided" not in words
        end = ", as published" if whole else "; as published where decided"
    else:
        end = "; **not as published**"
    return f"{first}{others}{end}"


def _custom(
    says: str, trial: str, published: str, cells: list[str], end: str
) -> list[str]:
    oracle, trained = cells
    return [says, f"`{trial}`", published, oracle, trained, end]


def _both(one: str, other: str) -> str:
    return f"{one} · {other}"


# --- themes ---------------------------------------------------------------------------


def _motif(results: Results) -> list[list[str]]:
    screened = json.loads(_CATALOGUE.read_text())
    oracle = screened["oracle"]["kmer_screen"]["rows"][0]
    trained = screened["trained"]["experiments"]["kmer_screen"]
    n_first = trained["firsts"].count("UGCAUG")
    weakened = [
        sum(
            row["verdict"] == "decreases"
            for name, row in results[f"{source}/mutagenesis"].items()
            if " to " in name
        )
        for source in SOURCES
    ]
    falls = [
        min(
            row["ace"]
            for name, row in results[f"{source}/position"].items()
            if name.startswith("at ")
        )
        for source in SOURCES
    ]
    gap = results["oracle/definition"]["largest_difference"]
    return [
        _custom(
            "Importance is E[y with the pattern at i] - E[y], over one null model",
            "weak_against_strong.toml",
            "Eq. 1 and 2",
            [f"ACE minus the difference of means: {gap:.0e} at most", "the same"],
            "the same estimand (ACE)",
        ),
        _custom(
            "UGCAUG has the largest importance of all 6-mers",
            'cg.experiments.kmer_screen(cg.Uniform(length=41), letters="ACGU")',
            "as stated: the motif of RBFOX1",
            [
                f"first of {trained['n_motifs']:,}: {effect(oracle)}",
                f"first in {n_first} of {len(trained['firsts'])} residual networks: "
                f"{_two(trained['rows'][0]['ace'])}, next "
                f"{trained['rows'][1]['contrast']} {_two(trained['rows'][1]['ace'])}",
            ],
            "higher than random sequences",
        ),
        _row(
            results,
            Statement(
                says="One UGCAUG in the middle raises the outcome",
                published="4.35",
                part="spacing",
                contrast="one site",
                expects="increases",
            ),
        ),
        _custom(
            "Every single-base change of UGCAUG weakens it",
            "mutagenesis.toml",
            "logo",
            [
                f"{weakened[0]} of 18 lower",
                _both(*(f"{n} of 18" for n in weakened[1:])),
            ],
            "lowers" if weakened == [18] * 3 else "lowers, but **not each**",
        ),
        _row(
            results,
            Statement(
                says="A for the first U keeps most of it",
                published="code, no figure",
                part="mutagenesis",
                contrast="letter 1 (U) to A",
                expects=None,
                note=", by an eighth",
            ),
        ),
        _custom(
            "The motif works wherever it lies",
            "position.toml",
            "code, no figure",
            [f"{_two(falls[0])} at the least", _both(*(_two(x) for x in falls[1:]))],
            "raises at every place"
            if min(falls) > measured.ROPE[1]
            else "**not at every place**",
        ),
        _row(
            results,
            Statement(
                says="Its effect falls towards the 3' end",
                published="not said",
                part="position",
                contrast="linear trend",
                expects=None,
                note="; a property of this oracle",
            ),
        ),
    ]


def _copies(results: Results) -> list[list[str]]:
    made = []
    for part, motif, published in (
        ("copies", "UGCAUG", figures.COPIES),
        ("weak_copies", "AGAAUG", figures.WEAK_COPIES),
    ):
        for n, contrast in enumerate(("1 copy", "2 copies", "3 copies")):
            made.append(
                _row(
                    results,
                    Statement(
                        says=f"{contrast} of {motif}",
                        published=f"{published[n]:g}",
                        part=part,
                        contrast=contrast,
                        expects="increases",
                    ),
                )
            )
        straight = [_r2_of_copies(results[f"{source}/{part}"]) for source in SOURCES]
        printed = (
            figures.PRINTED_R2_COPIES if part == "copies" else figures.PRINTED_R2_WEAK
        )
        made.append(
            _custom(
                f"The importance of {motif} is linear in the copies (R² of three means)",
                f"{part}.toml",
                f"{printed}†",
                [f"{straight[0]:.4f}", _both(*(f"{x:.4f}" for x in straight[1:]))],
                "as published; of three points, R² could not be low",
            )
        )
    made += [
        _row(
            results,
            Statement(
                says="Copies are additive: nothing beyond the same sites alone",
                published="by R² alone",
                part="copies_apart",
                contrast="excess over single sites",
                expects="negligible",
            ),
        ),
        _row(
            results,
            Statement(
                says="The same at the published places, two bases apart",
                published="by R² alone",
                part="copies",
                contrast="excess over single sites",
                expects=None,
                note="; CA in a gap completes one more UGCAUG",
            ),
        ),
        _row(
            results,
            Statement(
                says="Three weak sites do more than one strong site",
                published=f"5.35, above an unlabeled line at {figures.ONE_STRONG_SITE_LINE}",
                part="weak_against_strong",
                contrast="weak minus strong",
                expects="increases",
            ),
        ),
    ]
    return made


def _r2_of_copies(rows: Row) -> float:
    means = [rows[name]["ace"] for name in ("1 copy", "2 copies", "3 copies")]
    return figures.line([1, 2, 3], means).r2


def _spacing(results: Results) -> list[list[str]]:
    total = figures.SPACING
    made = [
        _row(
            results,
            Statement(
                says=f"Two UGCAUG, starts {n} apart: both together",
                published=f"{total[f'at {n}']:g}",
                part="spacing",
                contrast=f"pair at {n}",
                expects="increases",
            ),
        )
        for n in (4, 6, 9)
    ]
    made += [
        _row(
            results,
            Statement(
                says=f"Starts {n} apart: less than the two sites alone",
                published=f"{total[f'at {n}'] - 2 * total['one site']:.2f}‡",
                part="spacing",
                contrast=f"interaction at {n}",
                expects="decreases",
            ),
        )
        for n in (4, 6, 9)
    ]
    made.append(
        _row(
            results,
            Statement(
                says="The nearer the sites, the less they do together",
                published="1.2 from 4 to 9",
                part="spacing",
                contrast="linear trend",
                expects="increases",
            ),
        )
    )
    return made


def _structure(results: Results) -> list[list[str]]:
    seen = figures.HAIRPIN
    rows = (
        (
            "GCUGG in the open, in the middle",
            seen["center"],
            "motif in the open",
            "increases",
        ),
        (
            "GCUGG in the open, where the stem will be",
            seen["left"],
            "motif in the open, where the stem was",
            "increases",
        ),
        (
            "GCUGG in the loop of a hairpin",
            seen["loop"],
            "motif in the loop",
            "increases",
        ),
        ("GCUGG in the stem", seen["stem"], "motif in the stem", "increases"),
        (
            "The loop adds to the effect of the site at the same place",
            seen["loop"] - seen["center"],
            "motif x loop",
            "increases",
        ),
        (
            "The stem takes from the effect of the site at the same place",
            seen["stem"] - seen["left"],
            "motif x stem",
            "negligible",
        ),
    )
    made = [
        _row(
            results,
            Statement(
                says=says,
                published=f"{value:.2f}".rstrip("0").rstrip(".") if value else "0",
                part="hairpin",
                contrast=contrast,
                expects=expects,
            ),
        )
        for says, value, contrast, expects in rows
    ]
    made.append(
        _row(
            results,
            Statement(
                says="A hairpin without a site does nothing",
                published="not shown: taken off as the null",
                part="hairpin",
                contrast="hairpin",
                expects=None,
            ),
        )
    )
    return made


def _affinity(results: Results) -> list[list[str]]:
    file = "affinity.toml"
    made = [
        _row(
            results,
            Statement(
                says=f"{motif}, K_D {kd:g}",
                published=f"{value:g}",
                part="affinity",
                contrast=motif,
                expects="negligible" if abs(value) < measured.ROPE[1] else "increases",
            ),
        )
        for motif, kd, value in zip(
            figures.MOTIFS, figures.KD, figures.IMPORTANCE, strict=True
        )
    ]
    fits = [
        figures.line(
            measured.importance_of_motifs(results[f"{source}/affinity"]),
            np.log(figures.KD),
        )
        for source in SOURCES
    ]
    forward = [
        figures.line(np.log10(figures.KD), y)
        for y in (
            figures.IMPORTANCE,
            *(
                measured.importance_of_motifs(results[f"{source}/affinity"])
                for source in SOURCES
            ),
        )
    ]
    made += [
        _custom(
            "ln K_D falls with importance: slope of ln K_D on importance",
            file,
            f"{figures.PRINTED_SLOPE:.2f} ± {figures.PRINTED_SLOPE_SE:.2f} (SE)†",
            _fitted(fits, _slope),
            "falls, as published",
        ),
        _custom(
            "R² of that line, seven motifs",
            file,
            f"{figures.PRINTED_R2} (p = {figures.PRINTED_P})†",
            _fitted(fits, lambda fit: f"{fit.r2:.3f} (p = {fit.p:.4f})"),
            "as published; seven points in two clusters",
        ),
        _custom(
            "The same the other way round: importance per tenfold K_D",
            file,
            f"{_slope(forward[0])}‡",
            _fitted(forward[1:], _slope),
            "falls, as published",
        ),
    ]
    return made


def _slope(fit: figures.Fit) -> str:
    return f"{_two(fit.slope)} [{_two(fit.lower)}, {_two(fit.upper)}]"


def _fitted(fits: list[figures.Fit], text: Callable[[figures.Fit], str]) -> list[str]:
    return [text(fits[0]), _both(text(fits[1]), text(fits[2]))]


def _gc(results: Results) -> list[list[str]]:
    seen = figures.GC_BIAS
    alone = ", ".join(f"{one[figures.GC_ALONE]:g}" for one in seen.values())
    at_3 = [
        one[figures.GC_3] - one[figures.MOTIF] - one[figures.GC_ALONE]
        for one in seen.values()
    ]
    at_5 = [one[figures.GC_5] - one[figures.MOTIF] for one in seen.values()]
    made = results["oracle/synergy"]
    shares = results["oracle/factors"]
    lower = shares["rows"]["below"]
    return [
        _row(
            results,
            Statement(
                says="GCGCGC at the 3' end changes the outcome by itself",
                published=f"{alone} (three proteins)",
                part="gc",
                contrast="composition at 34",
                expects=None,
                note="; the sign is a protein's own",
            ),
        ),
        _row(
            results,
            Statement(
                says="Not where no bias was simulated (`vts1_like`)",
                published="no such control",
                part="gc_of_the_other",
                contrast="composition at 34",
                expects=None,
            ),
        ),
        _row(
            results,
            Statement(
                says="Not at the 5' end",
                published="not shown alone",
                part="gc",
                contrast="composition at 2",
                expects=None,
            ),
        ),
        _custom(
            "Motif and GC at the 3' end do more than both",
            "synergy.toml",
            ", ".join(f"{x:.2f}" for x in at_3) + "‡",
            [
                f"{effect(made['interaction at 34'])}, on an oracle made for it "
                "(interaction 3.1)",
                "none was trained on it",
            ],
            f"{WORDS[made['interaction at 34']['verdict']]}: the design finds it; "
            "`rbfox1_like` has none",
        ),
        _row(
            results,
            Statement(
                says="In `rbfox1_like` GC at the 3' end leaves the motif's effect as it is",
                published="another protein",
                part="gc",
                contrast="interaction at 34",
                expects=None,
            ),
        ),
        _custom(
            "GC at the 5' end changes a motif's effect little",
            "gc.toml",
            "motif with GC minus motif: " + ", ".join(f"{x:.2f}" for x in at_5) + "‡",
            [
                effect(results["oracle/gc"]["interaction at 2"]),
                _both(
                    *(
                        effect(results[f"{name}/gc"]["interaction at 2"])
                        for name in measured.ARCHITECTURES
                    )
                ),
            ],
            verdict(
                [row["verdict"] for row in rows_of(results, "gc", "interaction at 2")],
                None,
            ),
        ),
        _custom(
            "Most of 244 experiments have the bias at the 3' end, few at the 5' end",
            "cg.experiments.share_of_predictors(by_factor, rope=(-0.2, 0.2))",
            "histograms",
            [
                f"{shares['n']} simulated factors: {lower['share']:.3f} "
                f"[{lower['lower']:.3f}, {lower['upper']:.3f}]; in truth "
                f"{shares['truth']:.3f}",
                "one network a factor was not trained",
            ],
            "the share is recovered; that of the 244 proteins cannot be shown here",
        ),
    ]


def _invariance(results: Results) -> list[list[str]]:
    reads_places, reads_letters = (
        results["oracle/invariance"][name] for name in ("promoter", "at_content")
    )

    def row(says: str, contrast: str, published: str) -> list[str]:
        both = [one[contrast] for one in (reads_places, reads_letters)]
        cells = [f"{effect(one)} (above in {one['share']:.2f})" for one in both]
        words = [WORDS.get(one["verdict"], one["verdict"]) for one in both]
        return _custom(
            says,
            "invariance.toml",
            published,
            [cells[0], f"none; an oracle of A and T alone: {cells[1]}"],
            f"{words[0]}; of A and T alone {words[1]}",
        )

    return [
        row(
            "Two elements make up for a broken -10 box",
            "compensation",
            "above in 1.00 (position-aware matrix), .63 (HyenaDNA)",
        ),
        row(
            "By their arrangement: beside the same letters rearranged in place",
            "by arrangement",
            "above in .98, .48",
        ),
        row("By their letters, rearranged in place", "by composition", "not shown"),
        row("By their places", "by place", "drawn for HyenaDNA"),
        row("Both boxes turned in place", "both boxes turned", "drawn for HyenaDNA"),
    ]


def _helix(results: Results) -> list[list[str]]:
    oracle, real = results["oracle/helix"], results.get("real/pairs")
    made = f"{oracle['period']['best_period']:.1f} bp"
    trained_period, trained_direction = (
        ("not measured", "not measured")
        if real is None
        else (_real_period(real["period"]), effect(real["direction"]))
    )
    word = "" if real is None else real["direction"]["verdict"]
    return [
        _custom(
            "Two Nanog sites work best at multiples of a turn of the helix",
            "period.toml",
            "10.5 bp (Avsec et al. 2021)",
            [made, f"fly enhancers, two AP-1 sites: {trained_period}"],
            "the period of the oracle is found; it has no counterpart in this paper",
        ),
        _custom(
            "Sox2 upstream of Nanog helps more than downstream",
            "direction.toml",
            "as stated: Avsec et al. 2021",
            [
                effect(oracle["direction"]),
                f"fly enhancers, AP-1 before GATA minus after: {trained_direction}",
            ],
            f"{WORDS.get(oracle['direction']['verdict'], oracle['direction']['verdict'])}"
            f" on the oracle; {WORDS.get(word, word)} in the network of enhancers",
        ),
    ]


def _real_period(period: Row) -> str:
    return (
        f"p = {period['p']:.2g} for a wave of 10.5 bp, best period "
        f"{period['best_period']:.1f}"
    )


# --- null models and what the text takes from results ---------------------------------


def _null_models(real: Results) -> str:
    rows = [
        [
            name,
            null,
            f"{row['n_units']}",
            effect(row["untreated"]),
            effect(row["placebo"]),
        ]
        for name in (HUMAN, FLY)
        for null in NULL_MODELS
        for row in (real[name]["rows"][null],)
    ]
    head = ["real sequences", "null model", "units", "against untreated", "placebo"]
    return table(head, rows)


def _in_the_text(results: Results) -> dict[str, str]:
    alike, real = results["residual/null models"], results["real/null models"]
    human, fly = real[HUMAN], real[FLY]
    loop = [row["ace"] for row in rows_of(results, "hairpin", "motif x loop")]
    copies = results["oracle/copies"]
    printed = [
        round(copies[name]["ace"], 2) for name in ("1 copy", "2 copies", "3 copies")
    ]
    return {
        "printed": str(printed),
        "alike_tau": _two(alike["least_tau"]),
        "alike_low": _two(min(alike["effects"].values())),
        "alike_high": _two(max(alike["effects"].values())),
        "human_p": f"{human['p']:.2g}",
        "fly_p": f"{fly['p']:.2g}",
        **{
            f"fly_{control}": _two(fly["rows"]["the sequences"][control]["ace"])
            for control in ("untreated", "placebo")
        },
        "human_tau": _two(human["least_tau"]),
        "fly_tau": _two(fly["least_tau"]),
        "loop_published": _two(figures.HAIRPIN["loop"] - figures.HAIRPIN["center"]),
        **{f"loop_{name}": _two(x) for name, x in zip(SOURCES, loop, strict=True)},
    }
