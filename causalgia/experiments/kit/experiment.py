"""What an experiment of the catalogue is: a design with its named contrasts, what will be asked, and what answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from causalgia.analysis import Analysis, Rope
from causalgia.choices import ROPE_IN_WORDS, is_placebo_rope
from causalgia.design import Design, Genomic
from causalgia.errors import CausalgiaError, CausalgiaWarning, DesignError, OutcomesError, quoted
from causalgia.experiments.kit.answer import Answer, Finding
from causalgia.experiments.kit.variance import effect_in_words
from causalgia.schema import check_dataset
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.analysis_check import check_analysis

if TYPE_CHECKING:
    import xarray as xr

    from causalgia._analyze import Steps
    from causalgia.plot import Axes

Labels: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Coordinate -> contrast -> value."""
_IN_BASES = frozenset({"distance", "spacing", "place", "position", "start", "stop", "centre"})  # coordinates in bp


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an entry of the catalogue reads its finding from.

    Attributes
    ----------
    experiment
        The experiment that was run.
    steps
        Effects (None where a trial was streamed), estimates, posterior and decisions of its contrasts, which carry the
        experiment's coordinates.
    outcomes
        The outcomes; None where the trial was streamed.
    key
        Root key of what the answer draws, for ``derive(key, "...")``.
    """

    experiment: Experiment
    steps: Steps
    outcomes: xr.Dataset | None
    key: int


def no_more(found: Found) -> Finding:  # noqa: ARG001 - the signature of every reader
    """Return nothing beyond the contrasts themselves."""
    return Finding()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One experiment of the catalogue: its question, its estimand, who asked it first, and what reads the answer.

    Attributes
    ----------
    name
        ``causalgia.experiments.<name>``.
    question, estimand
        A sentence each.
    doi
        Of the paper that asked it.
    read
        From what was found to the finding: Datasets by name and sentences.
    draw
        The figure of an answer about one task; None: a forest plot of the contrasts.
    zoo
        The oracle of the zoo on which the file that ``causalgia init --experiment`` writes runs as it is.
    claims
        ``"confirmatory"``: the contrasts differ in kind or have an order, and each verdict is a test that holds at its
        own truth; ``"screening"``: they are exchangeable, and verdicts hold on average over effects like these, by a
        posterior from 30 of them on, or by the false discovery rate among words beyond placebo words.
    """

    name: str
    question: str
    estimand: str
    doi: str
    read: Callable[[Found], Finding] = no_more
    draw: Callable[[Answer], Axes] | None = None
    zoo: str = "rbfox1_like"
    claims: Claims = "confirmatory"


