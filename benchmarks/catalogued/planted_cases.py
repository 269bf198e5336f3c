"""Each entry of the catalogue on a network with a planted grammar: what is true, and
what is said.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import causalgia as cg
from causalgia.choices import NEGLIGIBLE, WITHIN
from causalgia.experiments import Answer, Experiment
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.zoo import EndGC, MotifCount, Oracle

from . import planted_networks as net
from .planted_networks import AP1, BONUS, INHIBITOR, KD, LENGTH, NOTHING, SITE, TEAD

e = cg.experiments
NULL = cg.Uniform(length=LENGTH)
Key = tuple[Any, ...]
Case = Callable[[int], "Found"]
SEEDS = {"kmer_screen": 2}
"""Seeds of those whose run takes more than 20 s; 20 of the others."""
_SIGNS = {"increases": 1, "decreases": -1, NEGLIGIBLE: 0, WITHIN: 0}
_TILE, _OTHER_TILE = (50, 75), (100, 125)
_MANY = 400
_COPIES, _END = (0, 45, 90, 135), (170, 200)


@dataclass(frozen=True)
class Found:
    """What was planted and what is said: the sign of each statement, 0 negligible, None
    undecided; and what is printed.
    """

    planted: dict[Key, int]
    said: dict[Key, int | None]
    text: str


def asked(experiment: Experiment, predictor: Any, seed: int, **how: Any) -> Answer:
    """Return the answer of an experiment at its defaults."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = cg.run(experiment, predictor, rng=seed, progress=False, **how)
        return experiment.analyze(outcomes, rng=seed)


def told(dataset: xr.Dataset) -> str:
    """Return the report of a result that is no answer."""
    return str(cg.report(dataset))


def rows_said(
    answer: Answer, names: Iterable[str] | None = None
) -> dict[Key, int | None]:
    """Return the verdicts of the rows of the question, (task, row) -> sign."""
    rows = answer.decisions
    if names is not None:
        rows = rows.sel(contrast=list(names))
    elif "of_question" in rows.coords:
        rows = rows.isel(contrast=rows["of_question"].to_numpy())
    table = rows["verdict"].transpose("contrast", "task").to_pandas()
    return {
        (str(task), str(row)): _SIGNS.get(verdict)
        for task, column in table.items()
        for row, verdict in column.items()
    }


def shapes_said(answer: Answer) -> dict[Key, int | None]:
    """Return the shapes with a sign, (task, group, axis, start, stop) -> sign."""
    table = answer.findings["shapes"].to_dataframe()
    table = table[table["sign"].isin([1, -1])]
    return {
        (x.task, x.group, x.axis, x.start, x.stop): int(x.sign)
        for x in table.itertuples()
    }


def of_shapes(
    answer: Answer, planted: dict[Key, int], acts: Callable[[str, Any], bool]
) -> Found:
    """Return shapes as statements, and beside them the rows that do nothing: those of
    the question of which `acts` (task, row) is not true.
    """
    rows = answer.decisions
    names = [str(name) for name in rows["contrast"].to_numpy()]
    nothing = {
        (task, names[i])
        for task in answer.tasks
        for i in range(len(names))
        if not acts(task, rows.isel(contrast=i).coords)
    }
    said = {key: sign for key, sign in rows_said(answer).items() if key in nothing}
    return Found(
        planted | dict.fromkeys(said, 0), shapes_said(answer) | said, str(answer)
    )


def of_units(answer: Answer, truth: dict[Key, tuple[float, float]]) -> Found:
    """Return the quantiles of the effects of sites or sequences as statements: (task,
    row) -> the 5 % and 95 % quantile planted; said is one within .2 of it.
    """
    planted: dict[Key, int] = {}
    said: dict[Key, int | None] = {}
    found = answer.findings["quantiles"]["quantiles"]
    for (task, row), ends in truth.items():
        for prob, size in zip((0.05, 0.95), ends, strict=True):
            one = found.sel(task=task, contrast=row, prob=prob).item()
            key = (task, row, prob)
            planted[key] = int(np.sign(size))
            near = abs(one - size) <= 0.2
            said[key if near else (*key, round(one, 3))] = int(
                np.sign(size if near else one)
            )
    return Found(planted, said, str(answer))


