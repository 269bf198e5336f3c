"""`discover`: motifs that a network reads, proposed on one part of the sequences and
tested on the other.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import combinations
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia._run import run
from causalgia.attributes import about
from causalgia.attribution import match
from causalgia.attribution._propose import (
    N_OF_MAPS,
    Method,
    propose_in_stages,
    requested_methods,
)
from causalgia.attribution.distinct_patterns import (
    EditedBackgrounds,
    effects_by_base,
    is_near_copy,
    is_variant,
)
from causalgia.attribution.layer_responses import check_enough_targets, expected_places
from causalgia.attribution.map_scores import as_explained
from causalgia.attribution.motif_families import (
    family_effects,
    family_leaders,
    family_logos,
    family_table,
)
from causalgia.attribution.motif_naming import SAME_NAME
from causalgia.attribution.stored_patterns import Keep, make_anew, stored_in
from causalgia.checks import as_count
from causalgia.choices import DIRECTIONS, requested_parts
from causalgia.design import Arm, Design, DinucleotideShuffle, Embed, Untreated
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.effects import contrast
from causalgia.errors import (
    DegenerateWarning,
    MissingExtraError,
    SequenceError,
    StoreError,
    install_command,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.experiments import proposals as proposals_trial
from causalgia.experiments._proposals import placebo_sentences
from causalgia.experiments.kit.joint_effects import (
    ADDITIVE,
    UNDECIDED,
    JointEffect,
    bounded_sentences,
    is_departure,
    joint_effect,
    scales_tried,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.schema import validate
from causalgia.sequences import Motif, encode, motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.fasta import (
    Sequences,
    Source,
    as_shuffled,
    sequence_fingerprints,
)
from causalgia.sequences.motif_names import MotifList, named_motifs
from causalgia.streams import RNG, derive, root_key
from causalgia.tell import figures
from causalgia.tell.answers import ReportText, every_row
from causalgia.tell.discovery_answers import (
    discovery_parts,
    discovery_sentences,
    foot_of_discovery,
)
from causalgia.tell.effect_rows import Rows
from causalgia.trial.archive import place_of
from causalgia.trial.design_notes import told_apart
from causalgia.trial.outcomes import meter
from causalgia.trial.stages import Stages

_LEAST_SEQUENCES = 40
_CONFIRMATION_UNITS = 200
_MOST_IN_PAIRS = 4
_SUM = 0.1
_SAME_MATRIX = 1e-3
"""p of two motifs that match a matrix, at most, for them to be one family: q alone is
weak where a database has few matrices.
"""
_SHUFFLES_OF_FAMILIES = 16
"""Shuffles in which the bases of confirmed motifs are varied: families of words of 30
known matrices had about the same errors with 8, 16 and 24.
"""
_N_OF_TRIALS = 2
"""Stages after the proposals: the trial of single motifs, and that of pairs."""
OF_MOTIFS = (
    *(
        "consensus",
        *("name", "nearest", "name_q", "runners_up", "tf_class", "tf_family"),
        "task",
        "ace",
        "lower",
        "upper",
        "q",
        "verdict",
        "members",
        "sequences",
        "methods",
    ),
    "variant_of",
    "family",
)
PROPOSALS, _OF_DISCOVERY = "proposals.nc", "discovery_"
_PAIRS_ALIKE = 3
"""Pairs of one task, at least, that are said to read alike."""
OF_PAIRS = (
    *("first", "second", "task", "first_alone", "second_alone"),
    *("interaction", "lower", "upper", "reads", "same_sign"),
)
_NO_BASE = 4
_EFFECT_COLUMNS = ("ace", "lower", "upper")
_OF_SITES = ("sequence", "start", "stop", "motif", "strand")


@dataclass(frozen=True, eq=False, repr=False)
class Discovery:
    """The answer of `causalgia.discover`: which proposed motifs act on fresh
    units, and which are not confirmed.

    Attributes
    ----------
    table
        A row a pattern and task, confirmed ones first: ``consensus``, ``name`` (what it
        may be called, empty where no motif is near), ``nearest, name_q, runners_up,
        tf_class, tf_family`` of the nearest motif (`causalgia.attribution.match`),
        ``task``, ``ace, lower, upper`` on the
        predictor's scale, ``q``, ``verdict``, ``members``, the number of predictors in
        which the motif lies beyond random sequences in the direction that most of them
        have, ``sequences``, the number of proposing sequences with a window that
        proposed it (a seqlet, an occurrence of the motif, a site of a filter; some
        filters have sites in all), ``methods``, which proposed it, and ``variant_of``,
        the largest motif of the same verdict and task from which it differs by one
        letter, empty where there is none, and ``family``, the largest confirmed motif
        of its family over all tasks, itself where it leads; a family is a core that
        carries the effects of its motifs, on either strand
        (`causalgia.sequences.motif_alignments.effect_families`), or a matrix of
        `motifs` that they match; empty for motifs that are not confirmed.
    pairs
        A row a pair of motifs and a task in which both act: ``first``, ``second``,
        ``first_alone``, ``second_alone``, their effects, ``interaction, lower, upper``;
        ``reads``, what they do together as `causalgia.experiments.joint_effect` names
        it: "additive", "synergistic", "saturating", "weakening" or "undecided"; and
        ``same_sign``, "yes" where the interaction has one sign as predicted, on the log
        of means and on the logit of outcomes, "no" where it has not, empty where these
        scales are impossible.
    sites
        Where confirmed motifs occur in the sequences given:
        ``sequence, start, stop, motif, strand``, on the other strand where the network
        reads both. A site of a motif of 11 bp or more may differ from it by a few
        letters (4 of 17): as many as leave such a site in fewer than one of 100 random
        sequences in which all bases are equally likely. Sequences rich in the motif's
        own bases have more by chance.
    proposals
        From `causalgia.propose`.
    decisions
        Verdicts on every proposed motif and random sequence; None without proposals.
    logos
        ``frequency (family, motif_position, base)`` over the instances of each family
        in the sequences given, and their number ``n_instances``; None without
        proposals.
    length
        Positions of a sequence.
    n_proposing, n_fresh
        Sequences on which motifs were proposed, and sequences of whose shuffles the
        units of the trial are.
    sentences, foot, notes
        The answer as text, what stands under the table, and what is printed on request.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    sites: pd.DataFrame
    proposals: xr.Dataset
    decisions: xr.Dataset | None
    n_proposing: int
    n_fresh: int
    sentences: tuple[str, ...] = field(default=())
    foot: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())
    logos: xr.Dataset | None = None
    length: int = 0

    @property
    def question(self) -> str:
        """The question that `discover` answers."""
        return "Which motifs does the network read?"

    @property
    def confirmed(self) -> pd.DataFrame:
        """The rows of the table with a verdict "increases" or "decreases"."""
        return self.table[self.table["verdict"].isin(DIRECTIONS)]

    @property
    def families(self) -> pd.DataFrame:
        """A row for each family of confirmed motifs, the largest effect first: ``motif``,
        which leads it, its ``name``, the ``task`` in which it acts most, and
        ``ace, lower, upper, q, verdict, members`` there; ``n_motifs`` and ``others``, its other
        motifs; ``n_sites``, how often they occur in the sequences given, ``share``, the
        share of sequences with one; ``middle, middle_lower, middle_upper``, the median
        and the quartiles of the middles of sites (0-based); ``partners``, the motifs
        with which it was tested together, and what they do.
        """
        n = self.n_proposing + self.n_fresh
        return family_table(self.confirmed, self.sites, self.pairs, n)

    @property
    def effects_by_task(self) -> pd.DataFrame:
        """A row for each family and task in which it acts: the motif of the family with
        the largest effect there, as in `table`.
        """
        return family_effects(self.confirmed)

    def draw(self) -> figures.Axes:
        """Draw the families: logos of their instances, effects by task, and where their
        sites stand.

        Raises
        ------
        DataError
            If no motif is confirmed.
        """
        from causalgia.tell.figures.motif_panels import motif_families

        return motif_families(
            self.families, self.effects_by_task, self.sites, self.logos, self.length
        )

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        """Return the answer and the table of motifs, for notebooks."""
        return self.report()._repr_html_()

    def report(
        self,
        *,
        rows: Rows = "summary",
        arms: bool = False,
        sentences: bool = False,
        notes: bool = False,
    ) -> ReportText:
        """Return the answer as text: its sentences, the table of confirmed motifs, and
        at most three lines under it.

        Parameters
        ----------
        rows
            ``"all"``: also the motifs that are not confirmed.
        arms, sentences, notes
            Whether to print also what was embedded where, a sentence for each motif and
            pair, and the notes on method and data.
        """
        parts = discovery_parts(
            self,
            every_row=every_row(rows),
            requested=requested_parts(arms=arms, sentences=sentences, notes=notes),
        )
        return ReportText(parts.text(), parts.html())

    def __repr__(self) -> str:
        held, n_motifs = (
            self.confirmed["consensus"].nunique(),
            self.table["consensus"].nunique(),
        )
        return f"<Discovery: {held:,} of {n_motifs:,} proposed motifs confirmed>"