@dataclass(frozen=True, kw_only=True, repr=False)
class Experiment(Design):
    """A design with its named contrasts, the analysis fixed with it, and the reading that answers its question.

    It runs like any design, ``outcomes = cg.run(experiment, predictor, rng=0)``, and the ordinary verbs take the
    outcomes; ``experiment.analyse(outcomes, rng=0)`` is the pipe of verbs that answers the question.

    Attributes
    ----------
    entry
        Its entry in the catalogue: name, question, estimand, DOI.
    analysis
        What is asked of the contrasts: region of practical equivalence, error rate; change it with
        ``dataclasses.replace(experiment, analysis=...)``.
    labels
        Coordinates of the contrasts: coordinate -> contrast -> value (such as the distance that a contrast is at).
    """

    entry: Entry = field(compare=False)
    analysis: Analysis
    labels: Labels = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.named_contrasts is None:
            raise DesignError(f"experiment {quoted(self.entry.name)}: give contrasts= that answer its question")
        if self.analysis.asks:
            raise DesignError(
                f"experiment {quoted(self.entry.name)}: its contrasts are its own; leave control, contrasts and "
                "interaction out of analysis="
            )
        if self.analysis.rope is None:
            raise DesignError(
                f"experiment {quoted(self.entry.name)}: without a ROPE there is no verdict; give {ROPE_IN_WORDS}"
            )
        check_analysis(self.analysis.asking(self.asked), self)
        if self.n_units < 2 and self.analysis.target != "units":
            raise DesignError(
                f"experiment {quoted(self.entry.name)} of one unit: an error needs two or more, drawn or given; take "
                "more (n_units=, draws= or sequences)"
            )
        if isinstance(self.drawn, Genomic) and len(set(self.drawn.parent_names)) == 1 and self._asks_of_others:
            raise DesignError(
                f"experiment {quoted(self.entry.name)} of the one sequence {quoted(self.drawn.parent_names[0])}: its "
                "draws say nothing of other sequences, which the answer is about; give two sequences or more"
            )

    @property
    def _asks_of_others(self) -> bool:
        """Whether the claim is about sequences that were not given, each with its own error."""
        return self.analysis.target not in ("units", "parents") and self.analysis.cluster in ("auto", "parent")

    @property
    def question(self) -> str:
        """The question, in a sentence."""
        return self.entry.question

    @property
    def estimand(self) -> str:
        """What is estimated, in a sentence."""
        return self.entry.estimand

    @property
    def claims(self) -> Claims:
        """Which kind of claim its verdicts are, ``"confirmatory"`` or ``"screening"``: see `Entry`."""
        return self.entry.claims

    def planned(self) -> Analysis:
        """Return the analysis that is kept with the outcomes of every run."""
        return self.analysis

    def analyse(self, outcomes: xr.Dataset, *, rng: RNG | None = None) -> Answer:
        """Answer the question: contrast, estimate, adjust, infer, decide, and read what the contrasts say together.

        Parameters
        ----------
        outcomes
            From ``cg.run(experiment, ...)``, whatever it kept; or the estimates that `causalgia.experiments.stream`
            gives.
        rng
            Seed (0 is a seed), Generator or SeedSequence, for the draws of the posterior and for resampling. None: the
            seed that the trial was run with, which is kept with its outcomes.

        Returns
        -------
        Answer
            ``decisions`` and ``estimates`` of every contrast, ``findings`` beyond them, ``sentences``. On an ensemble
            each predictor has its own verdicts, and the finding ``"over predictors"`` has the effect over them, with
            the sd between them.

        Raises
        ------
        OutcomesError
            If the outcomes are of another design, or no `rng` is given and the trial's seed was not a number.
        """
        from causalgia._analyze import steps, steps_from

        check_dataset(outcomes, "outcomes")
        self._check(outcomes)
        key = root_key(_kept_seed(outcomes) if rng is None else rng)
        streamed = "ace" in outcomes
        begin = steps_from if streamed else steps
        asked = self.analysis.asking(self.asked)
        found = Found(
            experiment=self,
            steps=self._labelled(begin(outcomes, asked, rng=derive(key, "steps"))),
            outcomes=outcomes if "outcome" in outcomes else None,
            key=derive(key, "reading"),
        )
        said, over = self.entry.read(found), over_predictors(found.steps.effects)
        return Answer(
            question=self.question,
            estimates=found.steps.estimates,
            decisions=found.steps.decisions,
            findings={**said.datasets, **over.datasets},
            sentences=(*said.sentences, *over.sentences),
            figure=self.entry.draw,
        )

    def _check(self, outcomes: xr.Dataset) -> None:
        made = outcomes.attrs.get("design_fingerprint", self.fingerprint)
        if made != self.fingerprint:
            raise OutcomesError(
                f"these outcomes are of the design {made}, not of this experiment ({self.fingerprint}); analyse them "
                "with the experiment that was run"
            )

    def _labelled(self, found: Steps) -> Steps:
        return replace(
            found,
            effects=None if found.effects is None else self.label(found.effects),
            estimates=self.label(found.estimates),
            decisions=self.label(found.decisions),
        )

    def label(self, table: xr.Dataset) -> xr.Dataset:
        """Return effects, estimates or decisions with the experiment's coordinates on their contrasts."""
        import xarray as xr

        names = [str(name) for name in table["contrast"].to_numpy()]
        missing = {
            k: "" if any(isinstance(v, str) for v in row.values()) else float("nan") for k, row in self.labels.items()
        }
        values = {k: [row.get(name, missing[k]) for name in names] for k, row in self.labels.items()}
        on_arms = [k for k in values if k in table.coords and table[k].dims != ("contrast",)]
        units = {k: {"units": "bp"} if k in _IN_BASES else {} for k in values}
        columns = {k: xr.Variable("contrast", column, units[k]) for k, column in values.items()}
        return table.drop_vars(on_arms).assign_coords(columns)

    def __repr__(self) -> str:
        size = f"{len(self.named_arms):,} arms, {len(self.named_contrasts or ()):,} contrasts, {self.n_units:,} units"
        return f"<Experiment {self.entry.name}: {size} of {self.drawn.describe()}>"


def _kept_seed(outcomes: xr.Dataset) -> int:
    seed = str(outcomes.attrs.get("rng", ""))
    if not (seed.isdecimal() and len(seed) <= 78):  # 2^256 has as many digits
        raise OutcomesError("these outcomes have no numeric seed; give one: analyse(outcomes, rng=0)")
    return int(seed)