def _motif(seed: int) -> Found:
    answer = asked(e.motif(NULL, AP1), net.predictor(), seed)
    planted: dict[Key, int] = {}
    for task in ("one", "other"):
        planted |= {
            (task, "", "place", 0.0, float(LENGTH - len(AP1))): 1,
            (task, "", "copies", 1.0, 3.0): 1,
            (task, "", "letter", 1.0, 7.0): -1,
        }
    return of_shapes(
        answer,
        planted,
        lambda _, row: (
            not row["copies"].item() > 3 and str(row["strand"].item()) != "-"
        ),
    )


def _nothing(seed: int) -> Found:
    answer = asked(e.motif(NULL, NOTHING), net.predictor(), seed)
    return of_shapes(answer, {}, lambda *_: False)


def _position(seed: int) -> Found:
    answer = asked(e.position(NULL, INHIBITOR), net.predictor(), seed)
    places = answer.decisions["place"].to_numpy()
    inside = (places >= net.MIDDLE[0]) & (places < net.MIDDLE[1])
    first, last = np.flatnonzero(inside)[[0, -1]]
    spans = {(0, first - 1): 1, (first, last): -1, (last + 1, len(places) - 1): 1}
    planted: dict[Key, int] = {
        ("one", "", "place", float(places[i]), float(places[j])): sign
        for (i, j), sign in spans.items()
    }
    return of_shapes(answer, planted, lambda task, _: task == "one")


def _copies(seed: int) -> Found:
    return _three_add(asked(e.copies(NULL, AP1), net.predictor(), seed))


def _three_add(answer: Answer) -> Found:
    planted: dict[Key, int] = {
        (task, "", "copies", 1.0, 3.0): 1 for task in ("one", "other")
    }
    return of_shapes(answer, planted, lambda _, row: not row["copies"].item() > 3)


def _gaps(made: Experiment, label: str, last: float) -> Case:
    def case(seed: int) -> Found:
        answer = asked(made, net.predictor(), seed)
        planted: dict[Key, int] = {("one", label, "gap", 3.0, last): 1}

        def acts(task: str, row: Any) -> bool:
            here = 3 <= row["gap"].item() <= 8
            return bool(task == "one" and here and row["arrangement"].item() == label)

        one = of_shapes(answer, planted, acts)
        table = answer.findings["shapes"].to_dataframe()
        rule = table[(table["task"] == "one") & (table["group"] == label)]
        far = rule[(rule["sign"] == 1) & (abs(rule["size"] - BONUS) > 0.1)]
        said = {("size of the rule",): 1} if len(far) else {}
        return Found(one.planted, one.said | said, one.text)

    return case


def _letters(seed: int) -> Found:
    """Return letters 1-4 of the inhibitor, 7-11 of AP-1, and TG of both."""
    answer = asked(
        e.motif_mutagenesis(NULL, INHIBITOR[:4] + AP1), net.predictor(), seed
    )
    planted: dict[Key, int] = {
        ("one", "", "letter", 1.0, 4.0): 1,
        ("one", "", "letter", 5.0, 11.0): -1,
        ("other", "", "letter", 5.0, 11.0): -1,
    }
    return of_shapes(
        answer, planted, lambda task, row: task == "one" or row["letter"].item() > 4
    )