@usual_errors
def discover(
    predictor: Predictor,
    sequences: Source | xr.Dataset,
    *,
    n_units: int = _CONFIRMATION_UNITS,
    method: Method | Literal["all"] | Sequence[Method] = "all",
    motifs: MotifList | None = None,
    expected: str | Sequence[str] | None = None,
    keep_n: bool = False,
    store: str | PathLike[str] | None = None,
    progress: bool = True,
    rng: RNG,
) -> Discovery:
    """Return the motifs that a network reads: proposed on half of the sequences, tested
    on the other half.

    Maps of one half propose motifs (`causalgia.propose`). Each motif is embedded in
    dinucleotide shuffles of the other half, and tested against random sequences
    (`causalgia.experiments.proposals`). Pairs of the (up to four) largest motifs that
    act are then embedded together, which distinguishes additive motifs from those that
    need or replace each other. An empty result is valid: no motif was proposed, or none
    is confirmed.

    Parameters
    ----------
    predictor
        The network. Of an `causalgia.Ensemble`, maps are averaged, and motifs are
        tested in each member: a motif is confirmed if it is in more than half and
        the mean over them, its effect, has the same sign.
    sequences
        Sequences to which the network responds, 40 or more: as for
        ``cg.Genomic(of=...)``, or a Dataset from ``null.sample``. Copies, on either
        strand, count once; those of one parent, as overlapping windows, are in one
        half.
    n_units
        Backgrounds of each trial.
    method
        What proposes motifs, as in `causalgia.propose`: ``"seqlets"``, ``"kmer"``,
        ``"modisco"``, ``"filters"``, several of them, or ``"all"`` that the predictor,
        the sequences and the installation allow, seqlets first. The answer names those
        left out.
    motifs
        Name -> motif (anything `causalgia.motif` takes), a list of such, a file of
        motifs, or ``"JASPAR"``, the vertebrates' motifs of pyjaspar, to name the motifs by: the nearest motif by
        Tomtom, if its q-value (Benjamini-Hochberg over the named motifs, for each
        proposed one by itself) is at most 0.1: see `causalgia.attribution.match`.
    expected
        Names of `motifs` that you expect, such as ``["CTCF", "ZNF143"]``, by default of
        ``"JASPAR"``: a proposed motif is compared with these alone as well, and has the
        name of one that is like it.
    keep_n
        Whether N and other ambiguous letters keep their places in shuffles, as in
        `causalgia.DinucleotideShuffle`; sites do not contain them. In maps, and where
        the answers to the sequences themselves are compared with those to shuffles,
        each is one base, drawn from those that it admits. False: such letters are
        refused (``cg.read_sequences(..., ambiguous="draw", rng=0)`` draws bases for
        them once).
    store
        Folder in which maps, the proposals of each method and outcomes are kept as soon
        as they are there; the same call goes on from what it has.
    progress
        Whether a line for each stage, and how long it will take, is printed to stderr;
        on a terminal also a progress bar.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For null sequences and
        backgrounds.

    Returns
    -------
    Discovery
        With ``table``, ``pairs``, ``proposals`` and ``decisions``; printed, it is the
        confirmed part of it.

    Raises
    ------
    SequenceError
        If the sequences have fewer than 40 parents, or motifs cannot be read.
    PredictorError
        If `motifs` has no motif of an expected name.
    MissingExtraError
        If motifs are given and memelite is not installed; or pyjaspar is not, for
        ``"JASPAR"``, `expected` alone, and fewer than 50 motifs.
    StoreError
        If `store` holds a discovery with other settings, which are named.

    Notes
    -----
    Networks on the CPU recompute edits in part where they can, as
    ``cg.TorchPredictor(..., incremental=True)`` does: 500 sequences of 249 bp and
    DeepSTARR took 132 s of processor time by all methods, and 48 s by seqlets alone.

    A motif is confirmed if its effect lies beyond the range of random sequences of its
    width, with a false discovery rate of at most .05 over the motifs. No random
    sequence holds a proposed motif of five bases or more.

    If the network distinguishes the other half from its shuffles (area under the ROC
    curve of untreated answers of .95 or more, or .05 or less), the result says so:
    effects are then measured on sequences unlike those given.

    With several members effect, interval and ``q`` are those of the median member (each
    the third of five; of an even number the weaker of the two in the middle), so that
    interval and verdict are one; ``members`` counts those that agree, and the answer of
    `causalgia.experiments.proposals` has the mean over members. Confirmed motifs that are shifted
    copies of a larger one (``GTGACTCA`` and ``TGACTCAC``), or differ from it by one
    letter (``variant_of``) or are of its ``family``, on either strand, are left out of
    the pairs: a network
    that reads a motif usually also reads it, more weakly, with one letter changed.
    Pairs are at two positions, a third of the sequence apart;
    `causalgia.experiments.pair` estimates interactions at other distances. Their
    intervals are Bonferroni's over the pairs, and "additive" means that the interval
    lies within a tenth of the smaller of the two effects. Where an interaction is the same
    in every unit, that takes hundreds of sequences, since a few that were not drawn
    could differ.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925. Gupta et al. (2007),
    doi:10.1186/gb-2007-8-2-r24: Tomtom.

    Examples
    --------
    >>> import causalgia as cg
    >>> drawn = cg.sequences.decode(
    ...     cg.Uniform(length=41).sample(120, rng=1)["sequence"].values
    ... )
    >>> peaks = [row[:9] + "TGCATG" + row[15:25] + "AGAATG" + row[31:] for row in drawn]
    >>> found = cg.discover(cg.zoo.oracle("additive"), peaks, rng=0)
    >>> found.confirmed[["consensus", "verdict"]].values.tolist()[0]
    ['TGCATG', 'increases']
    >>> found.pairs["interaction"].tolist()[0]
    0.0
    """
    check_predictor(predictor, "discover(predictor, sequences)")
    n_units, key = as_count(n_units, "n_units"), root_key(rng)
    if motifs is None and expected is not None:
        motifs = "JASPAR"
    named = None if motifs is None else named_motifs(motifs)
    expected_places(expected, named or {})
    if named is not None and find_spec("memelite") is None:
        raise MissingExtraError(
            f"motifs= needs memelite: {install_command('attribution')}"
        )
    if named is not None:
        check_enough_targets(len(named))
    folder = None if store is None else place_of(store)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise StoreError(
            f"{folder}: is a file, and proposals and outcomes are kept in a folder"
        )
    given = _as_given(sequences, keep_n=keep_n)
    distinct = _without_copies(given)
    proposing, fresh = _split(distinct)
    predictor.predict(proposing.parents_given.tokens[:1])
    predictor = predictor.with_incremental_edits(fresh.length)
    settings: dict[str, str | int] = {
        "predictor": predictor.fingerprint,
        "sequences": given.digest,
        "rng": str(key),
        "n_units": n_units,
        "method": method
        if isinstance(method, str)
        else ", ".join(requested_methods(method)),
    }

    stages = Stages(
        N_OF_MAPS + len(requested_methods(method)) + _N_OF_TRIALS, show=progress
    )
    keep = make_anew if folder is None else _keeping(folder, settings)

    def proposing_motifs() -> xr.Dataset:
        of = proposing.parents_given
        return propose_in_stages(
            sequences=Sequences(of.tokens, of.names),
            predictor=predictor,
            method=method,
            rng=derive(key, "propose"),
            keep=keep,
            stages=stages,
            progress=progress,
        )

    proposed = validate(keep("proposals", proposing_motifs), "proposals")
    stages.number = stages.n - _N_OF_TRIALS
    n_proposing, n_fresh = len(proposing.parents_given), len(fresh.parents_given)
    n_copies = len(given) - len(distinct)
    copies = [
        f"{n_copies:,} of {len(given):,} sequences are copies of others, on either "
        "strand, and are left out."
    ]
    copies = copies if n_copies else []
    n_parents = len(set(distinct.parents))
    if n_parents < len(distinct):
        copies.append(
            f"{len(distinct):,} sequences, {n_parents:,} parents: those of one parent "
            "are in one half."
        )
    without = about(proposed, None).left_out
    copies += (
        [f"Motifs are proposed by {about(proposed).method}; without {without}."]
        if without
        else []
    )
    if not proposed.sizes["pattern"]:
        table, pairs, sites = (
            _empty(columns) for columns in (OF_MOTIFS, OF_PAIRS, _OF_SITES)
        )
        return Discovery(
            *(table, pairs, sites, proposed, None, n_proposing, n_fresh),
            sentences=tuple(discovery_sentences(table, table, pairs)),
            notes=tuple(copies),
        )
    trial = proposals_trial(proposed, fresh, n_units=n_units)
    n_arms = (
        sum(not isinstance(arm.intervention, FixedPlacebo) for arm in trial.named_arms)
        - 1
    )
    with stages.stage(
        f"trial of {n_arms:,} motifs and {len(trial.named_arms) - 1 - n_arms:,} random "
        f"sequences in {n_units:,} shuffles of {n_fresh:,} other sequences"
    ):
        outcomes = _run_in(
            folder,
            "trial",
            trial,
            predictor,
            derive(key, "trial"),
            real="parents",
            progress=progress,
        )
    answer = trial.analyze(outcomes, rng=derive(key, "analysis"))
    both_strands = bool(about(proposed).both_strands)
    table = _table(answer.decisions, proposed)
    table, matched = _with_names(table, proposed, named, expected)
    table["variant_of"] = _variants(table, both_strands=both_strands)
    effects = _effects_by_base(
        predictor, fresh, table, derive(key, "families"), keep, progress=progress
    )
    classes = {
        letters: of
        for letters, name, of in zip(
            table["consensus"], table["name"], table["tf_class"], strict=True
        )
        if name
    }
    table["family"] = family_leaders(table, matched, effects, classes)
    # a motif and its reverse complement that both act are one motif
    largest, left_out = _largest(table, both_strands=True)
    with stages.stage(f"pairs of {len(largest):,} motifs of different families"):
        pairs = _pairs(
            predictor,
            fresh,
            table,
            largest,
            n_units,
            derive(key, "pairs"),
            folder,
            progress=progress,
        )
    apart = told_apart(trial, predictor, "parents")
    sites = _sites(
        [proposing.parents_given, fresh.parents_given], table, both_strands=both_strands
    )
    held = table[table["verdict"].isin(DIRECTIONS)]
    alike, places = _pair_sentences(pairs, fresh.length, largest)
    foot = [
        *foot_of_discovery(
            n_units=n_units,
            n_fresh=n_fresh,
            n_proposing=n_proposing,
            rate=1 - float(about(answer.decisions).ci_prob),
            placebos=placebo_sentences(answer.decisions),
            apart=None if apart is None else apart.auroc,
            n_members=len(predictor.models or ()),
        ),
        *alike,
        *_exact_sentences(answer.decisions, n_fresh),
    ]
    notes = [
        *_ambiguous_sentences(given),
        *_other_motifs(table, answer.decisions),
        *_variant_sentences(table),
        *left_out,
        *places,
        *(bounded_sentences(outcomes) if len(pairs) else []),
        *(
            f"{one[0].upper()}{one[1:]}, of sequences that were not given here."
            for one in ([] if apart is None else [apart.note])
        ),
        *copies,
    ]
    parts = [proposing.parents_given, fresh.parents_given]
    return Discovery(
        *(table, pairs, sites, proposed, answer.decisions, n_proposing, n_fresh),
        sentences=tuple(discovery_sentences(table, held, pairs)),
        foot=tuple(foot),
        notes=tuple(notes),
        logos=family_logos(held, sites, parts, effects),
        length=fresh.length,
    )


