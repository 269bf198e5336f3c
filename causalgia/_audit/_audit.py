"""`audit`: what a network learned, and how much of it that is."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia import experiments
from causalgia._audit.candidates import (
    MOST,
    Candidate,
    candidates,
    reads_both_strands,
)
from causalgia._audit.explained import variance_explained
from causalgia._audit.rules import (
    Rule,
    made_at_junction,
    moderators_of,
    occurrences,
    rules_of,
    sites_of,
    trial_of,
)
from causalgia._audit.tested_motifs import (
    LOST,
    OF_LOST,
    alone_in,
    alone_rows,
    judged,
    lost_rows,
    necessity_of,
    random_words,
    region_of,
    regions,
)
from causalgia._check import check
from causalgia._run import run
from causalgia.attribution import attribute, match, propose
from causalgia.attribution.stored_patterns import Keep, make_anew, stored_in
from causalgia.choices import DIRECTIONS
from causalgia.design import Design, DinucleotideShuffle, Embed, Genomic, Untreated
from causalgia.design.null_model import gc_content
from causalgia.effects import contrast
from causalgia.errors import CausalgiaWarning, SequenceError, StoreError, quoted
from causalgia.experiments._pair import ORIENTATIONS
from causalgia.multiplicity.adjusted_p import hierarchical_p, stepwise
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.refutation import refute
from causalgia.ropes import Ends
from causalgia.sequences import Motif
from causalgia.sequences.fasta import (
    Sequences,
    Source,
    as_shuffled,
    sequence_fingerprints,
)
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.streams import RNG, derive, root_key
from causalgia.tell.audit_answers import audit_answer
from causalgia.trial.archive import place_of
from causalgia.trial.stages import Stages
from causalgia.types import Array, Client, Tokens

LEAST_SEQUENCES = 80
_LEAST_MAPPED, _LEAST_PARENTS = 20, 4
_DRAWS, _ALONE_UNITS, _PAIR_UNITS, _RULE_UNITS, _SCREEN_UNITS = 3, 200, 100, 200, 100
_LEVEL, _SD_SHARE = 0.05, 0.2
_LEADERS, _PAIRS, _RULES = 4, 8, 6
_ARMS_OF_MOTIF, _ARMS_OF_PAIR, _SITES_A_MOTIF = 60, 420, 5 * _DRAWS * 100
"""Arms of a trial of one motif and of a pair, and predictions of the sites of a motif,
about: for the budget alone.
"""
_OF_AUDIT = "audit_"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an audit spends: how many sequences are mapped, and how many candidates and
    pairs are tested, at most.
    """

    n_mapped: int
    n_candidates: int
    n_pairs: int


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What a network learned: the answer of `causalgia.audit`.

    Attributes
    ----------
    explained
        A row a task and step ("motifs", "composition", "rules"): ``share`` of the variance
        of predictions on the reserved sequences that the steps so far explain, with
        ``lower, upper``.
    motifs
        A row a candidate and task: ``n_sites`` in the testing sequences, ``lost``, the mean
        effect of overwriting a site beyond that of a placebo span; ``alone``, that of the
        motif in the middle of shuffles, on its better ``strand``, and ``other_strand``;
        ``place_from, place_to``, where it acts; each with interval and verdict; ``reads``,
        whether lost or alone holds at a false discovery rate of .05; and on the reserved
        sequences ``confirmed_lost`` with its ``confirmed_q``.
    rules
        A row a pair in an arrangement, run of gaps and task: ``interaction`` with its
        interval on shuffles of the reserved sequences, ``q`` of the tree of hypotheses,
        ``holds``, and how many checks of `causalgia.refute` ``pass, warn, fail``.
    sites
        Sites in the testing sequences, with what each loses.
    candidates
        The motifs that maps proposed, before any test.
    counts
        Sequences given, distinct, proposing, testing, reserved; motifs proposed and read.
    plan, left_out
        What was spent, and what was not tested for it.
    """

    explained: pd.DataFrame
    motifs: pd.DataFrame
    rules: pd.DataFrame
    sites: pd.DataFrame
    candidates: Sequence[Candidate]
    counts: Mapping[str, int]
    plan: Plan
    left_out: tuple[str, ...] = field(default=())

    @property
    def question(self) -> str:
        """The question that `causalgia.audit` answers."""
        return "What did this network learn?"

    def __str__(self) -> str:
        return audit_answer(self)

    def __repr__(self) -> str:
        read = self.motifs.loc[self.motifs["reads"], "motif"].nunique()
        return (
            f"<Audit: {read} of {len(self.candidates)} motifs read, "
            f"{int(self.rules['holds'].sum())} rules>"
        )


@dataclass(frozen=True)
class _Parts:
    """The sequences of an audit: those that propose, those that test, those reserved."""

    proposing: Sequences
    testing: Sequences
    reserved: Sequences

    @classmethod
    def of(cls, given: Sequences) -> _Parts:
        """Split sequences 50 : 25 : 25; those of one parent stay together."""
        whole = DinucleotideShuffle(of=given)
        n = len(set(whole.parent_names))
        if n < LEAST_SEQUENCES:
            raise SequenceError(
                f"{len(given):,} different sequences of {n:,} parents: an audit splits "
                f"{LEAST_SEQUENCES} or more in three parts"
            )
        half, other = whole.split(0.5)
        testing, reserved = other.split(0.5)
        return cls(*(_parents(part) for part in (half, testing, reserved)))


def _parents(null: Any) -> Sequences:
    found: Sequences = null.parents_given
    return found


@usual_errors
def audit(
    predictor: Predictor,
    sequences: Source,
    *,
    motifs: MotifList | None = None,
    minutes: float = 30.0,
    store: str | PathLike[str] | None = None,
    client: Client | None = None,
    progress: bool = True,
    rng: RNG,
) -> Audit:
    """Return what a network learned: the motifs that it reads, the rules between them, and
    how much of its predictions these explain.

    The sequences are split. Maps of one half propose motifs; a quarter tests what it loses
    without each and what each does alone in shuffles, and every arrangement of pairs; the
    last quarter confirms, and measures the share of the variance of predictions that the
    list explains.

    Parameters
    ----------
    predictor
        The network.
    sequences
        Sequences of one length to which it responds, 80 or more.
    motifs
        Known motifs, as in `causalgia.experiments.motif_screen`: those that act are
        candidates as well, and candidates are named by them.
    minutes
        Time for predictions, about. It decides once how many sequences are mapped and how
        many candidates and pairs are tested; with `store` this plan is kept.
    store
        Folder in which each stage is kept; the same call goes on from there.
    client
        A `distributed.Client`, on whose workers trials run.
    progress
        Whether a line for each stage is printed to stderr.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    Audit
        Printed, the answer.

    Raises
    ------
    SequenceError
        If the sequences have fewer than 80 parents, or `minutes` do not suffice for 20
        maps.
    PredictorError
        If it is no predictor.
    StoreError
        If `store` holds an audit with other settings, which are named.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925. Zhou, Huang & Li (2026),
    arXiv:2606.07607. Meinshausen (2008), doi:10.1093/biomet/asn007: trees of hypotheses.

    Examples
    --------
    >>> import causalgia as cg
    >>> rows = cg.Uniform(length=60).sample(160, rng=1)["sequence"].values
    >>> drawn = cg.sequences.decode(rows)
    >>> peaks = [x[:9] + "TGCATG" + x[15:35] + "AGAATG" + x[41:] for x in drawn[:120]]
    >>> found = cg.audit(
    ...     cg.zoo.oracle("additive"), peaks + drawn[120:], progress=False, rng=0
    ... )
    >>> found.motifs.loc[found.motifs["reads"], "motif"].tolist()
    ['TGCATG', 'AGAATG']
    """
    check_predictor(predictor, "audit(predictor, sequences)")
    key = root_key(rng)
    given = as_shuffled(sequences, keep_n=False)
    _, first = np.unique(sequence_fingerprints(given.tokens), return_index=True)
    rows = np.sort(first)
    distinct = Sequences(given.tokens[rows], tuple(str(given.names[k]) for k in rows))
    known = None if motifs is None else named_motifs(motifs)
    parts = _Parts.of(distinct)
    settings: dict[str, str | int] = {
        "predictor": predictor.fingerprint,
        "sequences": given.digest,
        "rng": str(key),
        "motifs": ", ".join(known or ()),
    }
    folder = None if store is None else place_of(store)
    work = _Work(
        predictor.with_incremental_edits(given.length),
        parts,
        key,
        client,
        make_anew if folder is None else _keeping(folder, settings),
        Stages(7, show=progress),
    )
    with warnings.catch_warnings():  # the notes of each trial stand with its results
        warnings.simplefilter("ignore", CausalgiaWarning)
        return work.audit(minutes, known, given, distinct)


@dataclass
class _Work:
    """The stages of one audit."""

    predictor: Predictor
    parts: _Parts
    key: int
    client: Client | None
    keep: Keep
    stages: Stages

    def audit(
        self,
        minutes: float,
        known: Mapping[str, Motif] | None,
        given: Sequences,
        distinct: Sequences,
    ) -> Audit:
        """Return the answer of all stages."""
        plan = self.plan(minutes)
        found = self.candidates(plan, known)
        least = self.least_effects(distinct.tokens)
        by_width = self.regions(found, least)
        table, effects, sites, why = self.test(found, by_width)
        read = [
            x.label
            for x in found
            if table.loc[table["motif"] == x.label, "reads"].any()
        ]
        rules, left_out = self.pairs(found, read, effects, least, plan)
        confirmed = self.confirm(found, table, rules, by_width, least)
        holds = confirmed[1]["holds"].to_numpy(bool)
        kept = [rule for rule, one in zip(rules, holds, strict=True) if one]
        explained = self.explain(found, read, kept)
        counts = {
            "given": len(given),
            "distinct": len(distinct),
            "proposing": len(self.parts.proposing),
            "testing": len(self.parts.testing),
            "reserved": len(self.parts.reserved),
            "proposed": len(found),
            "read": len(read),
        }
        return Audit(
            explained,
            _named(
                table.merge(confirmed[0], on=["motif", "task"], how="left"),
                found,
                known,
            ),
            confirmed[1],
            sites,
            found,
            counts,
            plan,
            (*left_out, *why),
        )

    @property
    def tasks(self) -> list[str]:
        return [str(task) for task in self.predictor.tasks]

    def answers(self, tokens: Tokens) -> Array:
        """Return predictions, (n, tasks), the mean over members."""
        found = self.predictor.predict(tokens).astype(np.float64)
        mean: Array = found.reshape(len(tokens), len(self.tasks), -1).mean(axis=2)
        return mean

    def run(self, name: str, design: Design) -> xr.Dataset:
        """Return the outcomes of a trial, or those that were kept."""

        def outcomes() -> xr.Dataset:
            return run(
                design,
                self.predictor,
                rng=derive(self.key, name),
                client=self.client,
                progress=False,
            )

        return self.keep(name.replace(" ", "_").replace(",", ""), outcomes)

    def plan(self, minutes: float) -> Plan:
        """Return what `minutes` suffice for, as it was when the audit began."""

        def made() -> xr.Dataset:
            proposing = self.parts.proposing
            design = Design(
                null=Genomic(of=proposing),
                arms={"untreated": Untreated(), "A": Embed("A", at=0)},
                n_units=min(len(proposing), 256),
            )
            pace = check(design, self.predictor).throughput
            total = 60 * minutes * (pace or 0.0)
            a_map = 2 * (3 * proposing.length + 1)
            n_mapped = min(len(proposing), int(total / 2 / a_map))
            if n_mapped < _LEAST_MAPPED:
                needed = 2 * _LEAST_MAPPED * a_map * minutes / max(total, 1.0)
                raise SequenceError(
                    f"minutes={minutes:g} suffice for {n_mapped:,} maps of "
                    f"{proposing.length:,} bp, and an audit takes {_LEAST_MAPPED} or "
                    f"more: minutes={needed:.2g}"
                )
            a_motif = _ARMS_OF_MOTIF * _ALONE_UNITS + _SITES_A_MOTIF
            plan = {
                "n_mapped": n_mapped,
                "n_candidates": max(1, min(MOST, int(total / 4 / a_motif))),
                "n_pairs": min(_PAIRS, int(total / 4 / (_ARMS_OF_PAIR * _PAIR_UNITS))),
            }
            return xr.Dataset(plan)

        kept = self.keep("plan", made)
        return Plan(**{str(name): int(kept[name]) for name in kept.data_vars})

    def candidates(
        self, plan: Plan, known: Mapping[str, Motif] | None
    ) -> list[Candidate]:
        """Return the motifs to be tested."""
        proposing = self.parts.proposing
        mapped = Sequences(
            proposing.tokens[: plan.n_mapped], proposing.names[: plan.n_mapped]
        )
        with self.stages.stage(f"maps of {len(mapped):,} sequences"):
            maps = self.keep(
                "maps", lambda: attribute(mapped, self.predictor, progress=False)
            )
            proposed = self.keep(
                "proposals",
                lambda: propose(
                    maps, predictor=self.predictor, rng=derive(self.key, "propose")
                ),
            )
        both_strands = reads_both_strands(
            proposed, mapped.tokens, self.answers, rng=derive(self.key, "strands")
        )
        self.both_strands = both_strands
        named = list[Motif]()
        if known is not None:
            with self.stages.stage(f"screen of {len(known):,} known motifs"):
                screen = experiments.motif_screen(
                    known, DinucleotideShuffle(of=proposing), n_units=_SCREEN_UNITS
                )
                answer = screen.analyze(self.run("screen", screen))
                motifs = answer.findings["motifs"]
                act = np.isin(motifs["verdict"].to_numpy(), DIRECTIONS)
                names = motifs["motif"].to_numpy()[
                    act.reshape(len(act), -1).any(axis=1)
                ]
                named = [known[str(name)] for name in names]
        return candidates(
            proposed,
            maps,
            both_strands=both_strands,
            named=named,
            most=plan.n_candidates,
        )

    def least_effects(self, tokens: Tokens) -> dict[str, float]:
        """Return, by task, the effect that is too small to matter whatever random
        sequences do: a fifth of the standard deviation of predictions.
        """
        sd = self.answers(tokens).std(axis=0, ddof=1)
        return {
            task: _SD_SHARE * one if one > 0 else 1.0
            for task, one in zip(self.tasks, sd.tolist(), strict=True)
        }

    def regions(
        self, found: Sequence[Candidate], least: Mapping[str, float]
    ) -> dict[int, dict[str, Ends]]:
        """Return the region of practical equivalence by width and task."""
        by_least = {1: {task: (-one, one) for task, one in least.items()}}
        if not found:
            return by_least
        with self.stages.stage("random sequences"):
            shuffles = DinucleotideShuffle(of=self.parts.testing)
            design, widths = random_words(shuffles, [one.motif for one in found])
            return regions(contrast(self.run("random", design)), widths, least)

    def test(
        self, found: Sequence[Candidate], by_width: Mapping[int, dict[str, Ends]]
    ) -> tuple[pd.DataFrame, dict[str, xr.Dataset], pd.DataFrame, list[str]]:
        """Return what each candidate does in the testing sequences: a table, the effects
        of its sites, the sites, and which could not be tested there.
        """
        rows, effects, sites, why = list[pd.DataFrame](), {}, list[pd.DataFrame](), []
        shuffles = DinucleotideShuffle(of=self.parts.testing)
        with self.stages.stage(f"{len(found)} candidates, lost and alone"):
            for one in found:
                own = region_of(len(one.motif), by_width)
                lost = self.lost(one, self.parts.testing, "testing")
                trial = experiments.motif(
                    shuffles, one.motif, n_units=_ALONE_UNITS, rope=own
                )
                name = f"alone {one.label}"
                answer = trial.analyze(
                    self.run(name, trial), rng=derive(self.key, name, "analysis")
                )
                table = alone_rows(answer).assign(motif=one.label)
                if lost is None:
                    why.append(f"{one.label} in sequences, too few of which have it")
                    table = table.reindex(columns=[*table.columns, *OF_LOST])
                else:
                    effects[one.label], own_sites = lost
                    sites.append(own_sites)
                    table = table.merge(
                        lost_rows(lost[0], own, len(own_sites)), on="task", how="left"
                    )
                rows.append(table)
        if not rows:
            names = ["motif", "task", *OF_LOST, "reads", "lost_q", "alone_q", "alone"]
            return pd.DataFrame(columns=names), {}, pd.DataFrame(), why
        return _read(pd.concat(rows, ignore_index=True)), effects, _joined(sites), why

    def lost(
        self, one: Candidate, of: Sequences, part: str
    ) -> tuple[xr.Dataset, pd.DataFrame] | None:
        """Return the individual effects of overwriting the sites of a candidate, and the
        sites with their mean effects; None where too few sequences have one.
        """
        trial = necessity_of(one, Genomic(of=of), n_draws=_DRAWS)
        if trial is None:
            return None
        name = f"lost {one.label} {part}"
        outcomes = self.run(name, trial)
        answer = trial.analyze(outcomes, rng=derive(self.key, name, "analysis"))
        effects = contrast(outcomes).sel(contrast=[LOST])
        table = answer.findings["instances"]
        each = table["effect"].sel(contrast=LOST)
        each = each.mean("model") if "model" in each.dims else each
        sites = pd.DataFrame(
            {
                "sequence": table["sequence"].to_numpy(),
                "start": table["start"].to_numpy(),
                "stop": table["start"].to_numpy() + len(one.motif),
                "motif": one.label,
                "strand": table["strand"].to_numpy(),
            }
        ).join(
            pd.DataFrame(
                each.transpose("instance", "task").to_numpy(),
                columns=[f"lost, {task}" for task in self.tasks],
            )
        )
        if not self.both_strands:
            mine = (sites["strand"] == "+").to_numpy()
            sites = sites[mine].reset_index(drop=True)
            effects = effects.isel(unit=np.repeat(mine, _DRAWS))
        if sites["sequence"].nunique() < _LEAST_PARENTS:
            return None
        return effects, sites

    def pairs(
        self,
        found: Sequence[Candidate],
        read: Sequence[str],
        effects: Mapping[str, xr.Dataset],
        least: Mapping[str, float],
        plan: Plan,
    ) -> tuple[list[Rule], list[str]]:
        """Return the rules that trials of pairs show, and the pairs that were left out:
        first those that moderation names, then those of the largest motifs.
        """
        by_label = {one.label: one for one in found}
        motifs = {label: one.motif for label, one in by_label.items()}
        asked: dict[tuple[str, str], float] = {}
        for label, of in effects.items():
            rng = derive(self.key, "halves", label)
            for other, share in moderators_of(of, motifs, rng=rng):
                pair = (min(label, other), max(label, other))
                asked[pair] = max(share, asked.get(pair, 0.0))
        asked = dict(sorted(asked.items(), key=lambda one: -one[1]))
        leaders = list(read)[:_LEADERS]
        for k, a in enumerate(leaders):
            for b in leaders[k:]:
                asked.setdefault((min(a, b), max(a, b)), 0.0)
        tested, left = list(asked)[: plan.n_pairs], list(asked)[plan.n_pairs :]
        region = {task: (-one, one) for task, one in least.items()}
        rules = list[Rule]()
        with self.stages.stage(f"{len(tested)} pairs, every gap, order and strand"):
            for a, b in tested:
                trial = experiments.pair(
                    DinucleotideShuffle(of=self.parts.testing),
                    motifs[a],
                    motifs[b],
                    orientations=ORIENTATIONS if self.both_strands else ["++"],
                    n_units=_PAIR_UNITS,
                    rope=region,
                )
                name = f"pair {a} {b}"
                answer = trial.analyze(
                    self.run(name, trial), rng=derive(self.key, name, "analysis")
                )
                rules += [
                    rule
                    for rule in rules_of(answer, (a, b), both_strands=self.both_strands)
                    if not made_at_junction(rule, by_label)
                ]
        rules.sort(key=lambda rule: -abs(rule.size) / least[rule.task])
        n_before, rank = Counter[tuple[str, str]](), list[tuple[int, bool]]()
        for rule in rules:
            pair = (min(rule.first, rule.second), max(rule.first, rule.second))
            rank.append((n_before[pair], rule.first == rule.second))
            n_before[pair] += 1
        # the largest of each pair first, and of two copies of one motif last
        order = sorted(range(len(rules)), key=rank.__getitem__)
        rules = [rules[k] for k in order]
        return rules[:_RULES], [f"the pair {a} and {b}" for a, b in left]

    def confirm(
        self,
        found: Sequence[Candidate],
        table: pd.DataFrame,
        rules: Sequence[Rule],
        by_width: Mapping[int, dict[str, Ends]],
        least: Mapping[str, float],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return motifs and rules on the reserved sequences, with p of their tree."""
        motifs = {one.label: one.motif for one in found}
        read = [x for x in found if table.loc[table["motif"] == x.label, "reads"].any()]
        region = {task: (-one, one) for task, one in least.items()}
        lost_again, p_of = list[pd.DataFrame](), dict[str, float]()
        of_rules = list[dict[str, Any]]()
        shuffles = DinucleotideShuffle(of=self.parts.reserved)
        with self.stages.stage("the same on the reserved sequences"):
            for one in read:
                own = region_of(len(one.motif), by_width)
                alone = self.run(
                    f"alone {one.label} reserved",
                    alone_in(one, shuffles, n_units=_ALONE_UNITS),
                )
                p = _p_of(judged(contrast(alone), own))
                lost = self.lost(one, self.parts.reserved, "reserved")
                if lost is not None:
                    rows = lost_rows(lost[0], own, len(lost[1])).assign(motif=one.label)
                    lost_again.append(rows)
                    p += _p_of(judged(lost[0], own))
                p_of[one.label] = min(1.0, len(p) * min(p))
            for rule in rules:
                trial, mean = trial_of(rule, motifs, shuffles, n_units=_RULE_UNITS)
                outcomes = self.run(f"rule {rule.label}", trial)
                decided = judged(contrast(outcomes, contrasts=mean), region)
                row = decided.isel(contrast=0).sel(task=rule.task)
                of_rules.append(
                    {
                        "first": rule.first,
                        "second": rule.second,
                        "arrangement": rule.arrangement,
                        "gap_from": rule.gap_from,
                        "gap_to": rule.gap_to,
                        "n_gaps": rule.n_gaps,
                        "anywhere": rule.anywhere,
                        "task": rule.task,
                        "tested": rule.size,
                        "interaction": float(row["ace"]),
                        "lower": float(row["lower"]),
                        "upper": float(row["upper"]),
                        "p": _p_of(row)[0],
                        **self.doubt(outcomes, mean, rule.label),
                    }
                )
        again = _joined(lost_again)
        q_motif, q_rule = _tree(p_of, of_rules)
        if len(again):
            again = again[["motif", "task", "lost"]].rename(
                columns={"lost": "confirmed_lost"}
            )
            again["confirmed_q"] = again["motif"].map(q_motif)
        else:
            again = pd.DataFrame(
                columns=["motif", "task", "confirmed_lost", "confirmed_q"]
            )
        confirmed = pd.DataFrame(of_rules, columns=list(_OF_RULES))
        confirmed["q"] = q_rule
        same_sign = np.sign(confirmed["tested"]) == np.sign(confirmed["interaction"])
        confirmed["holds"] = (confirmed["q"] <= _LEVEL) & same_sign
        return again, confirmed

    def doubt(
        self,
        outcomes: xr.Dataset,
        contrasts: Mapping[str, Mapping[str, float]],
        name: str,
    ) -> dict[str, Any]:
        """Return how many checks of a rule pass, warn and fail, and which do."""
        found = refute(
            outcomes,
            self.predictor,
            rng=derive(self.key, "refute", name),
            contrasts=contrasts,
        )
        status = found["status"].to_numpy().astype(str)
        names = found["check"].to_numpy().astype(str)
        return {
            **{word: int((status == word).sum()) for word in ("pass", "warn", "fail")},
            "doubts": ", ".join(
                f"{check} ({word})"
                for check, word in zip(names.tolist(), status.tolist(), strict=True)
                if word in ("warn", "fail")
            ),
        }

    def explain(
        self, found: Sequence[Candidate], read: Sequence[str], rules: Sequence[Rule]
    ) -> pd.DataFrame:
        """Return the share of the variance of predictions on the reserved sequences that
        motifs, composition and rules explain.
        """
        fitted = np.concatenate(
            [self.parts.proposing.tokens, self.parts.testing.tokens]
        )
        both = (fitted, self.parts.reserved.tokens)
        used = [
            one
            for one in found
            if one.label in read
            or any(one.label in (rule.first, rule.second) for rule in rules)
        ]
        features: dict[str, list[Array]] = {}
        for tokens in both:
            sites = {
                one.label: sites_of(one, tokens, both_strands=self.both_strands)
                for one in used
            }
            cpg = ((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).mean(axis=1)
            gc = gc_content(tokens)
            none = np.zeros((len(tokens), 0))
            for step, columns in (
                ("motifs", [none, *(one.counts() for one in sites.values())]),
                ("composition", [gc, gc**2, cpg]),
                ("rules", [occurrences(rules, sites, len(tokens))]),
            ):
                features.setdefault(step, []).append(np.column_stack(columns))
        with self.stages.stage("the share of the predictions that this explains"):
            y = [self.answers(tokens) for tokens in both]
        parents = pd.factorize(np.array(self.parts.reserved.parents).astype(str))[0]
        return variance_explained(
            y[0],
            y[1],
            {step: (one, other) for step, (one, other) in features.items()},
            self.tasks,
            parents,
        )


_OF_RULES = (
    *("first", "second", "arrangement", "gap_from", "gap_to", "n_gaps", "anywhere"),
    *("task", "tested", "interaction", "lower", "upper", "p"),
    *("pass", "warn", "fail", "doubts"),
)


def _read(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with q-values over its rows, and whether each is read."""
    p = table[["lost_p", "alone_p"]].to_numpy(float)
    q = stepwise(p.ravel(), "bh").reshape(p.shape)
    directed = table[["lost_verdict", "alone_verdict"]].isin(DIRECTIONS).to_numpy()
    reads = np.asarray((directed & (q <= _LEVEL)).any(axis=1))
    return table.assign(lost_q=q[:, 0], alone_q=q[:, 1], reads=reads)


def _p_of(decided: xr.Dataset) -> list[float]:
    """Return p of each direction, 1 where there is none."""
    directed = np.isin(decided["verdict"].to_numpy(), DIRECTIONS)
    p = np.where(directed, decided["p_verdict"].to_numpy(), 1.0)
    values: list[float] = p.ravel().tolist()
    return values


def _tree(
    p_of: Mapping[str, float], rules: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float], list[float]]:
    """Return adjusted p of motifs and of rules, which stand below one of their motifs: the
    one with the smaller p; rules of none stand alone.
    """
    labels = list(p_of)
    above = []
    for rule in rules:
        own = [x for x in (rule["first"], rule["second"]) if x in p_of]
        above.append(labels.index(min(own, key=p_of.__getitem__)) if own else -1)
    n_below = [1 + above.count(k) for k in range(len(labels))]
    if not labels and not rules:
        return {}, []
    q = hierarchical_p(
        [*p_of.values(), *(rule["p"] for rule in rules)],
        np.array([*([-1] * len(labels)), *above]),
        [*n_below, *([1] * len(rules))],
    )
    return dict(zip(labels, q[: len(labels)].tolist(), strict=True)), q[
        len(labels) :
    ].tolist()


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _named(
    table: pd.DataFrame, found: Sequence[Candidate], known: Mapping[str, Motif] | None
) -> pd.DataFrame:
    """Return the table with the name of each motif, empty where none is near."""
    names = {one.label: "" for one in found}
    if known is not None and found:
        matched = match({one.label: one.motif for one in found}, known)
        names |= dict(zip(names, matched["label"].to_numpy().tolist(), strict=True))
    table.insert(0, "name", table["motif"].map(names))
    return table


def _keeping(folder: Path, settings: Mapping[str, str | int]) -> Keep:
    """Return the function that keeps Datasets of these settings in a folder, and refuses
    those of others.
    """

    def check_same(held: xr.Dataset) -> None:
        for name, value in settings.items():
            was = held.attrs.get(_OF_AUDIT + name, "not kept")
            if was != value:
                raise StoreError(
                    f"{folder}: holds another audit: {name} was {quoted(was)} and is "
                    f"{quoted(value)}"
                )

    marked = {f"{_OF_AUDIT}{name}": value for name, value in settings.items()}
    return stored_in(folder, marked, check_same)