def _saturation(seed: int) -> Found:
    """Return AP-1 and an inhibitor at one place of many sequences; of one, what no
    motif explains is an effect as well.
    """
    letters = np.random.default_rng(seed).choice(list("ACGT"), (_MANY, LENGTH))
    spans = {word: (at, at + len(word)) for at, word in ((60, AP1), (75, INHIBITOR))}
    for word, (start, stop) in spans.items():
        letters[:, start:stop] = list(word)
    texts = ["".join(row) for row in letters]
    answer = asked(e.saturation(texts, span=(55, 85)), net.predictor(), seed)
    first, second = (
        ("", "place", float(start), float(stop - 1)) for start, stop in spans.values()
    )
    planted: dict[Key, int] = {
        ("one", *first): -1,
        ("one", *second): 1,
        ("other", *first): -1,
    }

    def acts(task: str, row: Any) -> bool:
        at = np.nansum([row["place"].item(), row["position"].item()])
        here = {word: start <= at < stop for word, (start, stop) in spans.items()}
        return here[AP1] or (task == "one" and here[INHIBITOR])

    return of_shapes(answer, planted, acts)


def _flanks(seed: int) -> Found:
    answer = asked(e.flanks(NULL, AP1), net.beside_core(), seed)
    said = rows_said(answer)
    planted: dict[Key, int] = {}
    for task, row in said:
        alone = row.startswith("flanks alone, ")
        lowers = task == "flanks" and row.removeprefix("flanks alone, ")[3:5] == "CC"
        planted[task, row] = (-1 if lowers else 0) if alone else 1
    return Found(planted, said, str(answer))


def _affinity(seed: int) -> Found:
    answer = asked(e.affinity(NULL, KD), net.by_affinity(), seed)
    said = rows_said(answer)
    planted: dict[Key, int] = dict.fromkeys(said, 1)
    table = answer.findings["shapes"].to_dataframe()
    for x in table.itertuples():
        said[x.task, "slope"] = None if np.isnan(x.sign) else int(x.sign)
    slopes = {"falls": -1, "rises": 1, "flat": 0}
    return Found(
        planted | {(task, "slope"): s for task, s in slopes.items()}, said, str(answer)
    )


def _hairpin(seed: int) -> Found:
    answer = asked(e.hairpin(cg.Uniform(length=41), net.FOLDED), net.folding(), seed)
    rows = (
        "motif in the open",
        "motif in the loop",
        "motif x loop",
        "motif in the stem",
        "motif x stem",
    )
    signs = {
        "fold": (1, 1, 1, 0, -1),
        "alike": (1, 1, 0, 1, 0),
        "less": (-1, -1, 1, -1, 0),
    }
    planted: dict[Key, int] = {
        (task, row): sign
        for task, of in signs.items()
        for row, sign in zip(rows, of, strict=True)
    }
    return Found(planted, rows_said(answer), str(answer))


def _composition(seed: int) -> Found:
    answer = asked(e.composition(NULL, AP1), net.along_gc(), seed)
    signs = {"rises": (1, 0), "falls": (-1, 1), "flat": (0, 0)}
    rows = ("GC 30 to 70 %", f"{AP1}, GC 30 to 70 %")
    planted: dict[Key, int] = {
        (task, row): sign
        for task, of in signs.items()
        for row, sign in zip(rows, of, strict=True)
    }
    return Found(planted, rows_said(answer), str(answer))


def _sites(seed: int) -> list[str]:
    """Return sequences with AP-1, a fifth of them with TEAD after it."""
    rng = np.random.default_rng(1_000 + seed)
    made = []
    for i, text in enumerate(net.backgrounds(_MANY, seed)):
        at = int(rng.integers(20, 150))
        written = [(AP1, at)]
        if i % 5 == 0:
            written.append((TEAD, at + len(AP1) + int(rng.integers(3, 9))))
        made.append(net.with_words(text, *written))
    return made


_LOST, _ALONE = "shuffle", "alone in shuffles"


def _needed(seed: int) -> Found:
    answer = asked(e.necessity(_sites(seed), motif=AP1), net.predictor(), seed)
    return of_units(
        answer,
        {
            ("one", _LOST): (-SITE - BONUS, -SITE),
            ("one", _ALONE): (SITE, SITE),
            ("other", _LOST): (-SITE, -SITE),
            ("other", _ALONE): (SITE, SITE),
        },
    )