def _keeping(folder: Path, settings: Mapping[str, str | int]) -> Keep:
    """Return the function that keeps Datasets of these settings in a folder, and refuses
    those of others.
    """
    marked = {f"{_OF_DISCOVERY}{name}": value for name, value in settings.items()}

    def check(held: xr.Dataset) -> None:
        differ = [
            f"{name} was {quoted(held.attrs.get(_OF_DISCOVERY + name, 'not kept'))} and "
            f"is {quoted(value)}"
            for name, value in settings.items()
            if held.attrs.get(_OF_DISCOVERY + name) != value
        ]
        if differ:
            raise StoreError(
                f"{folder}: holds another discovery: {'; '.join(differ)}",
            )

    return stored_in(folder, marked, check)


def _run_in(
    folder: Path | None,
    name: str,
    design: Design,
    predictor: Predictor,
    key: int,
    real: Any = None,
    *,
    progress: bool,
) -> xr.Dataset:
    """Return the outcomes of a trial, which goes on from what a folder has of it."""
    store = None if folder is None else folder / f"{name}.zarr"
    outcomes = run(
        design, predictor, rng=key, real=real, store=store, progress=progress
    )
    return outcomes if store is None else outcomes.load()


def _exact_sentences(decisions: xr.Dataset, n_fresh: int) -> list[str]:
    """Return a sentence on motifs with the same effect in all units, of too few
    sequences for a verdict.
    """
    strings = decisions.sel(contrast=~decisions["is_placebo"])
    beyond = (strings["ace"] < strings["rope_lower"]) | (
        strings["ace"] > strings["rope_upper"]
    )
    n = int(
        (beyond & (strings["se"] == 0) & (strings["verdict"] == "undecided"))
        .any([*strings["ace"].dims[1:]])
        .sum()
    )
    if not n:
        return []
    return [
        f"{n:,} motif{' has' if n == 1 else 's have'} the same effect in every unit, "
        f"beyond random sequences, and no verdict: {n_fresh:,} sequences are too few "
        "to exclude that others answer differently."
    ]


