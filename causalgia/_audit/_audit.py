"""`audit`: what a network learned, and how much of it that is."""

from __future__ import annotations

import hashlib
import platform
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import ceil
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload
from urllib.parse import quote

import numpy as np
import pandas as pd
import xarray as xr

import causalgia
from causalgia import experiments
from causalgia._audit._account import Named, account_table, n_predictions
from causalgia._audit.along import (
    features_along,
    rows_along,
    table_along,
    trial_along,
)
from causalgia._audit.candidates import (
    MOST,
    Candidate,
    candidates,
    contributions_of,
    reads_both_strands,
)
from causalgia._audit.compared import Comparison, check_comparable, compare
from causalgia._audit.composition import (
    GC,
    composition_features,
    composition_table,
    contrasts_of,
    features_in,
    technical_words,
)
from causalgia._audit.explained import match_features, variance_explained, varying
from causalgia._audit.named import (
    MOST_IN_ACCOUNT,
    SAID,
    others_carry,
    tasks_not_carried,
)
from causalgia._audit.network import (
    THROUGHPUT,
    checked,
    mean_answers,
    null_rows,
    read_rows,
)
from causalgia._audit.rules import (
    OF_RULE,
    Rule,
    Sites,
    confirmed_runs,
    moderators_of,
    occurrences,
    rules_of,
    settings_of,
    sites_of,
    trial_of,
)
from causalgia._audit.tested_motifs import (
    LOST,
    OF_LOST,
    ORDER_UNITS,
    alone_in,
    alone_rows,
    judged,
    lost_rows,
    necessity_of,
    on_strands,
    orders_alone,
    random_words,
    region_alone,
    region_of,
    regions,
    strand_of_sites,
)
from causalgia._check import check
from causalgia._run import run
from causalgia.attribution import attribute, match, propose
from causalgia.attribution.stored_patterns import Keep, make_anew, stored_in
from causalgia.checks import is_real
from causalgia.choices import DIRECTIONS
from causalgia.design import (
    Arm,
    Design,
    DinucleotideShuffle,
    Embed,
    Genomic,
    Untreated,
)
from causalgia.design.placebo_contrasts import N_ORDERS
from causalgia.effects import contrast
from causalgia.errors import (
    CausalgiaWarning,
    DesignError,
    SequenceError,
    StoreError,
    quoted,
)
from causalgia.experiments import Experiment
from causalgia.experiments._composition import GC as GC_LEVELS
from causalgia.experiments._pair import ORIENTATIONS
from causalgia.experiments._position import PLACES
from causalgia.multiplicity.adjusted_p import hierarchical_p, stepwise
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict._torch_network import torch_network
from causalgia.predict.predictor import check_predictor
from causalgia.refutation import refute
from causalgia.ropes import Ends
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.fasta import (
    Sequences,
    Source,
    as_sequences,
    sequence_fingerprints,
)
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.streams import RNG, Seed, derive, root_key
from causalgia.tell.audit_answers import audit_answer
from causalgia.trial.archive import place_of
from causalgia.trial.stages import Stages
from causalgia.types import Array, Client, Codes, Tokens

