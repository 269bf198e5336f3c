"""An audit judged by what the network is known to read."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import causalgia as cg
from causalgia import audit
from causalgia._audit import _audit as stages
from causalgia._audit.explained import variance_explained
from causalgia._audit.tested_motifs import orders_alone, region_alone
from causalgia.design import DinucleotideShuffle
from causalgia.design.null_model import gc_content
from causalgia.effects import contrast
from causalgia.sequences import Motif
from causalgia.sequences.motif_scores import find_instances
from causalgia.tell.audit_answers import gap_in_words
from causalgia.types import Array, Tokens

from .known import Known, Planted, Word, aligned

Results = dict[str, Any]
_UNITS, _PAIR_UNITS = 3_000, 300
_LEAST_SHARE = 0.25
_SITE_GAPS = 5


def judged(known: Known, seed: int, *, minutes: float = 30.0) -> tuple[Results, Any]:
    """Return what an audit of a network got right and wrong, and the audit."""
    start, cpu = time.perf_counter(), time.process_time()
    before = _peak()
    letters = cg.sequences.decode(known.sequences)
    found = audit(
        known.predictor,
        letters,
        motifs=known.motifs,
        minutes=minutes,
        progress=False,
        rng=seed,
    )
    results: Results = {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": round(_peak()),
        "peak_mib_more": round(_peak() - before),
        "lines": len(str(found).splitlines()),
        "n_read": int(found.counts["read"]),
        "n_rules": int(found.rules["holds"].sum()),
        "nothing": not found.motifs["reads"].any() and not found.rules["holds"].any(),
        "share": _shares(found.explained),
    }
    if known.published:
        results |= _factors(known, found)
    elif known.words:
        results |= _of_motifs(known, found) | _of_rules(known, found)
        both = found.settings["strands"] == "both"
        results["strands_right"] = both == known.both_strands
    if known.features is not None:
        results["true_share"] = _true_shares(known)
    return results, found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _shares(table: Any) -> Results:
    """Return the last step's share by task, with its interval, and that of motifs."""
    return {
        str(task): {
            str(row["step"]): [
                round(float(row[x]), 4) for x in ("share", "lower", "upper")
            ]
            for _, row in of.iterrows()
        }
        for task, of in table.groupby("task", sort=False)
    }


def _mean(known: Known, tokens: Tokens) -> Array:
    return known.predictor.predict(tokens).astype(float)


def is_named(one: Any, word: Word) -> bool:
    """Return whether a candidate is a word: aligned with it, or with a site over it in
    nine of ten random sequences in which it stands.
    """
    if aligned(one.motif, word) is not None:
        return True
    wide = len(word.tokens)
    rows = np.random.default_rng(0).integers(0, 4, (50, 40)).astype(np.uint8)
    rows[:, 15 : 15 + wide] = word.tokens
    sites = find_instances(rows, one.motif, threshold=one.threshold, overlapping=True)
    shared = np.minimum(sites.start + sites.width, 15 + wide) - np.maximum(
        sites.start, 15
    )
    return len(set(sites.row[shared >= min(5, wide)].tolist())) >= 45


def _of_motifs(known: Known, found: Any) -> Results:
    """Return which words are due, which were named, and which names are of none."""
    read = found.motifs[found.motifs["reads"].astype(bool)]
    labels = list(dict.fromkeys(read["motif"]))
    of = {
        one.label: {w for w, x in known.words.items() if is_named(one, x)}
        for one in found.candidates
    }
    ways = {label: of[label] for label in labels}
    tried = {w for words in of.values() for w in words}
    over = _over_bound(known)
    due = [w for w, x in over.items() if x >= 2]
    named = {w for words in ways.values() for w in words}
    return {
        "own_effect": {w: round(x, 2) for w, x in over.items()},
        "due": len(due),
        "due_named": len(named & {*due}),
        "missed": [w for w in due if w not in named],
        "missed_candidates": [w for w in due if w not in tried],
        "words": len(known.words),
        "words_named": len(named),
        "named": len(labels),
        "false_names": [x for x in labels if not ways[x]],
        "doubles": sum(
            any(ways[x] & ways[y] for y in labels[:k]) for k, x in enumerate(labels)
        ),
        "labels": labels,
        "not_read": [x.label for x in found.candidates if x.label not in labels],
    }