def _needed_by_place(seed: int) -> Found:
    rng = np.random.default_rng(1_000 + seed)
    sequences = [
        net.with_words(
            text,
            (
                INHIBITOR,
                int(rng.integers(60, 140)) if i % 2 else int(rng.integers(5, 40)),
            ),
        )
        for i, text in enumerate(net.backgrounds(_MANY, seed))
    ]
    answer = asked(e.necessity(sequences, motif=INHIBITOR), net.predictor(), seed)
    low, high = sorted((net.LESS, net.MORE))
    return of_units(
        answer,
        {
            ("one", _LOST): (-high, -low),
            ("one", _ALONE): (low, high),
            ("other", _LOST): (0.0, 0.0),
            ("other", _ALONE): (0.0, 0.0),
        },
    )


def _tiles(entry: Callable[..., Experiment]) -> Case:
    def case(seed: int) -> Found:
        rng = np.random.default_rng(1_000 + seed)
        sequences = [
            net.with_words(
                text,
                (AP1, int(rng.integers(_TILE[0], _TILE[1] - len(AP1) + 1))),
                (INHIBITOR, int(rng.integers(_OTHER_TILE[0], _OTHER_TILE[1] - 5))),
            )
            for text in net.backgrounds(_MANY, seed)
        ]
        answer = asked(entry(sequences), net.predictor(), seed)
        planted: dict[Key, int] = {}
        spans = {("one", _TILE): 1, ("one", _OTHER_TILE): -1, ("other", _TILE): 1}
        for (task, span), sign in spans.items():
            place = ("tile", *map(float, span))
            planted[task, "alone", *place] = sign
            planted[task, "lost", *place] = -sign

        def acts(task: str, row: Any) -> bool:
            start = row["tile"].item()
            return start == 50 or (start == 100 and task == "one")

        one = of_shapes(answer, planted, acts)
        every = {
            key: sign
            for key, sign in rows_said(
                answer, answer.decisions["contrast"].to_numpy()
            ).items()
            if key not in one.said
            and not acts(key[0], answer.decisions.sel(contrast=key[1]).coords)
        }
        return Found(one.planted | dict.fromkeys(every, 0), one.said | every, one.text)

    return case


def _with_tile(seed: int) -> list[str]:
    rng = np.random.default_rng(1_000 + seed)
    texts = net.backgrounds(_MANY, seed)
    return [net.with_words(x, (AP1, int(rng.integers(19)))) for x in texts]


def _tile_copied(seed: int) -> Found:
    made = e.tiles(_with_tile(seed), tiles=[(0, 25)], at=_COPIES, tss=_END)
    planted: dict[Key, int] = {}
    for task in ("one", "other"):
        planted[task, "+", "distance", 37.5, 172.5] = 1
        planted[task, "", "copies", 1.0, 3.0] = 1

    def acts(_: str, row: Any) -> bool:
        copies, strand = row["copies"].item(), str(row["arrangement"].item())
        return bool(copies <= 3 if copies > 0 else strand != "-")

    return of_shapes(asked(made, net.predictor(), seed), planted, acts)


def _together(seed: int) -> Found:
    sequences = [
        net.with_words(text, (AP1, 30), (TEAD, 90))
        for text in net.backgrounds(_MANY, seed)
    ]
    made = e.tiles(sequences, tiles=[(25, 50), (80, 105), (140, 165)])
    answer = asked(made, net.in_context(), seed)
    said = rows_said(answer)
    planted: dict[Key, int] = dict.fromkeys(said, 0)
    planted["dependent", "25-50 x 80-105"] = 1
    planted["inhibited", "25-50 x 80-105"] = -1
    return Found(planted, said, str(answer))