LEAST_SEQUENCES, LEAST_LENGTH = 80, 20
_LEAST_MAPPED, _ENOUGH_MAPPED, _MOST_MAPPED, _LEAST_PARENTS = 20, 200, 1_000, 4
_DRAWS, _ALONE_UNITS, _PAIR_UNITS, _RULE_UNITS, _SCREEN_UNITS = 3, 200, 100, 200, 100
_COMPOSITION_UNITS = 100
_LEVEL, _SD_SHARE = 0.05, 0.2
_LEADERS, _PAIRS, _RULES = 4, 8, 6
_OF_SITES = 5 * _DRAWS * 100
_LEAST_PATTERNS, _PATTERNS, _A_PATTERN = 6, 100, 2_500
_A_MOTIF = (60 + 2) * _ALONE_UNITS + (N_ORDERS + 1) * ORDER_UNITS + 2 * _OF_SITES
_A_MOTIF += 3 * len(GC_LEVELS) * _COMPOSITION_UNITS
_A_PAIR = 420 * _PAIR_UNITS + 2 * 60 * _RULE_UNITS * _RULES // _PAIRS
_RANDOM = 9_000
"""Predictions, about, for the budget alone: of a motif's sites, alone, in other orders and
again on the reserved sequences; of a pair, and its share of rules with their checks; of
random words.
"""
_BASES = 600_000_000
"""Bases predicted, about, where no time is stated: 2.4 million sequences of 250 bp."""
_A_GRADIENT = 3.0
"""Predictions that a map of gradients is counted as: a pass forth, and one back."""
_OF_ACCOUNT = 0.25
"""Share of the predictions of a plan, at most, in which the account has every line."""
_ROWS_A_LETTER = 4
"""Sequences that letters by place are fitted on, for each, at least."""
_TIMED_UNITS, _LEAST_COST = 4, 0.02
"""Units of the trial that times edited sequences, and their least cost in whole ones."""
_OF_AUDIT = "audit_"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an audit spends.

    Attributes
    ----------
    n_predictions
        Predictions, about.
    maps
        Method of the maps, as in `causalgia.attribute`: ``"ism"``, each substitution
        measured, where that fits; else gradients where the network has them.
    n_mapped, n_patterns, n_candidates, n_pairs
        How many sequences are mapped, how many patterns of their maps are cut to what
        acts, and how many candidates and pairs are tested, at most.
    technical
        Whether technical sequences, such as adapters, are tested.
    minutes
        Time for which it was made; 0: it follows from counts alone.
    """

    n_predictions: int
    maps: Literal["ism", "gradient"]
    n_mapped: int
    n_patterns: int
    n_candidates: int
    n_pairs: int
    technical: bool
    minutes: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """What a network learned: the answer of `causalgia.audit`.

    Attributes
    ----------
    account
        A row a task and line: how much of the variance of predictions the sites of the
        motifs that hold carry, whatever they do, all other bases, and where the rest lies
        (`causalgia.account`).
    along
        A row a motif that holds and task: the ``change`` of its effect (minus its letters
        in another order) from 30 to 70 % of G and C in random sequences of the length, with
        ``lower, upper, verdict``; ``q`` over all rows, ``holds``; its effect ``at 30 %``
        and so on; and ``along``, whether of the bases beside the site or of the whole
        sequence the GC goes with what sites lose.
    explained
        A row a task and step ("motifs", "contexts", "composition", "rules",
        "places": the letter at each): ``share`` of the variance
        of predictions on the reserved sequences that the steps so far explain, with
        ``lower, upper``, and ``n_features``. There is no interval (NaN) where the variance
        is that of fewer than 12 effective sequences.
    motifs
        A row a candidate and task. ``motif`` is the letters of its core, ``name`` that of
        a known motif, or empty. In the testing sequences: ``n_sites``; ``lost``, the mean
        effect of overwriting a site by its own letters in another order, with the
        quantiles ``lost_5, lost_95`` over sites. In the middle of their shuffles:
        ``alone``, on its better ``strand``, and ``other_strand``; ``sites_on``, the strands
        its sites are taken on: one, where it does nothing on the other. ``lost`` and
        ``alone`` have ``_lower, _upper, _verdict, _p, _q``. ``place_from, place_to``:
        first and last start at which it acts; ``copies``: up to which a further one adds.
        ``region, region_alone``: lost, and alone in its direction, below which they are
        too small to matter.
        ``reads``: whether lost or alone has a direction at a false discovery rate of .05,
        and the account does not contradict: in a task in which the sites of the motifs are
        not shown to carry more than as many bases elsewhere, none is read, and no rule
        holds.
        On the reserved sequences: ``confirmed_lost``, and ``confirmed_q`` of the motif in
        this task in the tree of hypotheses. Of an ensemble: in how many of ``n_members`` it holds by
        itself, ``members_hold``: lost or alone has the sign of the mean, beyond the
        region.
    rules
        A row a pair in an arrangement and task: ``first, second``, upstream
        and downstream motif; ``arrangement``, with strands; ``gap_from, gap_to``, bases
        between them in the largest run of gaps, ``n_gaps`` of which were asked;
        ``anywhere``, whether at nearly all gaps; ``tested``, its interaction on shuffles
        of the testing sequences; ``interaction, lower, upper, p`` on those of the reserved
        ones, and of ``further`` runs that have a sign there, the largest first (JSON). Where a
        period explains most of the curve the row is a wave over these gaps: ``period``,
        ``phase``, the gap of its first peak, and ``length`` over which it falls to 1/e
        (infinite: it does not), and the interaction is its amplitude at the first gap;
        ``q`` of the tree,
        in which a rule stands below one of its motifs; ``holds``; how many checks of
        `causalgia.refute` ``pass, warn, fail``, and which do not, ``doubts``. Of an
        ensemble: ``members_hold, n_members``.
    sites
        A row a site in the testing sequences: ``sequence, start, stop, motif, strand``,
        and what is ``lost`` with it in each task: the mean change of the prediction when
        its letters are put in another order. Sites whose letters have no order without
        the motif (AAAAAA) are left out.
    network
        A row a check of the network: ``check, status`` (pass, warn, fail; note: a figure
        without a limit) and ``value``, of the worst task: whether predictions vary and are
        the same twice, the two strands, the positions that maps read, and what shuffles
        do.
    composition
        A row a feature and task: ``feature, task, effect, lower, upper, verdict, q,
        acts``. GC: the rise from 30 to 70 % over random sequences;
        dinucleotides: what shuffles of single bases lose; words of the
        bench, in the middle of shuffles.
    candidates
        The motifs that maps proposed, before any test.
    counts
        Sequences given, distinct, proposing, testing, reserved; motifs proposed and read.
    plan, left_out
        What was spent; and what was not tested, for want of time or of sequences.
    pairs
        A row a setting of each pair that was tested, on shuffles of the testing sequences:
        ``arrangement, gap, task, interaction, lower, upper, verdict, first, second``.
    settings
        What it was made of: versions, seed, and digests of predictor and sequences.
    reserved
        The reserved sequences, from which `save` makes a library; None of an audit that
        was read from a folder.
    """

    account: pd.DataFrame
    along: pd.DataFrame
    explained: pd.DataFrame
    motifs: pd.DataFrame
    rules: pd.DataFrame
    sites: pd.DataFrame
    network: pd.DataFrame
    composition: pd.DataFrame
    candidates: Sequence[Candidate]
    counts: Mapping[str, int]
    plan: Plan
    left_out: tuple[str, ...] = field(default=())
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    settings: Mapping[str, str] = field(default_factory=dict)
    reserved: Sequences | None = None

    @property
    def question(self) -> str:
        """The question that `causalgia.audit` answers."""
        return "What did this network learn?"

    def save(
        self, folder: str | PathLike[str], *, inputs: Mapping[str, Any] | None = None
    ) -> tuple[Path, ...]:
        """Write the answer, its page, its tables, and a library to order; all at once,
        so that an error leaves the folder as it was.

        ``answer.txt``; ``report.html``; ``motifs.tsv``, ``rules.tsv``, ``pairs.tsv``,
        ``explained.tsv`` and the other tables; ``motifs.meme``, the matrices;
        ``protocol.toml``, from which it can be made again; and ``library``, a folder for
        each claim that can be measured, which ``causalgia mpra analyze`` takes, listed in
        ``library/claims.tsv``.

        ``sites.bed`` has the sites that act: those in the testing sequences whose
        overwriting changes a prediction by more than the region of practical equivalence.
        Its columns are sequence (or, where names say it, chromosome), start, stop, motif,
        score (1,000 for the largest effect) and strand; then the name of the sequence and
        start and strand in it, and the effect in each task.

        Parameters
        ----------
        folder
            Made if it is not there. Its files of the same names are replaced.
        inputs
            What else ``protocol.toml`` keeps, as its table ``inputs``.

        Returns
        -------
        tuple of Path
            The files.

        Raises
        ------
        DataError
            If a file cannot be written, or the audit was read from a folder.
        """
        from causalgia._audit.saved import save_audit

        return save_audit(self, Path(folder), inputs=inputs or {})

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

    @property
    def by_name(self) -> dict[str, Sequences]:
        return {
            "proposing": self.proposing,
            "testing": self.testing,
            "reserved": self.reserved,
        }

    @classmethod
    def of(cls, given: Sequences) -> _Parts:
        """Split sequences 50 : 25 : 25; those of one parent stay together."""
        whole = DinucleotideShuffle(of=given)
        n = len(set(whole.parent_names))
        if n < LEAST_SEQUENCES:
            raise SequenceError(
                f"{len(given):,} different sequences, {n:,} of them independent (without "
                f"overlap): an audit splits {LEAST_SEQUENCES} or more in three parts"
            )
        half, other = whole.split(0.5)
        testing, reserved = other.split(0.5)
        return cls(*(_parents(part) for part in (half, testing, reserved)))


def _parents(null: Any) -> Sequences:
    found: Sequences = null.parents_given
    return found


@overload
def audit(
    predictor: Predictor,
    sequences: Source,
    *,
    motifs: MotifList | None = ...,
    minutes: float | Plan | None = ...,
    store: str | PathLike[str] | None = ...,
    client: Client | None = ...,
    progress: bool = ...,
    rng: RNG,
) -> Audit: ...


@overload
def audit(
    predictor: Mapping[str, Predictor],
    sequences: Source,
    *,
    motifs: MotifList | None = ...,
    minutes: float | Plan | None = ...,
    store: str | PathLike[str] | None = ...,
    client: Client | None = ...,
    progress: bool = ...,
    rng: RNG,
) -> Comparison: ...


@usual_errors
def audit(
    predictor: Predictor | Mapping[str, Predictor],
    sequences: Source,
    *,
    motifs: MotifList | None = None,
    minutes: float | Plan | None = None,
    store: str | PathLike[str] | None = None,
    client: Client | None = None,
    progress: bool = True,
    rng: RNG,
) -> Audit | Comparison:
    r"""Return what a network learned: the motifs that it reads, the rules between them, and
    how much of its predictions these explain.

    Sequences that overlap, by the places in their names or by their letters, stay
    together; copies count once. Half of them propose, a quarter tests, and a quarter is
    reserved:

    1. *The network*: `causalgia.check` on the testing sequences; which positions it reads;
       what their shuffles do.
    2. *Candidates*: motifs that maps of the proposing sequences show, and those of
       `motifs` that act in shuffles.
    3. *Motifs*, on the testing sequences. Lost: :math:`E[Y(\text{site in another
       order of its letters}) - Y]` over sites (`causalgia.experiments.necessity`).
       Alone: :math:`E[Y(\text{site}) - Y]` in the middle of dinucleotide shuffles, on both
       strands, at 25 places, in up to six copies (`causalgia.experiments.motif`). Lost
       matters beyond .2 sd of the predictions; alone, .3 sd beyond the 95 % prediction
       limits of 19 words of the motif's letters in other orders.
    4. *Rules*: pairs that move each other's effects of sites (`causalgia.moderation`), and
       those of the first motifs, at every gap, order and strand
       (`causalgia.experiments.pair`): :math:`E[Y(a, b) - Y(a) - Y(b) + Y]`; not side by
       side where the two write a site of another motif there.
    5. *Composition*: `causalgia.experiments.composition`, dinucleotides, adapters and
       other technical sequences.
    6. *Confirmation*, on the reserved sequences: motifs and rules again, with p of their
       tree of hypotheses, and `causalgia.refute` on each rule.
    7. *How much of the network that is*: motifs, composition and rules, as counts in a
       ridge regression fitted on the other sequences, explain a share :math:`R^2` of the
       variance of predictions on the reserved ones; beside it stands the *account*, the
       share that the sites of motifs carry, whatever they do (`causalgia.account`), of 800
       sequences at most.

    Every task is asked. Of an `causalgia.Ensemble` the mean over members is tested, and
    in how many members a motif or rule holds by itself is counted.

    Parameters
    ----------
    predictor
        The network, or a `causalgia.Ensemble` of retrainings. Or a mapping name -> network
        of two or more, which are compared: on one scale, task by task of the same name;
        all of them an `causalgia.Ensemble`, or none. To compare tasks of one network, give
        it once for each, with a task of its own (``reduce=`` of
        `causalgia.TorchPredictor`): networks of one task are compared whatever it is
        called.
    sequences
        Sequences of one length, 20 bp or more, to which it responds; 80 or more of them
        without overlap.
    motifs
        Known motifs, as in `causalgia.experiments.motif_screen`: those that act are
        candidates as well, and candidates are named by them.
    minutes
        None: the `plan` (which maps, of how many sequences, how many candidates and
        pairs) follows from the number of sequences and their length, 600 million
        predicted bases at most, so that a call with one seed has one answer. Else the
        time for predictions, about, which becomes once, by the throughput, a number of
        predictions, and the answer says so. Pairs are left out first, then words of the
        bench, then candidates; ``left_out`` of the result says what. A store keeps its
        plan, whatever `minutes` says later. Or the ``plan`` of another audit, to spend
        the same. Each of several networks has its own.
    store
        Folder in which each stage is kept; the same call goes on from there, and ends
        with the same bits.
    client
        A `distributed.Client`, on whose workers trials run, with the same bits.
    progress
        Whether a line for each stage is printed to stderr.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    Audit or Comparison
        Printed, the answer. Of several networks, their `Audit` by name, and which motifs
        and rules differ: each that one has is measured in all, on the same shuffles and
        sites of the reserved sequences.

    Raises
    ------
    SequenceError
        If sequences differ in length, have other letters than A, C, G, T, or fewer than
        80 of them are independent; or the plan does not suffice for 20 maps and a motif:
        then with the minutes that would.
    DesignError
        If `minutes` is no number above 0, or no motif fits the sequences.
    PredictorError
        If it is no predictor, does not take sequences of this length, or a check of it
        fails, as where it answers at random; or several have no task in common, differ in
        scale, or some are ensembles and others are not.
    StoreError
        If `store` holds an audit with another predictor, other sequences, motifs or seed,
        which is named.

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
    if isinstance(predictor, Mapping):
        asked = {"minutes": minutes, "client": client, "progress": progress}
        return _compared(
            predictor, sequences, motifs=motifs, store=store, rng=rng, **asked
        )
    check_predictor(predictor, "audit(predictor, sequences)")
    seed = Seed.parse(rng)
    key = seed.key
    if not isinstance(minutes, Plan | None) and not (
        is_real(minutes) and 0 < minutes < np.inf
    ):
        raise DesignError(
            f"minutes={quoted(minutes)}: a number above 0, or the plan of another audit",
            argument="minutes",
        )
    given = as_sequences(sequences)
    if given.length < LEAST_LENGTH:
        raise SequenceError(
            f"sequences of {given.length} bp: an audit takes {LEAST_LENGTH} bp or more"
        )
    distinct = _distinct(given)
    known = None if motifs is None else named_motifs(motifs)
    parts = _Parts.of(distinct)
    n_screened = 0
    if known is not None:  # refused before anything is predicted
        screen = _screen(known, parts.proposing)
        n_screened = len(screen.named_arms) * screen.n_units
    settings: dict[str, str | int] = {
        "predictor": predictor.fingerprint,
        "sequences": given.digest,
        "rng": str(key),
        "motifs": _digest(known),
    }
    folder = None if store is None else place_of(store)
    work = _Work(
        predictor.with_incremental_edits(given.length),
        parts,
        key,
        client,
        make_anew if folder is None else _keeping(folder, settings),
        Stages(10 + (known is not None), show=progress),
        n_screened,
    )
    with warnings.catch_warnings():  # the notes of each trial stand with its results
        warnings.simplefilter("ignore", CausalgiaWarning)
        found = work.audit(minutes, known, n_given=len(given))
    made_by = {
        "length": str(given.length),
        "strands": "both" if work.both_strands else "as given",
        "causalgia": causalgia.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scale": str(predictor.scale),
    }
    words = {name: str(value) for name, value in settings.items()}
    return replace(found, settings=made_by | words | {"rng": str(seed)})