def _other_motifs(table: pd.DataFrame, decisions: xr.Dataset) -> list[str]:
    """Return a sentence on motifs that are confirmed in no task; none if all are."""
    held = set(table[table["verdict"].isin(DIRECTIONS)]["consensus"])
    others = [
        letters for letters in dict.fromkeys(table["consensus"]) if letters not in held
    ]
    if not others:
        return []
    rows = decisions.sel(contrast=others)
    inside = (rows["ace"] >= rows["rope_lower"]) & (rows["ace"] <= rows["rope_upper"])
    near = int(inside.all([dim for dim in inside.dims if dim != "contrast"]).sum())
    n, near_to = len(held) + len(others), "within the range of random sequences"
    if len(others) == 1:
        return [
            f"1 of {n:,} motifs is not confirmed"
            + f", and has an effect {near_to}" * near
            + "."
        ]
    return [
        f"{len(others):,} of {n:,} motifs are not confirmed; {near:,} of these have "
        f"effects {near_to}."
    ]


def _as_given(sequences: Source | xr.Dataset, *, keep_n: bool) -> Sequences:
    """Return the sequences given; with `keep_n` they may have ambiguous letters."""
    import xarray as xr

    if isinstance(sequences, xr.Dataset):
        return as_explained(sequences)
    return as_shuffled(sequences, keep_n=keep_n)