NAME = "over predictors"
_MOST = 6


def over_predictors(effects: xr.Dataset | None) -> Finding:
    """Return the effect over predictors beside that on each, with the sd between them; nothing for one predictor.

    The estimand is ``E[ACE of a predictor]`` over retrainings as over backgrounds: predictors are drawn, as units are,
    so that its error counts both (``cg.estimate(target="population x predictors")``).

    Parameters
    ----------
    effects
        ``ice (unit, contrast, task, model)`` of a crossover; None where a trial was streamed.

    Returns
    -------
    Finding
        ``"over predictors"``: ``ace, se, lower, upper (contrast, task)``; ``between_sd (contrast, task)``, the sd of
        the predictors' ACEs; ``ace_of_each, se_of_each (contrast, task, model)``; and a sentence for each task.
    """
    if effects is None or "ice" not in effects or "model" not in effects["ice"].dims or effects.sizes["model"] < 2:
        return Finding()
    from causalgia.estimation import estimate

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)  # said of each predictor already
            each, over = estimate(effects), estimate(effects, target="population x predictors")
    except CausalgiaError as error:
        return Finding(sentences=(f"No effect over predictors: {error}",))
    found = over[["ace", "se", "lower", "upper"]].assign(
        between_sd=each["ace"].std("model", ddof=1), ace_of_each=each["ace"], se_of_each=each["se"]
    )
    return Finding({NAME: found}, tuple(_sentence(found.sel(task=task)) for task in found["task"].to_numpy()))


def _sentence(found: xr.Dataset) -> str:
    from causalgia.reporting import format_se

    largest = found["contrast"].to_numpy()[abs(found["ace"]).argsort().to_numpy()[::-1][:_MOST]]
    said = []
    for name in [name for name in found["contrast"].to_numpy() if name in largest]:
        row = found.sel(contrast=name)
        within = format_se(float(row["se_of_each"].median()))
        between = format_se(row["between_sd"].item())
        said.append(f"{name} {effect_in_words(row)} (sd between {between}, se in one {within})")
    n = found.sizes["model"]
    return f"Task {found['task'].item()}, over {n} predictors and retrainings of them: {'; '.join(said)}."


Claims: TypeAlias = Literal["confirmatory", "screening"]
"""Each verdict holds at its own truth; or verdicts hold on average over effects like these."""

LEAST_FOR_SCREENING = 30
"""Contrasts of one kind from which the law of their effects can be learned."""


def analysis_for(claims: Claims, *, rope: Rope, n_contrasts: int = 0, **settings: Any) -> Analysis:
    """Return the analysis of an experiment that makes this kind of claim.

    Contrasts of different kinds (an effect, an interaction, a rise) have no law in common, and neither have contrasts
    that are ordered, such as interactions along a distance: each is tested by itself, on its unshrunken estimate, with
    the false discovery rate over all of them. So are fewer than 30 contrasts of one kind. From 30 exchangeable
    contrasts on, such as variants, a posterior shares what they have in common, and its verdicts hold on average over
    effects like these. Where placebo words say what no effect looks like (``rope="placebo"`` or
    ``"placebo tail"``), they are that law, and the words beyond it are found by tests with the false
    discovery rate over the screen.

    Parameters
    ----------
    claims
        ``"confirmatory"`` or ``"screening"``.
    rope
        Region of practical equivalence.
    n_contrasts
        How many contrasts are of the one kind that is screened, placebo words not counted; of no matter where each is
        tested by itself.
    **settings
        Further fields of `causalgia.Analysis`.

    Examples
    --------
    >>> analysis_for("confirmatory", rope=(-0.1, 0.1))
    Analysis(rope=(-0.1, 0.1), error='bh', exchangeable=False)
    >>> analysis_for("screening", rope="placebo", n_contrasts=4_096)
    Analysis(rope='placebo', error='bh', exchangeable=True)
    >>> analysis_for("screening", rope=(-0.1, 0.1), n_contrasts=29).error
    'bh'
    >>> analysis_for("screening", rope=(-0.1, 0.1), n_contrasts=30).error
    'local'
    """
    screens = claims == "screening"
    by_posterior = screens and n_contrasts >= LEAST_FOR_SCREENING and not is_placebo_rope(rope)
    error = "local" if by_posterior else "bh"
    return Analysis(rope=rope, error=error, exchangeable=screens, **settings)