def _factors(known: Known, found: Any) -> Results:
    """Return which factors of a published network were named, and what else was."""
    read = found.motifs[found.motifs["reads"].astype(bool)]
    labels = list(dict.fromkeys(read["motif"]))
    of = {one.label: one for one in found.candidates}
    names = dict(zip(found.motifs["motif"], found.motifs["name"], strict=True))
    factors = {
        factor: [x for x in labels if is_named(of[x], word)]
        for factor, word in known.words.items()
    }
    held = found.rules[found.rules["holds"].astype(bool)]
    return {
        "n": len(known.sequences),
        "length": int(known.sequences.shape[1]),
        "factors": factors,
        "others": [x for x in labels if not any(x in y for y in factors.values())],
        "labels": labels,
        "names": {x: names[x] for x in labels if names[x]},
        "rules": [
            f"{r['arrangement']}, {gap_in_words(r)}, {r['task']}: {r['interaction']:+.2f}"
            for _, r in held.iterrows()
        ],
        "answer": str(found).splitlines(),
    }


def _over_bound(known: Known) -> dict[str, float]:
    """Return each word's own effect over the bound of its region, the largest over
    tasks.
    """
    null = DinucleotideShuffle(of=cg.sequences.decode(known.sequences))
    rows = null.sample(_UNITS, rng=999)["sequence"].values
    base = _mean(known, rows)
    sd = _mean(known, known.sequences).std(axis=0, ddof=1)
    least = {
        str(t): stages._SD_SHARE * s
        for t, s in zip(known.predictor.tasks, sd, strict=True)
    }
    over = {}
    for name, word in known.words.items():
        at = (rows.shape[1] - len(word.tokens)) // 2 if word.at is None else word.at
        trial = orders_alone(Motif.from_iupac(word.letters), null)
        assert trial is not None
        outcomes = cg.run(trial, known.predictor, rng=998, progress=False)
        region = region_alone(contrast(outcomes), least)
        ends = np.array([region[str(t)] for t in known.predictor.tasks]).T
        best = 0.0
        for letters in (word.tokens, 3 - word.tokens[::-1]):
            with_word = rows.copy()
            with_word[:, at : at + len(letters)] = letters
            effect = (_mean(known, with_word) - base).mean(axis=0)
            best = max(best, float((effect / np.where(effect < 0, *ends)).max()))
        over[name] = best
    return over