def _ambiguous_sentences(given: Sequences) -> list[str]:
    """Return a sentence on letters that keep their places; none if all are bases."""
    if given.ambiguous is None:
        return []
    n = int((given.ambiguous > 0).any(axis=1).sum())
    return [
        f"{n:,} of {len(given):,} sequences have letters that are not bases, such as N: "
        "they keep their places in shuffles; in maps each is one of the bases that it "
        "stands for; no site contains one."
    ]


def _without_copies(given: Sequences) -> Sequences:
    """Return sequences of which no two are equal or reverse complements of each other:
    the first of each. An ambiguous letter equals only itself.
    """
    prints = sequence_fingerprints(given.tokens).tolist()
    if given.ambiguous is not None:
        spelled = given.strings
        for row in np.flatnonzero((given.ambiguous > 0).any(axis=1)).tolist():
            prints[row] = min(spelled[row], reverse_complement_iupac(spelled[row]))
    _, first = np.unique(prints, return_index=True)
    if len(first) == len(given):
        return given
    retained = np.sort(first)
    odd = None if given.ambiguous is None else given.ambiguous[retained]
    names = tuple(str(given.names[row]) for row in retained)
    return Sequences(given.tokens[retained], names, ambiguous=odd)


def _split(of: Sequences) -> tuple[DinucleotideShuffle, DinucleotideShuffle]:
    """Return two null models: shuffles of half of the parents each."""
    if len(of) < _LEAST_SEQUENCES:
        raise SequenceError(
            f"{len(of):,} different sequences are too few to propose on one half and "
            f"test on the other: {_LEAST_SEQUENCES} or more",
        )
    whole = DinucleotideShuffle(of=of, keep_n=of.ambiguous is not None)
    n_parents = len(set(whole.parent_names))
    if n_parents < _LEAST_SEQUENCES:
        raise SequenceError(
            f"{len(of):,} sequences, {n_parents:,} parents (overlapping sequences, and "
            f"shuffles of one another, are one): {_LEAST_SEQUENCES} or more are needed "
            "to propose on one half and test on the other"
        )
    one, other = whole.split(0.5)
    if not isinstance(one, DinucleotideShuffle) or not isinstance(
        other, DinucleotideShuffle
    ):
        raise TypeError("halves of shuffles are shuffles")  # unreachable: for mypy
    return one, other


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(columns))


_NARROWEST_WITH_OTHERS = 11
_SITES_BY_CHANCE = 0.01
"""Most sites of a long motif that are expected in a random sequence, both strands
together, if some of its letters may differ.
"""


def _n_other_letters(width: int, length: int) -> int:
    """Return how many letters of a site may differ from a motif: none of one of ten or
    fewer, and of a longer one as many as leave sites rare in random sequences.

    Examples
    --------
    >>> [_n_other_letters(width, 200) for width in (8, 10, 11, 15, 17)]
    [0, 0, 1, 3, 4]
    """
    placed, strings, n = 2.0 * length / 4.0**width, 1, 0
    while width >= _NARROWEST_WITH_OTHERS:
        strings += math.comb(width, n + 1) * 3 ** (n + 1)
        if placed * strings > _SITES_BY_CHANCE:
            break
        n += 1
    return n