def _knock_in(motif: str, truth: dict[str, tuple[float, float]]) -> Case:
    def case(seed: int) -> Found:
        rng = np.random.default_rng(1_000 + seed)
        middle = (LENGTH - len(AP1)) // 2
        sequences = [
            net.with_words(text, (TEAD, middle + len(AP1) + int(rng.integers(3, 9))))
            if i % 5 == 0
            else text
            for i, text in enumerate(net.backgrounds(_MANY, seed))
        ]
        answer = asked(e.knock_in(sequences, motif), net.predictor(), seed)
        return of_units(
            answer, {(task, "motif minus placebo"): of for task, of in truth.items()}
        )

    return case


_SCREENED = {"AP-1": AP1, "TEAD": "GGAATG", "ZEB": INHIBITOR}
_READ = Oracle(
    MotifCount(AP1, 0.6),
    MotifCount("GGAATG", 0.4, "both"),
    MotifCount(INHIBITOR, -0.5, "both"),
    EndGC(-0.3, last=60),
    scale="score",
)


def _listed(seed: int, n: int = 60) -> dict[str, str]:
    """Return the motifs that are read, each on a random strand, and n others of 6 to 10
    bases that hold none of them.
    """
    rng = np.random.default_rng(seed)
    made = {
        name: word if rng.random() < 0.5 else reverse_complement_iupac(word)
        for name, word in _SCREENED.items()
    }
    taken = [*_SCREENED.values(), *map(reverse_complement_iupac, _SCREENED.values())]
    while len(made) < n + len(_SCREENED):
        word = "".join(rng.choice(list("ACGT"), rng.integers(6, 11)))
        if not any(one in word for one in taken):
            made[f"other {len(made)}"] = word
    return made


def _screened(experiment: Experiment, seed: int) -> Found:
    """Return what is read: a row acts where its true effect, exact for this network, lies
    two half-widths or more from the middle of the range of random sequences, and does
    nothing inside of it.
    """
    answer = asked(experiment, _READ, seed, keep="moments")
    rows = answer.decisions.isel(task=0)
    rows = rows.sel(contrast=~rows["is_placebo"])
    names = rows["contrast"].to_numpy()
    truth = _READ.true_ace(experiment).isel(task=0).sel(contrast=names).to_numpy()
    low, high = rows["rope_lower"].to_numpy(), rows["rope_upper"].to_numpy()
    off, half = truth - (low + high) / 2, (high - low) / 2
    sign = np.where(abs(off) <= half, 0, np.sign(off)).astype(int)
    known = (sign == 0) | (abs(off) >= 2 * half)
    verdicts = rows["verdict"].to_numpy()
    return Found(
        {(x,): int(s) for x, s, ok in zip(names, sign, known, strict=True) if ok},
        {
            (x,): _SIGNS.get(v)
            for x, v, ok in zip(names, verdicts, known, strict=True)
            if ok
        },
        str(answer),
    )


def _motif_screen(seed: int) -> Found:
    return _screened(e.motif_screen(cg.Uniform(length=60), _listed(seed)), seed)


def _kmer_screen(seed: int) -> Found:
    return _screened(e.kmer_screen(cg.Uniform(length=60)), seed)