def _interaction(
    known: Known, rows: Tokens, first: Any, second: Any, gaps: Any
) -> Array:
    """Return the mean interaction of two words over gaps, (tasks,)."""
    total = np.zeros(len(known.predictor.tasks))
    for gap in gaps:
        wide = len(first) + gap + len(second)
        a = max(0, (rows.shape[1] - wide) // 2)
        b = a + len(first) + gap
        arms = []
        for one, two in ((0, 0), (1, 0), (0, 1), (1, 1)):
            tokens = rows.copy()
            if two:
                tokens[:, b : b + len(second)] = second
            if one:
                tokens[:, a : a + len(first)] = first
            arms.append(_mean(known, tokens).mean(axis=0))
        total += arms[3] - arms[2] - arms[1] + arms[0]
    return total / len(gaps)


def _turned(rule: tuple[str, str, str, int, int]) -> tuple[str, str, str, int, int]:
    first, second, strands, start, stop = rule
    return (second, first, "".join("-+"[x == "-"] for x in strands[::-1]), start, stop)


def _of_rules(known: Known, found: Any) -> Results:
    """Return which planted rules were found, their gaps, and which rules are not so."""
    held = found.rules[found.rules["holds"].astype(bool)]
    null = DinucleotideShuffle(of=cg.sequences.decode(known.sequences))
    rows = null.sample(_PAIR_UNITS, rng=997)["sequence"].values
    tasks = [str(t) for t in known.predictor.tasks]
    sd = _mean(known, known.sequences).std(axis=0, ddof=1)
    truth = [
        float(_true(known, rows, (p.first, p.second, p.strands, p.gap_from, p.gap_to))[tasks.index(p.task)])
        for p in known.rules
    ]  # fmt: skip
    motifs = {one.label: one.motif for one in found.candidates}
    rules, false = [], []
    for _, row in held.iterrows():
        k = tasks.index(str(row["task"]))
        way = _translated(known, motifs, row)
        real = 0.0 if way is None else float(_true(known, rows, way, anywhere=bool(row["anywhere"]))[k])  # fmt: skip
        rules.append((row, way, real))
    largest = max([abs(x) for x in truth] or [abs(x) for *_, x in rules], default=0.0)
    told = []
    for row, way, real in rules:
        k = tasks.index(str(row["task"]))
        least = max(_LEAST_SHARE * largest, stages._SD_SHARE * sd[k] / 2)
        is_false = (
            abs(real) < least or np.sign(real) != np.sign(row["interaction"])
        ) and abs(row["interaction"]) > _LEAST_SHARE * largest
        text = f"{row['arrangement']} {row['gap_from']}-{row['gap_to']} {row['task']}"
        told.append(
            [
                text,
                round(float(row["interaction"]), 3),
                round(real, 3),
                way and list(way),
            ]
        )
        if is_false:
            false.append(text)
    planted = []
    for plan, real in zip(known.rules, truth, strict=True):
        planted.append(_planted_found(known, plan, real, rules))
    return {
        "planted": planted,
        "rules_told": told,
        "false_rules": false,
        "tested_rules": [
            f"{r['arrangement']} {r['gap_from']}-{r['gap_to']} {r['task']} {r['tested']:.2f}"
            for _, r in found.rules[~found.rules["holds"].astype(bool)].iterrows()
        ],
        "left_out": len(found.left_out),
    }


def _true(known: Known, rows: Tokens, way: Any, *, anywhere: bool = False) -> Array:
    first, second, strands, start, stop = way
    letters = [
        known.words[w].tokens if s == "+" else 3 - known.words[w].tokens[::-1]
        for w, s in zip((first, second), strands, strict=True)
    ]
    gaps = np.unique(np.linspace(max(start, 0), max(stop, 0), _SITE_GAPS).astype(int))
    return _interaction(known, rows, *letters, (3, 10, 20, 30) if anywhere else gaps)


def _translated(known: Known, motifs: Mapping[str, Motif], row: Any) -> Any:
    """Return a rule of the audit's motifs as one of the true words; None where a motif is
    none of these.
    """
    ends = []
    for label, strand in zip(
        (row["first"], row["second"]), row["strands"] or "++", strict=True
    ):
        motif = motifs[label]
        ways = [(w, way) for w, x in known.words.items() if (way := aligned(motif, x))]
        if not ways:
            return None
        word, (_, at, minus) = max(ways, key=lambda one: one[1][0])
        wide = len(known.words[word].tokens)
        if strand == "-":  # from the left end of the motif as it is written
            at, minus = len(motif) - at - wide, not minus
        ends.append((word, "-" if minus else "+", at, wide, len(motif)))
    (a, s, at_a, wide_a, of_a), (b, t, at_b, _, _) = ends
    more = of_a - (at_a + wide_a) + at_b
    start, stop = int(row["gap_from"]) + more, int(row["gap_to"]) + more
    return (a, b, s + t, start, stop)


def _planted_found(known: Known, plan: Planted, real: float, rules: Any) -> Results:
    """Return whether a planted rule was named, and whether with its gaps within 1 bp."""
    wanted = (plan.first, plan.second, plan.strands, plan.gap_from, plan.gap_to)
    named = exact = False
    gaps = None
    for row, way, _ in rules:
        if way is None or row["task"] != plan.task or row["anywhere"]:
            continue
        ways = [way, _turned(way)] if known.both_strands else [way]
        for one in ways:
            if one[:3] != wanted[:3]:
                continue
            if one[3] > plan.gap_to or one[4] < plan.gap_from:
                continue
            named, gaps = True, [one[3], one[4]]
            exact |= abs(one[3] - plan.gap_from) <= 1 and abs(one[4] - plan.gap_to) <= 1
    return {
        "rule": " ".join(map(str, wanted)),
        "size": round(real, 3),
        "named": named,
        "gaps_right": exact,
        "gaps": gaps,
    }


def _true_shares(known: Known) -> Results:
    """Return the share that the true words, composition and rules explain of the same
    reserved sequences, on which the audit measures its own.
    """
    assert known.features is not None
    letters = cg.sequences.decode(known.sequences)
    distinct = stages._distinct(stages.as_sequences(letters))
    parts = stages._Parts.of(distinct)
    both = (
        np.concatenate([parts.proposing.tokens, parts.testing.tokens]),
        parts.reserved.tokens,
    )
    features: dict[str, list[Array]] = {}
    for tokens in both:
        own = known.features(tokens)
        cpg = ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).mean(axis=1)
        gc = gc_content(tokens)
        composition = np.column_stack([gc, gc**2, cpg])
        for step, columns in (
            ("motifs", own["motifs"]),
            ("composition", composition),
            ("rules", own["rules"]),
        ):
            features.setdefault(step, []).append(columns)
    table = variance_explained(
        _mean(known, both[0]),
        _mean(known, both[1]),
        {step: (one, two) for step, (one, two) in features.items()},
        [str(t) for t in known.predictor.tasks],
        np.arange(len(both[1])),
    )
    return _shares(table)