def _sites(
    parts: list[Sequences], table: pd.DataFrame, *, both_strands: bool
) -> pd.DataFrame:
    """Return where confirmed motifs occur in sequences, a row an occurrence; of a long
    motif the best of those that overlap by half.
    """
    import pandas as pd

    rows = []
    for consensus in dict.fromkeys(
        table[table["verdict"].isin(DIRECTIONS)]["consensus"]
    ):
        spelled = {"+": consensus}
        if both_strands and (other := reverse_complement_iupac(consensus)) != consensus:
            spelled["-"] = other
        width = len(consensus)
        for of in parts:
            n_other = _n_other_letters(width, of.length)
            tokens = of.tokens
            if of.ambiguous is not None:
                tokens = np.where(of.ambiguous > 0, _NO_BASE, tokens)
            found = list[tuple[int, int, int, str]]()  # fewest other letters first
            for strand, text in spelled.items():
                starts = of.length - width + 1
                other_letters = sum(
                    (tokens[:, k : k + starts] != one).astype(np.int64)
                    for k, one in enumerate(encode([text])[0])
                )
                found += [
                    (int(other_letters[row, start]), int(row), int(start), strand)
                    for row, start in np.argwhere(other_letters <= n_other)
                ]
            if n_other:
                found = _apart(sorted(found), width)
            rows += [
                [str(of.names[row]), start, start + width, consensus, strand]
                for _, row, start, strand in found
            ]
    return pd.DataFrame(rows, columns=list(_OF_SITES))


def _apart(
    found: list[tuple[int, int, int, str]], width: int
) -> list[tuple[int, int, int, str]]:
    """Return the first of the sites that overlap by half, in the order of sequences.

    Examples
    --------
    >>> _apart([(0, 0, 9, "+"), (1, 0, 10, "-"), (2, 0, 40, "+")], 12)
    [(0, 0, 9, '+'), (2, 0, 40, '+')]
    """
    taken: dict[int, list[int]] = {}
    held = []
    for site in found:
        _, row, start, _ = site
        if all(2 * abs(start - at) >= width for at in taken.setdefault(row, [])):
            taken[row].append(start)
            held.append(site)
    return sorted(held, key=lambda site: (site[3], site[1], site[2]))


def _table(decisions: xr.Dataset, proposed: xr.Dataset) -> pd.DataFrame:
    """Return a row for each motif and task, with a verdict where more than half of the
    members agree, and effect, interval and q of the median member.
    """
    import pandas as pd

    strings, by = (
        proposed["consensus"].to_numpy().tolist(),
        proposed["method"].to_numpy(),
    )
    counts = dict(zip(strings, proposed["n_units"].to_numpy().tolist(), strict=True))
    methods = {
        letters: ", ".join(by[row])
        for letters, row in zip(
            strings, proposed["proposed_by"].to_numpy(), strict=True
        )
    }
    each = decisions[["verdict", "q", *_EFFECT_COLUMNS]]
    if "model" not in each.dims:
        each = each.expand_dims("model")
    majority = each.sizes["model"] // 2 + 1
    rows = []
    for letters in dict.fromkeys(strings):
        for task in decisions["task"].to_numpy().tolist():
            row = each.sel(contrast=letters, task=task)
            labels = row["verdict"].to_numpy().tolist()
            verdict = next(
                (
                    one
                    for one in (*DIRECTIONS, "within")
                    if labels.count(one) >= majority
                ),
                "",
            )
            median = {
                name: _median(row[name].to_numpy(), verdict) for name in _EFFECT_COLUMNS
            }
            if verdict in DIRECTIONS and (median["ace"] > 0) != (
                verdict == "increases"
            ):
                verdict = ""  # beyond random sequences that act more than it does
            rows.append(
                {
                    "consensus": letters,
                    "task": task,
                    **median,
                    "q": float(np.sort(row["q"].to_numpy())[majority - 1]),
                    "verdict": verdict or "undecided",
                    "members": max(labels.count(one) for one in DIRECTIONS),
                    "sequences": counts[letters],
                    "methods": methods[letters],
                }
            )
    table = pd.DataFrame(rows)
    order = np.lexsort((-table["ace"].abs(), ~table["verdict"].isin(DIRECTIONS)))
    return table.iloc[order].reset_index(drop=True)


