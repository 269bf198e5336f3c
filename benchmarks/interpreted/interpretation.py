"""`interpretation`: how well a method of interpretation finds the motifs that networks
are known to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from causalgia.attribution import contributions
from causalgia.errors import CausalgiaError, PredictorError, quoted
from causalgia.numerics.moments import observed_scores
from causalgia.predict.answer_checks import first_line
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.shuffles import klet_shuffle
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.design_notes import auroc
from causalgia.types import Array, Tokens
from causalgia.zoo import MotifCount, Oracle
from interpreted.cases import (
    FEWEST,
    Case,
    Site,
    cases as cases_of_the_zoo,
    planted_case,
)

if TYPE_CHECKING:
    import pandas as pd

    from causalgia.predict import TorchPredictor

Scales: TypeAlias = Mapping[int, tuple[float, float]]
Pairs: TypeAlias = Mapping[tuple[str, str], tuple[float, float]]
Method: TypeAlias = Callable[["TorchPredictor", Tokens], Any]
RATE = 0.1
_EQUAL = 1e-6
_BACKWARD = 2
_SHARED = 5
_SCALE = "single sites"
_OF_EACH_WIDTH = 20
_LEAST_LENGTH = 41
_ORDER = (
    *(
        "auroc",
        "average_precision",
        "precision_at_k",
        "sign",
        "attenuation",
        "fdp",
        "recall",
    ),
    *("agreement", "interaction_error", "forwards"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation:
    """The result of `interpreted.interpretation.interpretation`.

    Attributes
    ----------
    table
        A row a case, network and score: ``case, network, score, value, se, n``
        (sequences, or pairs of motifs). A score that a case or method does not have is
        no row.
    refused
        (case, network) -> the error of the method, where it gave no map; of the case
        ``"single sites"``, on which scores are scaled, there is then no attenuation.
    """

    table: pd.DataFrame
    refused: Mapping[tuple[str, str], str]

    def wide(self) -> pd.DataFrame:
        """Return the means over networks: a row a case, a column a score; empty text
        where there is none.
        """
        mean = (
            self.table.groupby(["case", "score"], sort=False)["value"].mean().unstack()
        )
        return mean.reindex(columns=[name for name in _ORDER if name in mean]).map(
            _cell
        )

    def __str__(self) -> str:
        parts = [self.wide().to_string()] if len(self.table) else []
        parts += [
            f"{case}, {network}: refused: {why}"
            for (case, network), why in self.refused.items()
        ]
        return "\n".join(parts)

    def __repr__(self) -> str:
        n_cases = self.table["case"].nunique()
        return (
            f"<Interpretation: {n_cases} cases, {len(self.table)} scores, "
            f"{len(self.refused)} refused>"
        )


def _cell(value: float) -> str:
    return (
        ""
        if np.isnan(value)
        else f"{value:,.0f}"
        if abs(value) >= 100
        else f"{value:.3f}"
    )


def interpretation(
    method: Method, *, cases: Sequence[Case] | None = None, rng: RNG = 0
) -> Interpretation:
    """Return how well a method finds the motifs that oracles and trained networks are
    known to read.

    A method is a function of a network and sequences that scores their bases. It is run
    on sequences with planted sites, so that the bases with an effect, its size and its
    interactions are known.

    Parameters
    ----------
    method
        ``method(predictor, tokens)``, with a `causalgia.TorchPredictor` of one task and
        tokens (n, length). It returns scores (n, length) of the observed bases; or (n,
        length, 4) of each base, of which the observed one's is taken (if those are all
        0, scores are changes by substitution, and minus their mean is taken); or the
        Dataset of `causalgia.attribute`. It may return a pair: scores, and interactions
        of motifs that it found, ``{(motif, motif): (interaction, standard error)}`` on
        the predictor's scale.
    cases
        By default those of the zoo, `interpreted.cases.cases`; add your own:
        ``[*cases(), own]``.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the cases of the zoo and the
        null sequences.

    Returns
    -------
    Interpretation
        Its ``table`` has these scores, each over sequences with its standard error. Of
        the size of the scores: AUROC, average precision, and precision among the k
        largest (k bases are read). ``sign``: share of sites whose scores have the sign
        of their effect in sum. ``attenuation``: slope of the sites' sums on their
        effects, relative to that on single sites of the same width of an oracle that
        adds motifs (1: a site counts here as much as there). ``fdp`` and ``recall`` of
        bases called at a nominal false discovery rate of 0.1 against maps of
        dinucleotide shuffles. ``agreement``: correlation of maps between retrainings.
        ``interaction_error``: found minus true interaction, relative to the largest
        effect of the sites. ``forwards``: passes of the network a sequence, a backward
        one counted as two.

    Raises
    ------
    PredictorError
        If `method` is no function, or returns no finite map of these sequences, or an
        interaction that is not finite, has a negative standard error, or is of what is
        neither a string of A, C, G and T or U nor the name of a site.

    Notes
    -----
    The effect of a site is the largest change of the network's answer that it makes in
    its background, without or beside the other sites of that sequence. So a site of an
    AND gate has the effect that it has beside its partner, one of an OR gate that which
    it has alone. Errors of the library that a method raises
    (`causalgia.errors.CausalgiaError`) are an answer, in ``refused``.

    Examples
    --------
    >>> import causalgia as cg
    >>> from interpreted.cases import cases
    >>> def ism(predictor, tokens):
    ...     return cg.attribute(tokens, predictor, method="ism", progress=False)
    >>> zoo = cases(n_sequences=40)
    >>> found = interpretation(
    ...     ism, cases=[case for case in zoo if case.name in ("sum", "OR")]
    ... )
    >>> found.wide()["attenuation"].to_dict()
    {'sum': '1.000', 'OR': '0.000'}
    """
    import pandas as pd

    if not callable(method):
        raise PredictorError(
            argument="method",
            value=method,
            need="is not a function of a predictor and tokens",
            cure="such as lambda predictor, tokens: cg.attribute(tokens, predictor, "
            "method='ism')",
        )
    key = root_key(rng)
    if isinstance(cases, Case):
        raise PredictorError(
            f"cases={quoted(cases)} is one case; give a list, cases=[case]"
        )
    known = cases_of_the_zoo(rng=rng) if cases is None else tuple(cases)
    for case in known:
        if not isinstance(case, Case):
            raise PredictorError(
                f"cases= has {quoted(case)}, which is not a Case; make one of it"
            )
    if not known or len({case.name for case in known}) < len(known):
        raise PredictorError("cases= must be one or more, of different names")
    refused: dict[tuple[str, str], str] = {}
    widths = sorted({site.stop - site.start for case in known for site in case.sites})
    scales: Scales = {}
    if widths:
        try:
            scales = _scales(method, widths, key)
        except _MethodError as error:
            refused[_SCALE, "oracle"] = str(error)
    rows: list[tuple[str, str, str, float, float, int]] = []
    for case in known:
        maps = {}
        for name, predictor in case.predictors.items():
            try:
                found = _Found.of(
                    method, predictor, case, derive(key, "null", case.name)
                )
            except _MethodError as error:
                refused[case.name, name] = str(error)
                continue
            maps[name] = found.scores
            rows += [
                (case.name, name, *row)
                for row in _scores(found, predictor, case, scales)
            ]
        for one, other in combinations(maps, 2):
            value = mean_with_se(
                map_correlation(
                    np.where(case.scored, maps[one], 0),
                    np.where(case.scored, maps[other], 0),
                )
            )
            rows.append(
                (
                    case.name,
                    f"{one} and {other}",
                    "agreement",
                    *value,
                    len(case.sequences),
                )
            )
    table = pd.DataFrame(rows, columns=["case", "network", "score", "value", "se", "n"])
    return Interpretation(table, refused)


class _MethodError(Exception):
    """A method's own error, in one line."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Scores of the sequences of a case and of their shuffles, pairs of motifs, and
    passes a sequence.
    """

    scores: Array
    null: Array
    pairs: Pairs
    forwards: float

    @classmethod
    def of(
        cls, method: Method, predictor: TorchPredictor, case: Case, key: int
    ) -> _Found:
        n, length = case.sequences.shape
        predictor.resolve_batch_size(length)  # which may take passes, once
        with counted_passes(predictor) as passes:
            scores, pairs = _as_scores(method, predictor, case.sequences)
        shuffled = klet_shuffle(key, np.arange(n, dtype=np.uint64), case.sequences, 2)
        return cls(
            scores, _as_scores(method, predictor, shuffled)[0], pairs, passes[0] / n
        )


@contextmanager
def counted_passes(predictor: TorchPredictor) -> Iterator[list[int]]:
    """Yield a list whose only number grows by the rows that the network is given,
    thrice with a backward pass.
    """
    import torch

    from causalgia.predict.torch_device import module_errors

    passes = [0]

    def count(_: object, given: tuple[Any, ...]) -> None:
        x = given[0]
        differentiated = torch.is_grad_enabled() and x.requires_grad
        passes[0] += len(x) * (1 + _BACKWARD * differentiated)

    with module_errors(
        predictor.module,
        "register_forward_pre_hook()",
        "give the torch.nn.Module from which it was made",
    ):
        hook = predictor.module.register_forward_pre_hook(count)
    try:
        yield passes
    finally:
        hook.remove()


def _as_scores(
    method: Method, predictor: TorchPredictor, tokens: Tokens
) -> tuple[Array, Pairs]:
    """Return scores (n, length) of the observed bases and pairs of motifs, as a method
    gives them.
    """
    import xarray as xr

    try:
        given = method(predictor, tokens)
    except CausalgiaError as error:
        raise _MethodError(str(error)) from error
    made, pairs = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    if isinstance(made, xr.Dataset):
        made = contributions(made).isel(task=0).to_numpy()
    try:
        if np.iscomplexobj(made):
            raise TypeError("scores are complex numbers")
        scores = np.asarray(made, dtype=np.float64)
        pairs = {
            (str(one), str(other)): (float(value), float(se))
            for (one, other), (value, se) in dict(pairs).items()
        }
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # torch raises the last one, of tensors with a gradient
        raise PredictorError(
            "the method returned what is no array of scores, or no pairs {(motif, "
            f"motif): (interaction, standard error)}}: {first_line(error)}; return a "
            "numpy array, or a tuple of one and a dict"
        ) from error
    if scores.shape not in (tokens.shape, (*tokens.shape, 4)):
        raise PredictorError(
            f"the method returned scores of shape {scores.shape} for sequences "
            f"{tokens.shape}; return (unit, position) or (unit, position, base)"
        )
    if not np.isfinite(scores).all():
        raise PredictorError(
            "the method returned scores that are NaN or infinite; return finite ones"
        )
    for motifs, (value, se) in pairs.items():
        if not (np.isfinite(value) and np.isfinite(se) and se >= 0):
            raise PredictorError(
                f"the method returned an interaction of {motifs[0]} and {motifs[1]} of "
                f"{value} with standard error {se}; return a finite one with a "
                "standard error of 0 or more, or leave the pair out"
            )
    if scores.ndim == 3:
        at_observed = np.take_along_axis(scores, tokens.astype(np.intp)[:, :, None], 2)[
            :, :, 0
        ]
        by_substitution = not at_observed.any()
        scores = observed_scores(
            scores[..., None], tokens, by_substitution=by_substitution
        )[..., 0]
    return scores, pairs


def _scales(
    method: Method, widths: Sequence[int], key: int
) -> dict[int, tuple[float, float]]:
    """Return a method's sum of scores of a site of each width for each unit of effect,
    and its standard error.

    From sequences with one motif of an oracle that adds motifs.
    """
    generator, motifs = np.random.default_rng(derive(key, "words")), []
    for width in widths:
        motifs.append("".join(generator.choice(list("ACGT"), width)))
    of = Oracle(*[MotifCount(motif, 1.0) for motif in dict.fromkeys(motifs)])
    n = max(FEWEST, _OF_EACH_WIDTH * len(motifs))
    length = max(_LEAST_LENGTH, 2 * max(widths))
    case = planted_case(
        _SCALE,
        of,
        [(motif,) for motif in motifs],
        n,
        derive(key, "scale"),
        length=length,
    )
    predictor = case.predictors["oracle"]
    scores, _ = _as_scores(method, predictor, case.sequences)
    effects = _site_effects(predictor, case)
    found = {}
    for width in widths:
        some = {
            site: effect
            for site, effect in effects.items()
            if site.stop - site.start == width
        }
        units = [site.unit for site in some]
        above, below = _products(scores, some, {width: (1.0, 0.0)}, n)
        found[width] = ratio_with_se(above[units], below[units])
    return found


Effects: TypeAlias = dict[Site, float]


def _site_effects(predictor: TorchPredictor, case: Case) -> Effects:
    """Return the largest effect of each site in its background, without or beside the
    other sites.
    """
    effects: Effects = {}
    for sites, there, answers in _answers(predictor, case):
        for k, site in enumerate(sites):
            # subsets are in one order with and without it
            changes = answers[there[:, k]] - answers[~there[:, k]]
            effects[site] = float(changes[np.abs(changes).argmax()])
    return effects


def _answers(
    predictor: TorchPredictor, case: Case
) -> Iterator[tuple[tuple[Site, ...], NDArray[np.bool_], Array]]:
    parts = list(case.with_sites())
    answers = predictor.predict(np.concatenate([rows for _, _, rows in parts]))[
        :, 0
    ].astype(np.float64)
    ends = np.cumsum([len(rows) for _, _, rows in parts])
    for (sites, there, _), of_rows in zip(
        parts, np.split(answers, ends[:-1]), strict=True
    ):
        yield sites, there, of_rows


def _products(
    scores: Array, effects: Effects, scales: Scales, n: int
) -> tuple[Array, Array]:
    """Return sums over the sites of each sequence: scores times effect, and what they
    are with scores on scale.
    """
    above, below = np.zeros(n), np.zeros(n)
    for site, effect in effects.items():
        above[site.unit] += scores[site.unit, site.start : site.stop].sum() * effect
        below[site.unit] += scales[site.stop - site.start][0] * effect**2
    return above, below


def _scores(
    found: _Found, predictor: TorchPredictor, case: Case, scales: Scales
) -> Iterator[tuple[str, float, float, int]]:
    n, size = len(case.sequences), np.abs(found.scores)
    with_truth = np.flatnonzero(case.read.any(1) & (~case.read & case.scored).any(1))
    if len(with_truth) > 1:
        answers = [
            (size[u, case.scored[u]], case.read[u, case.scored[u]]) for u in with_truth
        ]
        of_ranks = {
            "auroc": [auroc(scores[~read], scores[read]) for scores, read in answers],
            "average_precision": [
                average_precision(scores, read) for scores, read in answers
            ],
            "precision_at_k": [
                precision_at_k(scores, read) for scores, read in answers
            ],
        }
        for name, values in of_ranks.items():
            yield name, *mean_with_se(np.array(values)), len(values)
    effects = _site_effects(predictor, case)
    if effects and case.read.any():
        right, sites = np.zeros(n), np.zeros(n)
        for site, effect in effects.items():
            right[site.unit] += np.sign(
                found.scores[site.unit, site.start : site.stop].sum()
            ) == np.sign(effect)
            sites[site.unit] += 1
        yield "sign", *ratio_with_se(right, sites), n
        widths = {site.stop - site.start for site in effects}
        if all(scales.get(width, (0.0, 0.0))[0] != 0 for width in widths):
            ratio, se = ratio_with_se(*_products(found.scores, effects, scales, n))
            own = max(abs(scales[width][1] / scales[width][0]) for width in widths)
            yield "attenuation", ratio, float(np.hypot(se, ratio * own)), n
    calls = np.zeros(size.shape, dtype=bool)
    calls[case.scored] = called(
        size[case.scored], np.abs(found.null)[case.scored], RATE
    )
    yield (
        "fdp",
        *ratio_with_se(
            (calls & ~case.read).sum(1).astype(float), calls.sum(1).astype(float)
        ),
        n,
    )
    if case.read.any():
        yield (
            "recall",
            *ratio_with_se(
                (calls & case.read).sum(1).astype(float), case.read.sum(1).astype(float)
            ),
            n,
        )
    yield from _interactions(found, predictor, case, effects)
    yield "forwards", found.forwards, 0.0, n


def _interactions(
    found: _Found, predictor: TorchPredictor, case: Case, effects: Effects
) -> Iterator[tuple[str, float, float, int]]:
    """Yield the mean error of the interactions of motifs that name sites of the same
    sequences.
    """
    names_of_sites = {site.name for site in case.sites}
    for motif in (motif for pair in found.pairs for motif in pair):
        if motif not in names_of_sites and (not motif or set(motif) - set("ACGTU")):
            raise PredictorError(
                f"the method returned an interaction of {quoted(motif)}, which is not "
                "a motif of A, C, G and T or U, nor a site of case "
                f"{quoted(case.name)}; name the two motifs by their letters"
            )
    truth: dict[tuple[str, str], list[float]] = {}
    for sites, there, answers in _answers(predictor, case):
        alone = {
            tuple(row.tolist()): answer
            for row, answer in zip(there, answers, strict=True)
        }
        for i, j in combinations(range(len(sites)), 2):
            flags = [
                tuple(k in some for k in range(len(sites)))
                for some in ((i, j), (i,), (j,), ())
            ]
            both, one, other, neither = (alone[flag] for flag in flags)
            names = min(sites[i].name, sites[j].name), max(sites[i].name, sites[j].name)
            truth.setdefault(names, []).append(both - one - other + neither)
    largest = max(map(abs, effects.values()), default=0.0)
    errors = []
    for (one, other), values in truth.items():
        shared = {
            pair: max(_shared(pair, (one, other)), _shared(pair, (other, one)))
            for pair in found.pairs
        }
        nearest = max(shared, key=lambda pair: shared[pair], default=None)
        if nearest is not None and shared[nearest] > 0 and largest > 0:
            value, se = found.pairs[nearest]
            errors.append(((value - float(np.mean(values))) / largest, se / largest))
    if errors:
        of_value, of_se = np.array(errors).T
        yield (
            "interaction_error",
            float(of_value.mean()),
            float(np.sqrt((of_se**2).sum()) / len(errors)),
            len(errors),
        )


def _shared(motifs: tuple[str, str], sites: tuple[str, str]) -> int:
    """Return the letters that two motifs have in common with two sites; 0 unless each
    is its site's, on either strand.

    A motif is a site's if they have five letters in a row in common, or all of the
    shorter one.

    Examples
    --------
    >>> (
    ...     _shared(("CCTTATCT", "CACACCC"), ("AGATAAGG", "CCACACCC")),
    ...     _shared(("ACACCC", "GGG"), ("AGATAAGG", "CCACACCC")),
    ... )
    (15, 0)
    """
    total = 0
    for motif, site in zip(motifs, sites, strict=True):
        if not set(motif + site) - set("ACGTU"):
            motif, site = motif.replace("U", "T"), site.replace("U", "T")
        strands = (
            [site, reverse_complement_iupac(site)]
            if set(site) <= set("ACGTU")
            else [site]
        )
        lengths = range(
            min(_SHARED, len(motif), len(site)), min(len(motif), len(site)) + 1
        )
        most = max(
            (
                n
                for n in lengths
                for i in range(len(motif) - n + 1)
                if any(motif[i : i + n] in one for one in strands)
            ),
            default=0,
        )
        if not most:
            return 0
        total += most
    return total


Bases = NDArray[np.bool_]


def average_precision(scores: Array, read: Bases) -> float:
    """Return the mean precision over the read bases, each at its own score; equal
    scores enter together.

    Examples
    --------
    >>> average_precision(
    ...     np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    ... )
    0.833...
    """
    above = rankdata(-scores, method="max")
    recalled = rankdata(-scores[read], method="max")
    return float((recalled / above[read]).mean())


def precision_at_k(scores: Array, read: Bases) -> float:
    """Return the share of read bases among the k largest scores, k their number, with
    ties broken at random.

    Examples
    --------
    >>> precision_at_k(
    ...     np.array([3.0, 1.0, 1.0, 0.0]), np.array([True, True, False, False])
    ... )
    0.75
    """
    k = int(read.sum())
    last = np.sort(scores)[-k]
    above, tied = scores > last, scores == last
    return float((read[above].sum() + (k - above.sum()) * read[tied].mean()) / k)


def called(scores: Array, null: Array, rate: float) -> Bases:
    """Return which scores are called at a nominal false discovery rate, by
    Benjamini-Hochberg against null scores.

    The p-value of a score is the share of null scores that are as large, both counted
    with one more. Scores that differ by less than a millionth of the largest are equal:
    rounding does not decide between them.

    Examples
    --------
    >>> called(np.array([9.0, 0.1]), np.arange(100) / 100, 0.1)
    array([ True, False])
    """
    ranked = np.sort(null.ravel())
    equal = _EQUAL * max(
        float(np.abs(scores).max(initial=0.0)), float(np.abs(null).max(initial=0.0))
    )
    at_least = len(ranked) - np.searchsorted(ranked, scores.ravel() - equal, "left")
    p = (1 + at_least) / (1 + len(ranked))
    order = np.sort(p)
    within = np.flatnonzero(order <= rate * np.arange(1, len(p) + 1) / len(p))
    return (
        (p <= order[within[-1]]).reshape(scores.shape)
        if len(within)
        else np.zeros(scores.shape, dtype=bool)
    )


def mean_with_se(values: Array) -> tuple[float, float]:
    """Return a mean over sequences and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def ratio_with_se(above: Array, below: Array) -> tuple[float, float]:
    """Return a ratio of sums over sequences and its standard error by linearization; 0
    of nothing is 0.

    Examples
    --------
    >>> ratio_with_se(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
    (0.5, 0.0)
    """
    total = float(below.sum())
    if total == 0:
        return 0.0, 0.0
    ratio, n = float(above.sum()) / total, len(above)
    residual = above - ratio * below
    return ratio, float(np.sqrt(n / (n - 1) * (residual**2).sum()) / abs(total))


def map_correlation(one: Array, other: Array) -> Array:
    """Return the correlation over positions of two maps of each sequence, (n, length);
    0 of a map that is flat.

    Examples
    --------
    >>> map_correlation(
    ...     np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]),
    ...     np.array([[0.0, 2.0, 4.0], [1.0, 2.0, 3.0]]),
    ... )
    array([1., 0.])
    """
    centered = [x - x.mean(1, keepdims=True) for x in (one, other)]
    size = np.sqrt((centered[0] ** 2).sum(1) * (centered[1] ** 2).sum(1))
    found: Array = np.divide(
        (centered[0] * centered[1]).sum(1), size, out=np.zeros(len(one)), where=size > 0
    )
    return found