def _screen(known: Mapping[str, Motif], of: Sequences) -> Experiment:
    return experiments.motif_screen(
        DinucleotideShuffle(of=of), known, n_units=_SCREEN_UNITS
    )


def _digest(known: Mapping[str, Motif] | None) -> str:
    """Return how many motifs there are, and a fingerprint of their names and numbers."""
    if known is None:
        return "none"
    content = hashlib.blake2b(digest_size=8)
    for name, one in known.items():
        content.update(f"{name} {one.probabilities}".encode())
    return f"{len(known)} motifs, {content.hexdigest()}"


def _distinct(given: Sequences) -> Sequences:
    """Return sequences without copies."""
    _, first = np.unique(sequence_fingerprints(given.tokens), return_index=True)
    rows = np.sort(first)
    return Sequences(given.tokens[rows], tuple(str(given.names[k]) for k in rows))


def _compared(
    predictors: Mapping[str, Predictor],
    sequences: Source,
    *,
    store: str | PathLike[str] | None,
    rng: RNG,
    **asked: Any,
) -> Comparison:
    """Return the audits of predictors, and what differs between them."""
    given = as_sequences(sequences)
    distinct = _distinct(given)
    check_comparable(predictors, distinct.tokens)
    seed = root_key(rng) if isinstance(rng, np.random.Generator) else rng
    folder = None if store is None else place_of(store)
    audits = {
        name: audit(one, given, store=folder and folder / name, rng=seed, **asked)
        for name, one in predictors.items()
    }
    key = root_key(seed)
    settings: dict[str, str | int] = {
        "predictor": ", ".join(f"{x} {of.fingerprint}" for x, of in predictors.items()),
        "sequences": given.digest,
        "rng": str(key),
    }
    keep = make_anew if folder is None else _keeping(folder, settings)
    networks = {
        x: of.with_incremental_edits(given.length) for x, of in predictors.items()
    }

    def run_in(name: str, what: str, design: Design) -> xr.Dataset:
        def outcomes() -> xr.Dataset:
            return run(
                design,
                networks[name],
                rng=derive(key, "compared", what),
                client=asked["client"],
                progress=False,
            )

        stage = f"compared {what} {list(predictors).index(name)}"
        return keep(stage.replace(" ", "_").replace(",", ""), outcomes)

    with warnings.catch_warnings():  # as those of each audit
        warnings.simplefilter("ignore", CausalgiaWarning)
        with Stages(1, show=asked["progress"]).stage("the same in every network"):
            return compare(
                predictors,
                audits,
                distinct.tokens,
                _Parts.of(distinct).reserved,
                run_in=run_in,
            )


@dataclass(frozen=True)
class _Hybrids:
    """Hybrids of the account whose sequences are of these parts, with predictions."""

    parts: set[str]
    tokens: Tokens
    answers: Array