def _variants(how: str) -> Case:
    """Return 60 variants: 20 break AP-1, 20 make one, and 20 stand beside."""

    def case(seed: int) -> Found:
        rng = np.random.default_rng(1_000 + seed)
        lines, chromosomes = [], []
        planted: dict[Key, int] = {}
        for i, text in enumerate(net.backgrounds(60, seed, length=201)):
            kind = ("breaks", "makes", "beside")[i % 3]
            name, at = f"{kind} {i}", 97 + int(rng.integers(len(AP1)))
            word = text[97:104] if kind == "beside" else AP1
            other = str(rng.choice([b for b in "ACGT" if b != word[at - 97]]))
            changed = word[: at - 97] + other + word[at - 96 :]
            one, two = (changed, word) if kind == "makes" else (word, changed)
            chromosomes.append(net.with_words(text, (one, 97)))
            lines.append((f"chr{i}", at + 1, name, one[at - 97], two[at - 97]))
            planted["y", name] = {"breaks": -1, "makes": 1, "beside": 0}[kind]
        table = pd.DataFrame(lines, columns=["chrom", "pos", "id", "ref", "alt"])
        nulls: dict[str, dict[str, Any]] = {
            "own": {"length": 101},
            "matched": {
                "length": 101,
                "null": cg.MatchedVariants(of=cg.Uniform(length=101)),
            },
            "contexts": {"null": NULL},
        }
        with tempfile.TemporaryDirectory() as folder:
            fasta = Path(folder, "genome.fa")
            fasta.write_text(
                "".join(f">chr{i}\n{text}\n" for i, text in enumerate(chromosomes))
            )
            made = e.variants(table, fasta, **nulls[how])
        answer = asked(made, net.worth(SITE) if how != "own" else _EXACT, seed)
        found = answer.findings["variants"].isel(task=0)
        verdicts = found["verdict"].to_series().to_dict()
        said: dict[Key, int | None] = {
            ("y", str(name)): _SIGNS.get(v) for name, v in verdicts.items()
        }
        return Found(planted, said, str(answer))

    return case


_EXACT = net.of_letters(
    {"y": lambda x: SITE * net.found(x, AP1).any(1) + 0.1 * net.gc(x)}
)


def _context_swap(seed: int) -> Found:
    rng = np.random.default_rng(1_000 + seed)
    sequences = [
        net.with_words(
            text,
            *([(AP1, 97)] if rng.random() < 0.5 else []),
            *([(TEAD, 40)] if rng.random() < 0.5 else []),
        )
        for text in net.backgrounds(40, seed)
    ]
    found = e.context_swap(sequences, net.swapped(), element=(90, 110), rng=seed)
    truth = {"element": (1, 0, 0), "context": (0, 1, 0), "both": (1 / 3, 1 / 3, 1 / 3)}
    planted: dict[Key, int] = {}
    said: dict[Key, int | None] = {}
    for task, shares in truth.items():
        for source, share in zip(found["source"].to_numpy(), shares, strict=True):
            one = found.sel(task=task, source=source)
            low, high = one["lower"].item(), one["upper"].item()
            planted[task, source] = int(share > 0)
            said[task, source] = 1 if low > 0.02 else 0 if high < 0.05 else None
            planted[task, source, "interval"] = 0
            # noise of .1 is .001 of the variance
            said[task, source, "interval"] = int(
                not low - 0.005 <= share <= high + 0.005
            )
    return Found(planted, said, told(found))


def _null_models(seed: int) -> Found:
    words = [AP1, TEAD, INHIBITOR + "A", NOTHING[:7]]
    kd = {word: 10.0**i for i, word in enumerate(words)}
    found = e.null_models(
        e.affinity(NULL, kd),
        net.by_null(words),
        nulls={
            f"GC {100 * share:g} %": net.backgrounds(_MANY, seed, share=share)
            for share in (0.3, 0.7)
        },
        rng=seed,
    )
    planted: dict[Key, int] = {("same",): 0, ("differs",): 1}
    said: dict[Key, int | None] = {}
    for (task,) in planted:
        one = found.sel(task=task).isel(null=0, null_=1)
        low, high = one["tau_lower"].item(), one["tau_upper"].item()
        said[task,] = 1 if high < 0.8 else 0 if low >= 0.8 else None
    return Found(planted, said, told(found))


def _across(seed: int) -> Found:
    signs = {f"network {i}": (1, -1, 0)[i % 3] for i in range(12)}
    made = e.position(NULL, AP1, at=[20, 96])
    outcomes = {
        name: cg.run(made, net.worth(SITE * sign), rng=seed, progress=False)
        for name, sign in signs.items()
    }
    estimates = e.across_predictors(outcomes, contrast="at 96")
    decisions = cg.decide(estimates, rope=(-0.1, 0.1))
    verdicts = decisions["verdict"].isel(task=0).to_series().to_dict()
    planted: dict[Key, int] = {(name,): sign for name, sign in signs.items()}
    said: dict[Key, int | None] = {
        (str(k),): _SIGNS.get(v) for k, v in verdicts.items()
    }
    share = e.share_of_predictors(estimates, rope=(-0.1, 0.1), rng=seed).isel(task=0)
    for side, of in {"above": 1 / 3, "below": 1 / 3, "either": 2 / 3}.items():
        one = share.sel(side=side)
        planted["share", side] = 0
        apart = not one["lower"].item() - 1e-9 <= of <= one["upper"].item() + 1e-9
        said["share", side] = int(apart)
    return Found(planted, said, told(decisions))