def _median(values: NDArray[np.float64], verdict: str) -> float:
    """Return the value of the median member; of an even number of them the one in the
    middle that is nearer to the other direction, or to 0 where there is no direction.

    More than half of lower limits lie above a bound exactly where this one does.

    Examples
    --------
    >>> _median(np.array([3.0, 1.0, 2.0, 0.5]), "increases"), _median(np.zeros(3), "")
    (1.0, 0.0)
    """
    lower, upper = np.sort(values)[[(len(values) - 1) // 2, len(values) // 2]].tolist()
    if verdict not in DIRECTIONS:
        return float(min(lower, upper, key=abs))
    return float(lower if verdict == "increases" else upper)


def _effects_by_base(
    predictor: Predictor,
    fresh: DinucleotideShuffle,
    table: pd.DataFrame,
    key: int,
    keep: Keep,
    *,
    progress: bool,
) -> dict[str, NDArray[np.float64]]:
    """Return what each base at each position of each confirmed motif adds to the
    answer in the task of its largest effect: (w, 4), means over shuffles.
    """
    import xarray as xr

    largest = table[table["verdict"].isin(DIRECTIONS)].drop_duplicates("consensus")
    strings = largest["consensus"].tolist()
    if not strings:
        return {}

    def effects() -> xr.Dataset:
        of = fresh.parents_given
        null = DinucleotideShuffle(of=Sequences(of.tokens, of.names))
        drawn = null.sample(_SHUFFLES_OF_FAMILIES, rng=key)["sequence"].to_numpy()
        edited = EditedBackgrounds(predictor, drawn)
        rows = np.full((len(strings), max(map(len, strings)), 4), np.nan)
        with meter(len(strings), show=progress) as done:
            for row, letters, task in zip(rows, strings, largest["task"], strict=True):
                column = list(predictor.tasks).index(task)
                (tokens,) = encode([letters])
                row[: len(letters)] = effects_by_base(tokens, edited, task=column)
                done(1)
        return xr.Dataset(
            {"effect": (("motif", "motif_position", "base"), rows)},
            {"motif": np.array(strings, dtype=np.str_), "base": list("ACGT")},
        )

    stored = keep("effects_by_base", effects)
    if stored["motif"].to_numpy().tolist() != strings:  # another version confirmed them
        stored = effects()
    rows = stored["effect"].to_numpy()
    return {one: row[: len(one)] for one, row in zip(strings, rows, strict=True)}


def _variants(table: pd.DataFrame, *, both_strands: bool) -> list[str]:
    """Return, for each row, the largest motif of its verdict and task from which its
    motif differs by one letter.
    """
    larger: dict[tuple[str, str], list[str]] = {}
    found = []
    for letters, task, verdict in table[["consensus", "task", "verdict"]].itertuples(
        index=False
    ):
        others = larger.setdefault((task, verdict), [])
        same = (
            one
            for one in others
            if verdict in DIRECTIONS
            and is_variant(letters, one, both_strands=both_strands)
        )
        found.append(next(same, ""))
        others.append(letters)
    return found


def _variant_sentences(table: pd.DataFrame) -> list[str]:
    n = table.loc[table["variant_of"] != "", "consensus"].nunique()
    says = (
        f"{n:,} of the confirmed motifs {'differs' if n == 1 else 'differ'} by one "
        "letter from a larger one."
    )
    return [says] if n else []


def _largest(table: pd.DataFrame, *, both_strands: bool) -> tuple[list[str], list[str]]:
    """Return the largest confirmed motifs, no two of them near copies, variants or of
    one family, and sentences on those left out.
    """
    largest: list[str] = []
    copies, variants, relatives = list[str](), list[str](), list[str]()
    held = table[table["verdict"].isin(DIRECTIONS)]
    families = dict(zip(held["consensus"], held["family"], strict=True))
    stands_for: dict[str, str] = {}
    for letters in dict.fromkeys(held["consensus"]):
        if len(largest) == _MOST_IN_PAIRS:
            break
        one: str | None = None
        copied = next(
            (x for x in largest if is_near_copy(letters, x, both_strands=both_strands)),
            None,
        )
        of = next(
            (
                x
                for x in held.loc[held["consensus"] == letters, "variant_of"]
                if x in largest
            ),
            None,
        )
        if copied is not None:
            copies.append(f"{letters} ({copied})")
        elif of is not None:
            variants.append(f"{letters} ({of})")
        elif (one := stands_for.get(families[letters])) is not None:
            relatives.append(f"{letters} ({one})")
        else:
            largest.append(letters)
        # a family whose leader is left out is that of the motif in its place
        stands_for[letters] = copied or of or one or letters
    kinds = (
        (copies, "a near copy of"),
        (variants, "one letter away from"),
        (relatives, "of the family of"),
    )
    return largest, [
        f"Pairs leave out {'this motif' if len(strings) == 1 else 'these motifs'}, "
        f"{what} a larger one: {', '.join(strings)}."
        for strings, what in kinds
        if strings
    ]


def _pairs(
    predictor: Predictor,
    null: DinucleotideShuffle,
    table: pd.DataFrame,
    strings: list[str],
    n_units: int,
    key: int,
    folder: Path | None,
    *,
    progress: bool,
) -> pd.DataFrame:
    """Return the interaction of each pair of motifs, both embedded in the same
    backgrounds.
    """
    import pandas as pd

    wide = max(map(len, strings), default=0)
    if len(strings) < 2 or null.length < 3 * wide:
        return _empty(OF_PAIRS)
    places = _pair_places(null.length, wide)
    arms, contrasts = [Arm("untreated", Untreated())], {}
    for letters in strings:
        arms += [
            Arm(f"{letters} {side}", Embed(letters, at=at))
            for side, at in zip(("left", "right"), places, strict=True)
        ]
    for first, second in combinations(strings, 2):
        both, one, other = f"{first} and {second}", f"{first} left", f"{second} right"
        arms.append(Arm(both, Embed(first, at=places[0]) + Embed(second, at=places[1])))
        contrasts[both] = {both: 1.0, one: -1.0, other: -1.0, "untreated": 1.0}
    of_pairs = list(contrasts)
    contrasts |= {
        arm.name: {arm.name: 1.0, "untreated": -1.0}
        for arm in arms[1 : 1 + 2 * len(strings)]
    }
    outcomes = _run_in(
        folder,
        "pairs",
        Design(null=null, arms=arms, n_units=n_units),
        predictor,
        key,
        progress=progress,
    )
    effects = contrast(outcomes, contrasts=contrasts)
    n_pairs = len(strings) * (len(strings) - 1) // 2
    target: Any = "population x predictors" if predictor.models is not None else None
    with (
        warnings.catch_warnings()
    ):  # motifs that add up in every unit have an interaction that does not vary
        warnings.simplefilter("ignore", DegenerateWarning)
        found = estimate(effects, ci_prob=1 - 0.05 / n_pairs, target=target)
        tried = scales_tried(outcomes, {name: contrasts[name] for name in of_pairs})
    held = set(
        table.loc[table["verdict"].isin(DIRECTIONS), ["consensus", "task"]].itertuples(
            index=False, name=None
        )
    )
    rows = []
    for first, second in combinations(strings, 2):
        for task in dict.fromkeys(table["task"]):
            if not {(first, task), (second, task)} <= held:
                continue
            row = found.sel(contrast=f"{first} and {second}", task=task)
            alone = [
                found.sel(contrast=name, task=task)
                for name in (f"{first} left", f"{second} right")
            ]
            sizes = [float(one["ace"]) for one in alone]
            ace, lower, upper = (
                float(row[column]) for column in ("ace", "lower", "upper")
            )
            signs = [
                _direction(float(one["lower"]), float(one["upper"])) for one in alone
            ]
            reads = _reads(lower, upper, sizes, signs)
            pair = first, second, task
            same = ""
            if is_departure(reads) and tried is not None and len(tried.scales) > 1:
                survives = tried.survives.sel(
                    contrast=f"{first} and {second}", task=task
                )
                same = "yes" if bool(survives.all()) else "no"
            rows.append([*pair, *sizes, ace, lower, upper, reads.word, same])
    return pd.DataFrame(rows, columns=list(OF_PAIRS))


def _pair_places(length: int, wide: int) -> tuple[int, int]:
    return length // 3 - wide // 2, 2 * length // 3 - wide // 2


def _pair_sentences(
    pairs: pd.DataFrame, length: int, strings: list[str]
) -> tuple[list[str], list[str]]:
    """Return sentences on tasks where all pairs read alike, and on where pairs were
    tested; none without pairs.

    Examples
    --------
    >>> import pandas as pd
    >>> table = {"task": ["dev"] * 3 + ["hk"] * 2, "reads": ["synergistic"] * 5}
    >>> read = pd.DataFrame(table | {"same_sign": ""})
    >>> print(_pair_sentences(read, 60, ["GATAA"])[0][0].partition(":")[0])
    All 3 pairs are synergistic in dev
    """
    if not len(pairs):
        return [], []
    left, right = _pair_places(length, max(map(len, strings)))
    sentences = list[str]()
    places = [
        "Pairs are tested at one distance and in one order: the first motif at "
        f"{left:,}, the second at {right:,} (from 0)."
    ]
    for task, of_task in pairs.groupby("task", sort=False):
        reads, lost = of_task["reads"], int((of_task["same_sign"] == "no").sum())
        way = reads.iloc[0]
        alike = len(reads) >= _PAIRS_ALIKE and (reads == way).all()
        if alike and way not in (ADDITIVE, UNDECIDED):
            sentences.append(
                f"All {len(reads)} pairs are {way} in {task}: an answer that curves "
                "on its own scale, such as the exponential of a sum or one that "
                "saturates, does that to any two motifs."
            )
        if lost:
            sentences.append(
                f"{lost} of {len(reads)} pairs in {task} {'does' if lost == 1 else 'do'} "
                "not keep the sign of the interaction on the log of means or the logit "
                "(same_sign)."
            )
    return sentences, places


def _reads(
    lower: float, upper: float, effects: list[float], alone: list[str]
) -> JointEffect:
    """Return what two motifs do together, from the interval of their interaction, and
    the effect and direction of each alone.

    Examples
    --------
    >>> up, down = "increases", "decreases"
    >>> print(_reads(-2.1, -1.9, [2.0, 2.0], [up, up]))
    saturating (less than the sum of two positive effects)
    >>> _reads(-0.1, 0.1, [2.0, 2.0], [up, up]).word
    'additive'
    >>> print(_reads(0.9, 1.2, [-2.0, 2.0], [down, up]))
    weakening (the second weakens the first)
    """
    bound = _SUM * min(map(abs, effects))
    if -bound <= lower and upper <= bound:
        return joint_effect(alone, "negligible")
    return joint_effect(alone, _direction(lower - bound, upper + bound))


def _direction(lower: float, upper: float) -> str:
    """Return the direction of an interval that excludes 0, else "undecided"."""
    return "increases" if lower > 0 else "decreases" if upper < 0 else "undecided"


def _with_names(
    table: pd.DataFrame,
    proposed: xr.Dataset,
    motifs: Mapping[str, Motif] | None,
    expected: str | Sequence[str] | None,
) -> tuple[pd.DataFrame, dict[str, Set[str]]]:
    """Return the table with the names of each motif, which do not depend on the others
    of the list, and the matrices that each matches.
    """
    matched: dict[str, Set[str]] = {}
    strings = proposed["consensus"].to_numpy().tolist()
    columns: dict[str, dict[str, Any]] = {
        "name": dict.fromkeys(strings, ""),
        "nearest": dict.fromkeys(strings, ""),
        "name_q": dict.fromkeys(strings, np.nan),
        **{
            name: dict.fromkeys(strings, "")
            for name in ("runners_up", "tf_class", "tf_family")
        },
    }
    if motifs is not None:
        tables = zip(
            strings,
            proposed["motif"].to_numpy(),
            proposed["width"].to_numpy(),
            strict=True,
        )
        spelled = {letters: motif(rows[:width]) for letters, rows, width in tables}
        found = match(spelled, motifs, expected=expected)
        source = {"name": "label", "name_q": "nearest_q"}
        for name, values in columns.items():
            of = found[source.get(name, name)].to_numpy().tolist()
            values |= dict(zip(spelled, of, strict=True))
        targets = found["target"].to_numpy().astype(str)
        same = (found["match_q"] <= SAME_NAME) & (found["match_p"] <= _SAME_MATRIX)
        matched = {
            letters: frozenset(targets[row].tolist())
            for letters, row in zip(spelled, same.to_numpy(), strict=True)
        }
    for place, (name, values) in enumerate(columns.items(), start=1):
        table.insert(place, name, table["consensus"].map(values))
    return table, matched