@dataclass
class _Work:
    """The stages of one audit."""

    predictor: Predictor
    parts: _Parts
    key: int
    client: Client | None
    keep: Keep
    stages: Stages
    n_screened: int
    """Predictions of the screen of known motifs."""
    sites_on: dict[str, str] = field(default_factory=dict)
    """Strands on which each motif has sites."""
    acting: list[Motif] = field(default_factory=list)
    """Given motifs that act in shuffles."""
    hybrids: list[_Hybrids] = field(default_factory=list)

    def audit(
        self,
        minutes: float | Plan | None,
        known: Mapping[str, Motif] | None,
        *,
        n_given: int,
    ) -> Audit:
        """Return the answer of all stages."""
        with self.stages.stage("the network"):
            network = self.network()
            plan = self.plan(minutes, network)
        found, network = self.candidates(plan, known, network)
        least = self.least_effects()
        found, of_orders, without = self.orders(found, least)
        table, effects, sites, rare = self.test(found, of_orders, least)
        read = [
            x.label
            for x in found
            if table.loc[table["motif"] == x.label, "reads"].any()
        ]
        rules, pairs, left_out = self.pairs(found, read, effects, least, plan)
        composition, nulls = self.composition(plan, least)
        confirmed = self.confirm(found, table, rules, of_orders, least)
        account = self.account(found, confirmed[0], plan)
        along = self.along(found, confirmed[0], sites, least)
        for of in (table, confirmed[1]):
            # the list listens to its first line
            unshown = of["task"].isin(tasks_not_carried(account))
            of["reads" if of is table else "holds"] &= ~unshown
        holds = confirmed[1]["holds"].to_numpy(bool)
        kept = [rule for rule, one in zip(rules, holds, strict=True) if one]
        explained = self.explain(found, table, kept, composition, along, account)
        n = {name: len(part) for name, part in self.parts.by_name.items()}
        if not plan.technical:
            left_out.append("adapters and other technical sequences")
        if len(found) == plan.n_candidates < MOST:
            left_out.append(f"candidates beyond {plan.n_candidates}")
        if (unmapped := n["proposing"] - plan.n_mapped) > 0:
            left_out.append(f"maps of {unmapped:,} sequences")
        return Audit(
            account=account,
            along=along,
            explained=explained,
            motifs=_named(
                table.merge(confirmed[0], on=["motif", "task"], how="left"),
                found,
                known,
            ),
            rules=confirmed[1],
            sites=sites,
            network=pd.concat([network, nulls], ignore_index=True),
            composition=composition,
            candidates=found,
            counts={
                "given": n_given,
                "distinct": sum(n.values()),
                **n,
                "proposed": len(found) + len(without),
                "read": len(read),
            },
            plan=plan,
            left_out=(*left_out, *without, *rare),
            pairs=pairs,
            reserved=self.parts.reserved,
        )

    @property
    def tasks(self) -> list[str]:
        return [str(task) for task in self.predictor.tasks]

    @property
    def members(self) -> list[str]:
        """Names of the members of an ensemble; none of another predictor."""
        return [str(name) for name in self.predictor.models or ()]

    @cached_property
    def predictions(self) -> dict[str, Array]:
        """Predictions of the sequences of each part, (n, tasks), the mean over members."""

        def made() -> xr.Dataset:
            tokens = np.concatenate([x.tokens for x in self.parts.by_name.values()])
            return xr.Dataset(
                {"prediction": (("sequence", "task"), self.answers(tokens))}
            )

        found = self.keep("predictions", made)["prediction"].to_numpy()
        ends = np.cumsum([len(x) for x in self.parts.by_name.values()])
        return dict(zip(self.parts.by_name, np.split(found, ends[:-1]), strict=True))

    def answers(self, tokens: Tokens) -> Array:
        """Return predictions, (n, tasks), the mean over members."""
        return mean_answers(self.predictor, tokens)

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

        return self.keep(_file(name), outcomes)

    def network(self) -> pd.DataFrame:
        """Return the checks of the network on the testing sequences, as they are."""

        def made() -> xr.Dataset:
            testing = self.parts.testing
            arms = [Arm("untreated", Untreated()), Arm("A", Embed("A", at=0))]
            design = Design(
                null=Genomic(of=testing), arms=arms, n_units=min(len(testing), 256)
            )
            predictions = self.predictions["testing"]
            return _as_dataset(checked(check(design, self.predictor), predictions))

        return self.keep("network", made).to_dataframe().reset_index(drop=True)

    def plan(self, minutes: float | Plan | None, network: pd.DataFrame) -> Plan:
        """Return what the audit spends, as it was when it began."""

        def made() -> xr.Dataset:
            pace = float(network.set_index("check")["value"].get(THROUGHPUT, 0.0))
            chosen = minutes
            if not isinstance(chosen, Plan):
                chosen = self.planned(chosen, pace)
            return xr.Dataset(asdict(chosen))

        kept = self.keep("plan", made)
        return Plan(**{str(name): kept[name].item() for name in kept.data_vars})

    def planned(self, minutes: float | None, pace: float) -> Plan:
        """Return what minutes suffice for at a number of predictions a second; None: what
        a number of predicted bases does, whatever the pace.
        """
        proposing = self.parts.proposing
        n = min(len(proposing), _MOST_MAPPED)
        timed = None if minutes is None else pace
        total = float(_BASES // proposing.length)
        if minutes is not None:
            total = 60 * minutes * pace
        edited = self.edit_cost(timed)
        a_pattern, a_motif, a_pair = (
            max(1, int(edited * x)) for x in (_A_PATTERN, _A_MOTIF, _A_PAIR)
        )
        fixed = (
            self.n_screened
            + sum(map(len, self.parts.by_name.values()))
            + len(GC_LEVELS) * _COMPOSITION_UNITS
        )
        patterns = int((total - fixed) / 4 / a_pattern)
        patterns = max(_LEAST_PATTERNS, min(_PATTERNS, patterns))
        fixed += patterns * a_pattern
        free = total - fixed
        of_maps = min(free / 2, free - a_motif)
        maps: Literal["ism", "gradient"] = "ism"
        a_map = 2 * self.map_cost("ism", timed)  # and one of a shuffle
        n_mapped = min(n, int(of_maps / a_map))
        if n_mapped < min(n, _ENOUGH_MAPPED) and self.has_gradients:
            maps, a_map = "gradient", 2 * self.map_cost("gradient", timed)
            n_mapped = min(n, int(of_maps / a_map))
        if n_mapped < _LEAST_MAPPED:
            least = _LEAST_MAPPED * a_map
            needed = fixed + least + max(least, a_motif)
            raise SequenceError(
                f"minutes={minutes}: {int(total):,} predictions of {proposing.length:,} "
                f"bp, and an audit takes {int(needed):,} or more, "
                f"minutes={ceil(needed / max(pace, 1e-9) / 6) / 10:g}"
            )
        free -= n_mapped * a_map
        n_candidates = max(1, min(MOST, int(free / 2 / a_motif)))
        free -= n_candidates * a_motif
        n_words = len(technical_words(proposing.length))
        bench = (n_words + 4) * _COMPOSITION_UNITS + _RANDOM
        technical = free >= bench
        free -= bench * technical
        n_pairs = max(0, min(_PAIRS, int(free / a_pair)))
        more = int((free - n_pairs * a_pair) / a_motif)  # of what is no whole pair
        return Plan(
            n_predictions=int(total),
            maps=maps,
            n_mapped=n_mapped,
            n_patterns=patterns,
            n_candidates=min(MOST, n_candidates + max(0, more)),
            n_pairs=n_pairs,
            technical=technical,
            minutes=minutes or 0.0,
        )

    @property
    def has_gradients(self) -> bool:
        return all(torch_network(part) is not None for part in self.predictor.parts)

    def maps(self, of: Sequences, method: Literal["ism", "gradient"]) -> xr.Dataset:
        """Return maps of sequences."""
        return attribute(of, self.predictor, method=method, progress=False)

    def map_cost(self, method: Literal["ism", "gradient"], pace: float | None) -> float:
        """Return what a map costs in predictions: 3 L + 1 if each substitution is one;
        else as measured, or, without a pace, by count.
        """
        proposing = self.parts.proposing
        if pace is None and method == "gradient":
            return _A_GRADIENT
        if method == "ism" and (
            pace is None
            or not any(
                getattr(part, "incremental", False) for part in self.predictor.parts
            )
        ):
            return 3 * proposing.length + 1.0
        assert pace is not None
        two = Sequences(proposing.tokens[:2], proposing.names[:2])
        self.maps(two, method)  # the first prepares
        begin = time.perf_counter()
        self.maps(two, method)
        return max((time.perf_counter() - begin) / 2 * pace, 1.0)

    def edit_cost(self, pace: float | None) -> float:
        """Return the time of a prediction of an edited sequence over that of a whole one,
        as measured on a small trial of a motif; 1 where each is a whole one, or without a
        pace.
        """
        if pace is None or not any(
            getattr(part, "incremental", False) for part in self.predictor.parts
        ):
            return 1.0
        null = DinucleotideShuffle(of=self.parts.proposing)
        trial = experiments.motif(null, "GATTACA", n_units=_TIMED_UNITS, rope=0)
        run(trial, self.predictor, rng=0, progress=False)  # the first prepares
        begin = time.perf_counter()
        run(trial, self.predictor, rng=0, progress=False)
        seconds = time.perf_counter() - begin
        n_predictions = len(trial.named_arms) * _TIMED_UNITS
        return min(1.0, max(seconds * pace / n_predictions, _LEAST_COST))

    def candidates(
        self, plan: Plan, known: Mapping[str, Motif] | None, network: pd.DataFrame
    ) -> tuple[list[Candidate], pd.DataFrame]:
        """Return the motifs to be tested, and the checks with what maps read."""
        proposing = self.parts.proposing
        mapped = Sequences(
            proposing.tokens[: plan.n_mapped], proposing.names[: plan.n_mapped]
        )
        with self.stages.stage(f"maps of {len(mapped):,} sequences"):
            maps = self.keep("maps", lambda: self.maps(mapped, plan.maps))
            proposed = self.keep(
                "proposals",
                lambda: propose(
                    maps,
                    predictor=self.predictor,
                    n_patterns=plan.n_patterns,
                    rng=derive(self.key, "propose"),
                ),
            )
        sd = np.array([*self.least_effects().values()]) / _SD_SHARE
        both_strands = reads_both_strands(
            proposed,
            mapped.tokens,
            lambda tokens: self.answers(tokens) / sd,
            rng=derive(self.key, "strands"),
        )
        self.both_strands = both_strands
        named = list[Motif]()
        if known is not None:
            with self.stages.stage(f"screen of known motifs ({len(known):,})"):
                screen = _screen(known, proposing)
                answer = screen.analyze(_mean(self.run("screen", screen)))
                motifs = answer.findings["motifs"]
                act = np.isin(motifs["verdict"].to_numpy(), DIRECTIONS)
                names = motifs["motif"].to_numpy()[
                    act.reshape(len(act), -1).any(axis=1)
                ]
                named = [known[str(name)] for name in names]
        self.acting = named
        found = candidates(
            proposed,
            maps,
            sd,
            both_strands=both_strands,
            named=named,
            most=plan.n_candidates,
        )
        read = read_rows(contributions_of(maps))
        return found, pd.concat([network, read], ignore_index=True)

    def least_effects(self) -> dict[str, float]:
        """Return, by task, the effect that is too small to matter whatever random
        sequences do: a fifth of the standard deviation of predictions.
        """
        every = np.concatenate([*self.predictions.values()])
        least = np.where(varying(every), _SD_SHARE * every.std(axis=0, ddof=1), 1.0)
        return dict(zip(self.tasks, least.tolist(), strict=True))

    def orders(
        self, found: Sequence[Candidate], least: Mapping[str, float]
    ) -> tuple[list[Candidate], dict[str, dict[str, Ends]], list[str]]:
        """Return the candidates whose letters have other orders, the effects alone that
        these orders have too, by label and task, and which candidates have none.
        """
        of_orders, without = dict[str, dict[str, Ends]](), list[str]()
        shuffles = DinucleotideShuffle(of=self.parts.testing)
        with self.stages.stage("the letters of candidates in other orders"):
            for one in found:
                trial = orders_alone(one.motif, shuffles)
                if trial is None:
                    without.append(
                        f"{one.label}, whose letters have no other order with as many CG"
                    )
                    continue
                outcomes = self.run(f"orders {one.label}", trial)
                of_orders[one.label] = region_alone(contrast(_mean(outcomes)), least)
        return [one for one in found if one.label in of_orders], of_orders, without

    def regions_of(
        self, name: str, words: Sequence[Motif], least: Mapping[str, float]
    ) -> dict[int, dict[str, Ends]]:
        """Return the region of words of each class of widths, from a trial of random
        ones.
        """
        if not words:
            return {}
        shuffles = DinucleotideShuffle(of=self.parts.testing)
        design, widths = random_words(shuffles, words)
        return regions(contrast(_mean(self.run(name, design))), widths, least)

    def test(
        self,
        found: Sequence[Candidate],
        of_orders: Mapping[str, dict[str, Ends]],
        least: Mapping[str, float],
    ) -> tuple[pd.DataFrame, dict[str, xr.Dataset], pd.DataFrame, list[str]]:
        """Return what each candidate does in the testing sequences: a table, the effects
        of its sites, the sites, and which could not be tested there.
        """
        rows, effects, sites = list[pd.DataFrame](), {}, list[pd.DataFrame]()
        rare = list[str]()
        shuffles = DinucleotideShuffle(of=self.parts.testing)
        of_lost = {task: (-x, x) for task, x in least.items()}
        with self.stages.stage(f"candidates, lost and alone ({len(found)})"):
            for one in found:
                own = of_orders[one.label]
                trial = experiments.motif(
                    shuffles, one.motif, n_units=_ALONE_UNITS, rope=own
                )
                name = f"alone {one.label}"
                outcomes = self.run(name, trial)
                answer = trial.analyze(
                    _mean(outcomes), rng=derive(self.key, name, "analysis")
                )
                table = alone_rows(answer, both_strands=self.both_strands)
                sites_on = strand_of_sites(table, own) if self.both_strands else "+"
                self.sites_on[one.label] = sites_on
                table = table.assign(motif=one.label, sites_on=sites_on)
                lost = self.lost(one, "testing")
                if lost is None:
                    n_sites = self.n_sites(one, "testing")
                    rare.append(
                        f"{one.label} in sequences: fewer than {_LEAST_PARENTS} of them, or "
                        f"than half of its {n_sites:,} sites, have one with another order"
                    )
                    table = table.reindex(columns=[*table.columns, *OF_LOST])
                    table["n_sites"] = n_sites
                else:
                    all_effects, own_sites = lost
                    effects[one.label] = _mean(all_effects, "ice")
                    sites.append(own_sites)
                    table = table.merge(
                        lost_rows(effects[one.label], of_lost, own_sites),
                        on="task",
                        how="left",
                    )
                if self.members:
                    strands = [f"alone {x}" for x in table["strand"].unique()]
                    alone = contrast(outcomes).sel(contrast=strands)
                    table = self.in_members(
                        table, alone, None if lost is None else lost[0], own, of_lost
                    )
                table["region"] = table["task"].map(least)
                ends = np.array([own[task] for task in table["task"]])
                below = table["alone"].to_numpy(float) < 0
                table["region_alone"] = np.where(below, -ends[:, 0], ends[:, 1])
                rows.append(table)
        if not rows:
            names = ["motif", "task", *OF_LOST, "reads", "lost_q", "alone_q", "alone"]
            return pd.DataFrame(columns=names), {}, pd.DataFrame(), rare
        return _read(pd.concat(rows, ignore_index=True)), effects, _joined(sites), rare

    def lost(self, one: Candidate, part: str) -> tuple[xr.Dataset, pd.DataFrame] | None:
        """Return the individual effects of overwriting the sites of a candidate, and the
        sites with their mean effects; None where too few sequences have one.
        """
        given = Genomic(of=self.parts.by_name[part])
        trial = necessity_of(one, given, n_draws=_DRAWS)
        if trial is None:
            return None
        name = f"lost {one.label} {part}"
        outcomes = self.run(name, trial)
        answer = trial.analyze(_mean(outcomes), rng=derive(self.key, name, "analysis"))
        effects = contrast(outcomes).sel(contrast=[LOST])
        table = answer.findings["instances"]
        each = table["effect"].sel(contrast=LOST)
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
        mine = on_strands(sites["strand"].to_numpy(), self.sites_on[one.label])
        sites = sites[mine].reset_index(drop=True)
        effects = effects.isel(unit=np.repeat(mine, _DRAWS))
        # the few that have another order say nothing of those that have none
        few = 2 * len(sites) < self.n_sites(one, part)
        if few or sites["sequence"].nunique() < _LEAST_PARENTS:
            return None
        return effects, sites

    def n_sites(self, one: Candidate, part: str) -> int:
        """Return how many sites a candidate has, on its strands."""
        tokens = self.parts.by_name[part].tokens
        found = find_instances(tokens, one.motif, threshold=one.threshold)
        return int(on_strands(found.strand, self.sites_on[one.label]).sum())

    def in_members(
        self,
        table: pd.DataFrame,
        alone: xr.Dataset,
        lost: xr.Dataset | None,
        region: Mapping[str, Ends],
        of_lost: Mapping[str, Ends],
    ) -> pd.DataFrame:
        """Return the table of a motif with the number of members in which it holds by
        itself: alone on its better strand, or lost, it has the sign of the mean and is
        beyond the region.
        """
        hold = np.zeros(len(table), np.int64)
        for name in self.members:
            of = judged(alone.sel(model=name), region)
            same = np.zeros(len(table), bool)
            for k, row in enumerate(table.to_dict("records")):
                one = of.sel(contrast=f"alone {row['strand']}", task=row["task"])
                same[k] = _same_way(one, row["alone"])
            if lost is not None:
                of = judged(lost.sel(model=name), of_lost).isel(contrast=0)
                for k, row in enumerate(table.to_dict("records")):
                    same[k] |= _same_way(of.sel(task=row["task"]), row["lost"])
            hold += same
        return table.assign(members_hold=hold, n_members=len(self.members))

    def composition(
        self, plan: Plan, least: Mapping[str, float]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what composition and technical sequences do, and what the shuffles are in
        which this is asked.
        """
        null = DinucleotideShuffle(of=self.parts.testing)
        region = {task: (-one, one) for task, one in least.items()}
        with self.stages.stage("composition"):
            trial = experiments.composition(
                null, n_units=_COMPOSITION_UNITS, rope=region
            )
            outcomes = _mean(self.run("composition", trial))
            effects = contrast(outcomes, contrasts=trial.named_contrasts)
            rows = [_feature_rows(judged(effects.sel(contrast=[GC]), region))]
            words = technical_words(null.length) if plan.technical else {}
            outcomes = self.run(
                "features", features_in(null, words, n_units=_COMPOSITION_UNITS)
            )
            by_width = self.regions_of(
                "random_features", [*map(Motif.from_iupac, words.values())], least
            )
            asked = contrasts_of(words)
            effects = contrast(_mean(outcomes), contrasts=asked)
            for name in asked:
                own = region_of(len(words[name]), by_width) if name in words else region
                rows.append(_feature_rows(judged(effects.sel(contrast=[name]), own)))
            shuffles = _mean(outcomes)["outcome"].sel(arm="untreated")
            refuted = self.keep(
                "refute_features",
                lambda: refute(
                    outcomes,
                    self.predictor,
                    rng=derive(self.key, "refute", "features"),
                    checks=_OF_NULLS,
                ),
            )
        nulls = null_rows(
            self.predictions["testing"],
            shuffles.transpose("unit", "task").to_numpy(),
            refuted,
        )
        return composition_table(rows), nulls

    def pairs(
        self,
        found: Sequence[Candidate],
        read: Sequence[str],
        effects: Mapping[str, xr.Dataset],
        least: Mapping[str, float],
        plan: Plan,
    ) -> tuple[list[Rule], pd.DataFrame, list[str]]:
        """Return the rules that trials of pairs show, every setting of these, and the
        pairs that were left out: first those that moderation names, then those of the
        largest motifs.
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
        rules, settings = list[Rule](), list[pd.DataFrame]()
        with self.stages.stage(f"pairs, every gap, order and strand ({len(tested)})"):
            for a, b in tested:
                try:
                    trial = experiments.pair(
                        DinucleotideShuffle(of=self.parts.testing),
                        motifs[a],
                        motifs[b],
                        orientations=ORIENTATIONS if self.both_strands else ["++"],
                        n_units=_PAIR_UNITS,
                        rope=region,
                    )
                except DesignError:  # too long for these sequences
                    left.append((a, b))
                    continue
                name = f"pair {a} {b}"
                answer = trial.analyze(
                    _mean(self.run(name, trial)),
                    rng=derive(self.key, name, "analysis"),
                )
                settings.append(settings_of(answer).assign(first=a, second=b))
                rules += rules_of(
                    answer,
                    (a, b),
                    {label: by_label[label] for label in {*read, a, b}},
                    both_strands=self.both_strands,
                )
        rules.sort(key=lambda rule: -abs(rule.size) / least[rule.task])
        n_before, rank = Counter[tuple[str, str]](), list[tuple[int, bool]]()
        for rule in rules:
            pair = (min(rule.first, rule.second), max(rule.first, rule.second))
            rank.append((n_before[pair], rule.first == rule.second))
            n_before[pair] += 1
        # the largest of each pair first, and of two copies of one motif last
        order = sorted(range(len(rules)), key=rank.__getitem__)
        rules = [rules[k] for k in order]
        left_out = [f"the pair {a} and {b}" for a, b in left]
        if (n := len(rules) - _RULES) > 0:
            left_out.append(
                f"{n} smaller rule{'s' * (n > 1)} on the reserved sequences"
            )
        return rules[:_RULES], _joined(settings), left_out

    def confirm(
        self,
        found: Sequence[Candidate],
        table: pd.DataFrame,
        rules: Sequence[Rule],
        of_orders: Mapping[str, dict[str, Ends]],
        least: Mapping[str, float],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return motifs and rules on the reserved sequences, with p of their tree."""
        motifs = {one.label: one.motif for one in found}
        read = [x for x in found if table.loc[table["motif"] == x.label, "reads"].any()]
        region = {task: (-one, one) for task, one in least.items()}
        lost_again = dict[tuple[str, str], float]()
        p_of = dict[tuple[str, str, str], float]()
        of_rules = list[dict[str, Any]]()
        shuffles = DinucleotideShuffle(of=self.parts.reserved)
        with self.stages.stage("the same on the reserved sequences"):
            for one in read:
                outcomes = self.run(
                    f"alone {one.label} reserved",
                    alone_in(one, shuffles, n_units=_ALONE_UNITS),
                )
                alone = judged(contrast(_mean(outcomes)), of_orders[one.label])
                again = self.lost(one, "reserved")
                lost: xr.Dataset | None = None
                if again is not None:
                    effects = _mean(again[0], "ice")
                    lost = judged(effects, region).isel(contrast=0)
                    lost_again |= {
                        (one.label, task): float(lost["ace"].sel(task=task))
                        for task in self.tasks
                    }
                for own_row in table[table["motif"] == one.label].to_dict("records"):
                    task = own_row["task"]
                    if _claims(own_row, "alone"):
                        strand = own_row["strand"]
                        one_task = alone.sel(contrast=strand, task=task)
                        p_of[one.label, task, "alone"] = _p_same_way(
                            one_task, own_row["alone"]
                        )
                    if _claims(own_row, "lost"):
                        of_lost = None if lost is None else lost.sel(task=task)
                        p_of[one.label, task, "lost"] = _p_same_way(
                            of_lost, own_row["lost"]
                        )
            for rule in rules:
                trial, mean = trial_of(rule, motifs, shuffles, n_units=_RULE_UNITS)
                name = f"rule {rule.arrangement} {rule.gaps}"  # of every task
                outcomes = self.run(name, trial)
                effects = contrast(_mean(outcomes), contrasts=mean)
                mean = {rule.label: mean[rule.label]}
                decided = judged(effects.sel(contrast=[rule.label]), region)
                row = decided.isel(contrast=0).sel(task=rule.task)
                of_rules.append(
                    {
                        **{name: getattr(rule, name) for name in OF_RULE},
                        "arrangement": rule.arrangement,
                        "n_gaps": rule.n_gaps,
                        "task": rule.task,
                        "tested": rule.size,
                        "further": confirmed_runs(
                            [
                                judged(effects.sel(contrast=[one.label]), region)
                                .isel(contrast=0)
                                .sel(task=rule.task)
                                for one in rule.further
                                if one.label in effects["contrast"]
                            ],
                            rule,
                        ),
                        "interaction": float(row["ace"]),
                        "lower": float(row["lower"]),
                        "upper": float(row["upper"]),
                        "p": _p_of(row)[0],
                        **self.doubt(
                            outcomes.sel(task=[rule.task]), mean, f"{name} {rule.task}"
                        ),
                    }
                )
                if self.members:
                    effects = contrast(outcomes, contrasts=mean)
                    each = [
                        judged(effects.sel(model=one), region).sel(task=rule.task)
                        for one in self.members
                    ]
                    hold = [_same_way(one, float(row["ace"])) for one in each]
                    of_rules[-1] |= {
                        "members_hold": sum(hold),
                        "n_members": len(hold),
                    }
        q_motif, q_rule = _tree(p_of, of_rules)
        motifs_again = table.loc[table["reads"].astype(bool), ["motif", "task"]].copy()
        own = [*zip(motifs_again["motif"], motifs_again["task"], strict=True)]
        motifs_again["confirmed_lost"] = [lost_again.get(x, np.nan) for x in own]
        columns = [*_OF_RULES, *(_OF_MEMBERS if self.members else ())]
        confirmed = pd.DataFrame(of_rules, columns=[*columns, "specific"])
        specific = confirmed.pop("specific").astype(bool)
        confirmed["q"] = q_rule
        same_sign = np.sign(confirmed["tested"]) == np.sign(confirmed["interaction"])
        confirmed["holds"] = (confirmed["q"] <= _LEVEL) & same_sign & specific
        # what a rule that holds shows: that its task reads both of its motifs
        for held in confirmed[confirmed["holds"]].to_dict("records"):
            for label in (held["first"], held["second"]):
                leaf = (label, held["task"])
                q_motif[leaf] = min(held["q"], q_motif.get(leaf, 1.0))
        motifs_again["confirmed_q"] = [q_motif[x] for x in own]
        return motifs_again, confirmed

    def doubt(
        self,
        outcomes: xr.Dataset,
        contrasts: Mapping[str, Mapping[str, float]],
        name: str,
    ) -> dict[str, Any]:
        """Return how many checks of a rule pass, warn and fail, and which do; and whether
        it is specific: beyond orders of the letters of each of its motifs, where there
        are any, and no effect of sites that arise where the two meet.
        """
        found = self.keep(
            _file(f"refute {name}"),
            lambda: refute(
                outcomes,
                self.predictor,
                rng=derive(self.key, "refute", name),
                contrasts=contrasts,
            ),
        )
        status = found["status"].to_numpy().astype(str)
        names = found["check"].to_numpy().astype(str)
        of_two = (status[names == "beyond placebos"] == "pass").all()
        of_two &= (status[names == "junction sites"] != "fail").all()
        return {
            "specific": bool(of_two),
            **{word: int((status == word).sum()) for word in ("pass", "warn", "fail")},
            "doubts": ", ".join(
                f"{check} ({word})"
                for check, word in zip(names.tolist(), status.tolist(), strict=True)
                if word in ("warn", "fail")
            ),
        }

    def along(
        self,
        found: Sequence[Candidate],
        confirmed: pd.DataFrame,
        sites: pd.DataFrame,
        least: Mapping[str, float],
    ) -> pd.DataFrame:
        """Return how the effects of motifs that hold change with GC."""
        region = {task: (-one, one) for task, one in least.items()}
        null, rows = DinucleotideShuffle(of=self.parts.reserved), list[pd.DataFrame]()
        with self.stages.stage("their effects along GC"):
            for one in _holding(found, confirmed):
                trial = trial_along(one.motif, null, n_units=_COMPOSITION_UNITS)
                outcomes = _mean(self.run(f"along {one.label}", trial))
                effects = contrast(outcomes, contrasts=trial.named_contrasts)
                rows.append(rows_along(one.label, trial, effects, region))
        testing = self.parts.testing
        return table_along(rows, sites, [*map(str, testing.names)], testing.tokens)

    def explain(
        self,
        found: Sequence[Candidate],
        table: pd.DataFrame,
        rules: Sequence[Rule],
        composition: pd.DataFrame,
        along: pd.DataFrame,
        account: pd.DataFrame,
    ) -> pd.DataFrame:
        """Return the share of the variance of predictions on the reserved sequences that
        motifs (where they act, too, if that is not everywhere), their contexts,
        composition and rules explain, and, where other bases carry some of it, letters by
        place; fitted on the others and on the hybrids of these.
        """
        y, hybrids = self.predictions, self.hybrids
        effective = dict(account.groupby("task")["effective"].first())
        used = [
            one
            for one in found
            if table.loc[table["motif"] == one.label, "reads"].any()
            or any(one.label in (rule.first, rule.second) for rule in rules)
        ]

        def features(tokens: Tokens, *, by_place: bool) -> dict[str, Array]:
            sites = {
                one.label: sites_of(one, tokens, both_strands=self.both_strands)
                for one in used
            }
            matches = [
                match_features(tokens, one, both_strands=self.both_strands)
                for one in (*(one.motif for one in used), *self.acting)
            ]
            there = [
                sites[label].within(*ends).counts()
                for label, ends in _narrow_places(table, sites, tokens.shape[1])
            ]
            none = np.zeros((len(tokens), 0))
            counts = [one.counts() for one in sites.values()]
            columns = {
                "motifs": np.column_stack([none, *matches, *counts, *there]),
                "contexts": features_along(along, sites, tokens),
                "composition": composition_features(tokens, composition),
                "rules": occurrences(rules, sites, len(tokens)),
            }
            return columns | ({"places": _letters_by_place(tokens)} if by_place else {})

        def shares(
            of: Sequence[str], measured: str, tasks: Sequence[str], *, by_place: bool
        ) -> pd.DataFrame:
            """Return the shares of one part, fitted on others and on their hybrids."""
            part = self.parts.by_name
            own = [x for x in hybrids if set(of) >= x.parts]
            tokens = np.concatenate(
                [*(part[x].tokens for x in of), *(x.tokens for x in own)]
            )
            at = [self.tasks.index(task) for task in tasks]
            answers = np.concatenate([*(y[x] for x in of), *(x.answers for x in own)])
            fitted = features(tokens, by_place=by_place)
            other = features(part[measured].tokens, by_place=by_place)
            parents = np.array(part[measured].parents).astype(str)
            return variance_explained(
                answers[:, at],
                y[measured][:, at],
                {step: (columns, other[step]) for step, columns in fitted.items()},
                tasks,
                pd.factorize(parents)[0],
                effective=effective,
            )

        with self.stages.stage("the share of the predictions that this explains"):
            both = ("proposing", "testing")
            explained = shares(both, "reserved", self.tasks, by_place=False)
            carry = [
                str(task)
                for task, rows in account.groupby("task", sort=False)
                if others_carry(rows.set_index("line"))
            ]
            n_fitted = sum(len(x.tokens) for x in hybrids if x.parts == {"proposing"})
            if carry and 3 * _ROWS_A_LETTER * self.parts.reserved.length <= n_fitted:
                tried = shares(both[:1], "testing", carry, by_place=True)
                share = tried.pivot(index="task", columns="step", values="share")
                gain = share["places"] - share["rules"].clip(lower=0)
                helped = [task for task in carry if gain[task] >= SAID]
                if helped:
                    places = shares(both, "reserved", helped, by_place=True)
                    places = places[places["step"] == "places"]
                    explained = pd.concat([explained, places], ignore_index=True)
        return explained

    def account(
        self, found: Sequence[Candidate], confirmed: pd.DataFrame, plan: Plan
    ) -> pd.DataFrame:
        """Return what the sites of motifs that hold carry, and where the rest lies."""
        parts = self.parts.by_name.values()
        tokens = np.concatenate([one.tokens for one in parts])
        y = np.concatenate([*self.predictions.values()])
        names = np.concatenate([np.array(x.parents).astype(str) for x in parts])
        rng = np.random.default_rng(derive(self.key, "account"))
        rows = np.sort(rng.permutation(len(tokens))[:MOST_IN_ACCOUNT])
        named = {
            one.label: Named(one.motif, one.threshold, self.sites_on[one.label])
            for one in _holding(found, confirmed)
        }
        cost = n_predictions(len(rows), len(named), whole=True)

        ends = np.cumsum([len(one) for one in parts])
        part_of = np.searchsorted(ends, rows, side="right")

        def answers(line: str, hybrids: Tokens, of: Codes) -> Array:
            def made() -> xr.Dataset:
                y = (("sequence", "task"), self.answers(hybrids))
                return xr.Dataset({"prediction": y})

            kept = self.keep(_file(f"account {line}"), made)["prediction"].to_numpy()
            last = part_of[of].max(axis=0)  # none is of reserved sequences
            for k, names in enumerate(({"proposing"}, {"proposing", "testing"})):
                own = last == k
                self.hybrids.append(_Hybrids(names, hybrids[own], kept[own]))
            return np.asarray(kept)

        with self.stages.stage("what the sites carry, whatever they do"):
            return account_table(
                tokens[rows],
                pd.factorize(names[rows])[0],
                y[rows],
                self.tasks,
                named,
                answers=answers,
                key=derive(self.key, "account"),
                whole=cost <= plan.n_predictions * _OF_ACCOUNT,
            )


_OF_RULES = (
    *(*OF_RULE, "arrangement", "n_gaps", "task", "tested", "further"),
    *("interaction", "lower", "upper"),
    *("p", "pass", "warn", "fail", "doubts"),
)
_OF_MEMBERS = ("members_hold", "n_members")
_OF_NULLS = ("prediction_range", "kmer_composition")


def _file(name: str) -> str:
    """Return the name of the file of a stage.

    Examples
    --------
    >>> _file("rule A+ then B-, gap 3 to 8")
    'rule_A+_then_B-_gap_3_to_8'
    """
    return quote(name.replace(" ", "_").replace(",", ""), safe="+:")


def _letters_by_place(tokens: Tokens) -> Array:
    """Return whether each letter but the last stands at each place, (n, 3 length)."""
    letters = (tokens[:, :, None] == np.arange(3)).astype(float)
    return np.asarray(letters.reshape(len(tokens), -1))


def _holding(found: Sequence[Candidate], confirmed: pd.DataFrame) -> list[Candidate]:
    """Return the motifs that hold on the reserved sequences."""
    holds = confirmed.loc[confirmed["confirmed_q"] <= _LEVEL, "motif"].unique()
    return [one for one in found if one.label in holds]


def _mean(outcomes: xr.Dataset, of: str = "outcome") -> xr.Dataset:
    """Return the mean over the members of an ensemble, of which tests are."""
    if "model" not in outcomes[of].dims:
        return outcomes
    mean = outcomes[of].mean("model", keep_attrs=True)
    rest = [name for name, one in outcomes.variables.items() if "model" in one.dims]
    return outcomes.drop_vars(rest).assign({of: mean})


def _same_way(decided: xr.Dataset, mean: float) -> bool:
    """Return whether one effect has a direction, that of the mean."""
    directed = str(decided["verdict"].item()) in DIRECTIONS
    return directed and bool(np.sign(decided["ace"].item()) == np.sign(mean))


def _claims(row: Mapping[Any, Any], name: str) -> bool:
    """Return whether a motif has a direction, lost or alone, at the level."""
    return row[f"{name}_verdict"] in DIRECTIONS and row[f"{name}_q"] <= _LEVEL


def _p_same_way(decided: xr.Dataset | None, mean: float) -> float:
    """Return p of one effect in the direction of the mean; 1 where it has another, or
    could not be asked.
    """
    if decided is None or not _same_way(decided, mean):
        return 1.0
    return float(decided["p_verdict"])


def _feature_rows(decided: xr.Dataset) -> pd.DataFrame:
    """Return the rows of one feature, a row a task."""
    row = decided.isel(contrast=0)
    return pd.DataFrame(
        {
            "feature": str(row["contrast"].item()),
            "task": row["task"].to_numpy(),
            "effect": row["ace"].to_numpy(),
            "lower": row["lower"].to_numpy(),
            "upper": row["upper"].to_numpy(),
            "verdict": row["verdict"].to_numpy(),
            "p": _p_of(row),
        }
    )


def _as_dataset(table: pd.DataFrame) -> xr.Dataset:
    found: xr.Dataset = table.rename_axis("row").to_xarray()
    return found


def _read(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with q-values over its rows, and whether each is read."""
    directed = table[["lost_verdict", "alone_verdict"]].isin(DIRECTIONS).to_numpy()
    p = np.where(directed, table[["lost_p", "alone_p"]].to_numpy(float), 1.0)
    q = stepwise(p.ravel(), "bh").reshape(p.shape)
    reads = np.asarray((directed & (q <= _LEVEL)).any(axis=1))
    return table.assign(lost_q=q[:, 0], alone_q=q[:, 1], reads=reads)


def _p_of(decided: xr.Dataset) -> list[float]:
    """Return p of each direction, 1 where there is none."""
    directed = np.isin(decided["verdict"].to_numpy(), DIRECTIONS)
    p = np.where(directed, decided["p_verdict"].to_numpy(), 1.0)
    values: list[float] = p.ravel().tolist()
    return values


def _tree(
    p_of: Mapping[tuple[str, str, str], float], rules: Sequence[Mapping[str, Any]]
) -> tuple[dict[tuple[str, str], float], list[float]]:
    """Return adjusted p of motifs by task, the smaller of those of what is claimed of it
    there, which share the place of their motif; and of rules, which stand below the first of
    their motifs, as these were tested; rules of none stand alone.
    """
    if not p_of and not rules:
        return {}, []
    n_claims = Counter(label for label, *_ in p_of)
    labels = list(n_claims)
    above = []
    for rule in rules:
        own = [x for x in (rule["first"], rule["second"]) if x in n_claims]
        above.append(min(map(labels.index, own)) if own else -1)
    of_motif = [
        min(1.0, n * min(p for key, p in p_of.items() if key[0] == label))
        for label, n in n_claims.items()
    ]
    q = hierarchical_p(
        [*of_motif, *(rule["p"] for rule in rules), *p_of.values()],
        np.array([*([-1] * len(labels)), *above, *(labels.index(x) for x, *_ in p_of)]),
        [
            *(1 + above.count(k) for k in range(len(labels))),
            *([1] * len(rules)),
            *(1 / n_claims[label] for label, *_ in p_of),
        ],
    ).tolist()
    q_motif: dict[tuple[str, str], float] = {}
    for (label, task, _), one in zip(p_of, q[len(labels) + len(rules) :], strict=True):
        q_motif[label, task] = min(one, q_motif.get((label, task), 1.0))
    return q_motif, q[len(labels) : len(labels) + len(rules)]


def _narrow_places(
    table: pd.DataFrame, widths: Mapping[str, Sites], length: int
) -> list[tuple[str, tuple[float, float]]]:
    """Return the motifs that act at some places alone, with the first and last start:
    halfway to the next places that were tried.
    """
    found = list[tuple[str, tuple[float, float]]]()
    for row in table[table["reads"].astype(bool)].to_dict("records"):
        if row["motif"] not in widths or not np.isfinite(row["place_from"]):
            continue
        last = length - widths[row["motif"]].width
        step = last / (PLACES - 1)
        if row["place_from"] > 2 * step or row["place_to"] < last - 2 * step:
            ends = (row["place_from"] - step / 2, row["place_to"] + step / 2)
            found.append((row["motif"], ends))
    return list(dict.fromkeys(found))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _named(
    table: pd.DataFrame, found: Sequence[Candidate], known: Mapping[str, Motif] | None
) -> pd.DataFrame:
    """Return the table with the name of each motif, empty where none is near, and the
    next two.
    """
    names = {one.label: ("", "") for one in found}
    if known is not None and found:
        matched = match({one.label: one.motif for one in found}, known)
        columns = (
            matched[name].to_numpy().tolist() for name in ("label", "runners_up")
        )
        names = dict(zip(names, zip(*columns, strict=True), strict=True))
    for at, column in enumerate(("name", "runners_up")):
        table.insert(at, column, [names[one][at] for one in table["motif"]])
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