def _moderation(seed: int) -> Found:
    """TEAD follows the place of AP-1 in a third of the sequences at gaps of 3 to 8, in
    another third farther away, where it does nothing.
    """
    rng = np.random.default_rng(1_000 + seed)
    middle = (LENGTH - len(AP1)) // 2
    sequences = []
    for i, text in enumerate(net.backgrounds(_MANY, seed)):
        gap = (int(rng.integers(3, 9)), int(rng.integers(9, 30)), None)[i % 3]
        at = middle + len(AP1) + (gap or 0)
        sequences.append(text if gap is None else net.with_words(text, (TEAD, at)))
    made = e.knock_in(sequences, AP1)
    outcomes = cg.run(made, net.predictor(), rng=seed, progress=False)
    words = {"TEAD": TEAD, "inhibitor": INHIBITOR, "none": NOTHING}
    found = cg.moderation(cg.contrast(outcomes), motifs=words)
    planted: dict[Key, int] = {}
    said: dict[Key, int | None] = {}
    columns = ("name", "strand", "side", "gap_from", "gap_to")
    for task in ("one", "other"):
        for row in found["contrast"].to_numpy().astype(str).tolist():
            one = found.sel(task=task, contrast=row).isel(moderator=0)
            of = tuple(one[name].item() for name in columns)
            planted[task, row] = int(task == "one" and row != "placebo")
            named = one["named"].item()
            right = of == ("TEAD", "same", "downstream", 3, 8)
            key = (task, row) if right or not named else (task, row, *of)
            said[key] = int(named)
    return Found(planted, said, told(found))


_PAIRS = {"AP-1": AP1, "TEAD": TEAD, "none": NOTHING}
_PAIR = f"{AP1}+ then {TEAD}+"
CASES: dict[str, Case] = {
    "motif": _motif,
    "motif, of letters that do nothing": _nothing,
    "position": _position,
    "copies": _copies,
    "motif_mutagenesis": _letters,
    "saturation": _saturation,
    "flanks": _flanks,
    "affinity": _affinity,
    "hairpin": _hairpin,
    "composition": _composition,
    "spacing": _gaps(e.spacing(NULL, AP1, TEAD), _PAIR, 8.0),
    "pair": _gaps(e.pair(NULL, AP1, TEAD), _PAIR, 8.0),
    "pairs": _gaps(e.pairs(NULL, _PAIRS), "AP-1+ then TEAD+", 6.0),
    "necessity, sites": _needed,
    "necessity, sites of two signs": _needed_by_place,
    "necessity, tiles": _tiles(e.necessity),
    "sufficiency": _tiles(e.sufficiency),
    "tiles": _together,
    "tiles, copied": _tile_copied,
    "knock_in": _knock_in(AP1, {"one": (SITE, SITE + BONUS), "other": (SITE, SITE)}),
    "knock_in, of an inhibitor": _knock_in(
        INHIBITOR, {"one": (net.LESS, net.LESS), "other": (0.0, 0.0)}
    ),
    "context_swap": _context_swap,
    "moderation": _moderation,
    "motif_screen": _motif_screen,
    "kmer_screen": _kmer_screen,
    "variants, own contexts": _variants("own"),
    "variants, matched": _variants("matched"),
    "variants, contexts": _variants("contexts"),
    "null_models": _null_models,
    "across_predictors": _across,
}
