"""`Case`: sequences with sites whose truth is known, and networks that read them;
`cases`: those of the zoo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_count
from causalgia.errors import PredictorError, quoted
from causalgia.predict.predictor import as_token_rows
from causalgia.sequences.alphabet import encode, reverse_complement_iupac
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, Tokens
from causalgia.zoo import EndGC, Oracle, Saturating, load, oracle, read_by
from causalgia.zoo.terms import Linear, Term
from causalgia.zoo.trained import MEMBERS, Architecture

if TYPE_CHECKING:
    from causalgia.predict import TorchPredictor

FEWEST, _MOST_SITES = 40, 4
_WEAK = 0.1
_GATA, _CACCC = "AGATAAGG", "CCACACCC"


class Site(NamedTuple):
    """A site that was put into a sequence: ``sequences[unit, start:stop]``, and its
    name, such as its motif.
    """

    unit: int
    start: int
    stop: int
    name: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Sequences with known sites, and one or several networks that read them.

    The effect of a site is not given; it is computed from the networks' predictions
    with and without each site.

    Parameters
    ----------
    name
        Its name in tables.
    predictors
        Networks by name: retrainings of one another. Each answers one task.
    backgrounds, sequences
        Tokens (n, length), without and with the sites, 40 or more (so that a method may
        split them).
    sites
        The sites, at most 4 of a sequence.
    read
        The truth, bool (n, length): which bases are read (as `causalgia.zoo.read_by`
        has them). All False says that the network is known to read nothing.
    ignored
        Bases that are not judged, bool (n, length), such as those with a weak effect;
        by default none.

    Raises
    ------
    PredictorError
        If shapes differ, a sequence differs from its background beside its sites, a
        site leaves it, or a predictor is no `causalgia.TorchPredictor` with one task.
    """

    name: str
    predictors: Mapping[str, TorchPredictor]
    backgrounds: Tokens
    sequences: Tokens
    sites: tuple[Site, ...]
    read: NDArray[np.bool_]
    ignored: NDArray[np.bool_] | None = None
    scored: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        label = f"case {quoted(self.name)}"
        rows, bare = as_token_rows(self.sequences), as_token_rows(self.backgrounds)
        read = np.asarray(self.read)
        ignored = (
            np.zeros(rows.shape, dtype=bool)
            if self.ignored is None
            else np.asarray(self.ignored)
        )
        for name, values in {
            "backgrounds": bare,
            "read": read,
            "ignored": ignored,
        }.items():
            if values.shape != rows.shape or (
                name != "backgrounds" and values.dtype != bool
            ):
                raise PredictorError(
                    f"{label}: {name}= is {values.dtype} {values.shape}; give one of "
                    "the shape of sequences=, "
                    f"{rows.shape}{'' if name == 'backgrounds' else ', of bool'}"
                )
        if len(rows) < FEWEST:
            raise PredictorError(
                f"{label}: {len(rows)} sequences are too few; give {FEWEST} or more"
            )
        planted = np.zeros(rows.shape, dtype=bool)
        for site in self.sites:
            if not (
                0 <= site.unit < len(rows)
                and 0 <= site.start < site.stop <= rows.shape[1]
            ):
                raise PredictorError(
                    f"{label}: {site} is not in sequences of {rows.shape}"
                )
            planted[site.unit, site.start : site.stop] = True
        differs = ((rows != bare) & ~planted).any(1)
        if differs.any():
            raise PredictorError(
                f"{label}: sequence {differs.argmax()} differs from its background "
                "where no site is; give the same sequence without its sites, or all of "
                "its sites"
            )
        most = max(Counter(site.unit for site in self.sites).values(), default=0)
        if most > _MOST_SITES:
            raise PredictorError(
                f"{label}: a sequence has {most} sites; {_MOST_SITES} is the most"
            )
        if not self.predictors:
            raise PredictorError(
                f"{label}: predictors= is empty; give one or more, such as "
                "{'network': predictor}"
            )
        for name, predictor in self.predictors.items():
            _check_network(predictor, f"{label}, predictor {quoted(name)}", rows)
        frozen = {
            "sequences": rows,
            "backgrounds": bare,
            "read": read & ~ignored,
            "scored": ~ignored,
        }
        for name, values in frozen.items():
            values = values.copy()
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        object.__setattr__(self, "sites", tuple(Site(*site) for site in self.sites))
        object.__setattr__(self, "predictors", dict(self.predictors))

    def __repr__(self) -> str:
        n, length = self.sequences.shape
        return (
            f"<Case {self.name}: {n} sequences of {length} bp, {len(self.sites)} "
            f"sites, {len(self.predictors)} nets>"
        )

    def with_sites(
        self,
    ) -> Iterator[tuple[tuple[Site, ...], NDArray[np.bool_], Tokens]]:
        """Yield for each sequence its sites, which of them are there (subsets, sites),
        and the rows (subsets, L).
        """
        for unit, background in enumerate(self.backgrounds):
            sites = tuple(site for site in self.sites if site.unit == unit)
            subsets = np.array(
                list(product([False, True], repeat=len(sites))), dtype=bool
            ).reshape(-1, len(sites))
            rows = np.repeat(background[None], len(subsets), axis=0)
            for k, site in enumerate(sites):
                rows[subsets[:, k], site.start : site.stop] = self.sequences[
                    unit, site.start : site.stop
                ]
            yield sites, subsets, rows


def _check_network(predictor: object, label: str, rows: Tokens) -> None:
    cure = (
        "give a cg.TorchPredictor with one task, so that gradients can be taken and "
        "passes be counted; an oracle is one as cg.TorchPredictor(oracle.module())"
    )
    from causalgia.predict import TorchPredictor

    if not isinstance(predictor, TorchPredictor):
        raise PredictorError(f"{label} is {quoted(type(predictor).__name__)}; {cure}")
    answer = predictor.predict(rows[:1])
    if answer.shape != (1, 1):
        raise PredictorError(
            f"{label} answers a sequence with {answer.shape[1:]}; {cure}"
        )


def cases(*, n_sequences: int = 60, rng: RNG = 0) -> tuple[Case, ...]:
    """Return the cases of the zoo: oracles as networks, and the trained networks, with
    planted sites.

    Parameters
    ----------
    n_sequences
        Sequences of each case, 40 or more.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For the sequences.

    Returns
    -------
    tuple of Case
        The gates of `gated` (two sites: "sum", "AND", "OR"; "OR, one site"),
        "additive", "saturating" (one to three copies), "rbfox1_like", "vts1_like",
        "gata1_like" and "pairs_like" as oracles; and of both stories the five residual
        and the five exponential networks. Bases that only a composition reads, or
        motifs of less than a tenth of the strongest effect, are not judged.

    Raises
    ------
    PredictorError
        If there are fewer than 40 sequences.

    Examples
    --------
    >>> [case.name for case in cases(n_sequences=40)][:4]
    ['sum', 'AND', 'OR', 'OR, one site']
    """
    n, key = as_count(n_sequences, "n_sequences", least=FEWEST), root_key(rng)
    if n < FEWEST:
        raise PredictorError(
            f"n_sequences={n} is too few for methods that split them; give {FEWEST} or "
            "more"
        )
    return tuple(make(n, derive(key, name)) for name, make in _CASES.items())


def planted_case(
    name: str,
    of: Oracle,
    motifs: Sequence[Sequence[str]],
    n: int,
    key: int,
    *,
    length: int,
    predictors: Mapping[str, TorchPredictor] | None = None,
) -> Case:
    """Return a case of an oracle of one task: sequence i has the motifs
    ``motifs[i % len(motifs)]`` at random places.

    Backgrounds are uniform, among those that the oracle's strong terms do not read.
    ``"hairpin"`` is GCUGG in the loop of a random one.
    """
    from causalgia.predict import TorchPredictor

    generator = np.random.default_rng(key)
    # without composition, and without terms of less than a tenth of the strongest
    sizes = [
        abs(weight) * _size(term, length)
        for term, weight in zip(of.terms, of.weights[0], strict=True)
    ]
    which = [k for k, size in enumerate(sizes) if size >= _WEAK * max(sizes)]
    terms, weights = [of.terms[k] for k in which], [[of.weights[0][k] for k in which]]
    strong = Oracle(
        *terms, tasks=of.tasks, scale=of.scale, weights=weights, length=of.length
    )
    drawn = generator.integers(0, 4, (64 * n, length), dtype=np.uint8)
    backgrounds = drawn[~read_by(strong, drawn).to_numpy().any((1, 2))][:n]
    if len(backgrounds) < n:
        raise PredictorError(
            f"case {quoted(name)}: the oracle reads nearly every background of "
            f"{length} bp"
        )
    sequences, sites = backgrounds.copy(), []
    for unit in range(n):
        letters = [
            (motif, _hairpin(generator) if motif == "hairpin" else motif)
            for motif in motifs[unit % len(motifs)]
        ]
        letters = [letters[k] for k in generator.permutation(len(letters))]
        slack = (
            length - sum(len(motif) for _, motif in letters) - 2 * (len(letters) - 1)
        )
        gaps = np.sort(generator.integers(0, slack + 1, len(letters)))
        used = 0
        for k, (site, motif) in enumerate(letters):
            start = int(gaps[k]) + used + 2 * k
            used += len(motif)
            sequences[unit, start : start + len(motif)] = encode(motif)[0]
            sites.append(Site(unit, start, start + len(motif), site))
    read = read_by(strong, sequences).to_numpy()[:, :, 0]
    every = read_by(of, sequences).to_numpy()[:, :, 0]
    if predictors is None:
        twin = TorchPredictor(of.module(), tasks=of.tasks, scale=of.scale, device="cpu")
        predictors = {"oracle": twin}
    return Case(
        name=name,
        predictors=predictors,
        backgrounds=backgrounds,
        sequences=sequences,
        sites=tuple(sites),
        read=read,
        ignored=every & ~read,
    )


def of_task(of: Oracle, task: str) -> Oracle:
    """Return an oracle of one task, with the terms that this task weighs."""
    which = of.tasks.index(task)
    used = [
        (term, weight)
        for term, weight in zip(of.terms, of.weights[which], strict=True)
        if weight
    ]
    return Oracle(
        *[term for term, _ in used],
        tasks=[task],
        scale=of.scale,
        weights=[[weight for _, weight in used]],
        intercepts=[of.intercepts[which]],
        link=of.link,
        length=of.length,
    )


def _size(term: Term, length: int) -> float:
    """Return the largest effect of one occurrence; 0 of a composition."""
    if isinstance(term, EndGC):
        return 0.0
    if isinstance(term, Linear):
        return float(np.abs(term.vector(length)).max())
    if isinstance(term, Saturating):
        single = np.array([_size(part, length) for part in term.terms])
        return float(np.abs(term.response.of(single)).max())
    bonus: Array = np.abs(
        getattr(term, "by_distance", lambda _: np.array([getattr(term, "bonus", 0.0)]))(
            length
        )
    )
    return float(bonus.max())


def _hairpin(generator: np.random.Generator) -> str:
    stem = "".join(generator.choice(list("ACGT"), 5))
    return f"{stem}AGCTGGA{reverse_complement_iupac(stem)}"


def _on_oracle(
    story: str,
    task: str,
    name: str,
    length: int,
    motifs: Sequence[Sequence[str]],
    n: int,
    key: int,
) -> Case:
    return planted_case(
        name, of_task(oracle(story), task), motifs, n, key, length=length
    )


def _on_networks(
    story: Literal["rbfox1_like", "vts1_like"],
    architecture: Architecture,
    motifs: Sequence[Sequence[str]],
    n: int,
    key: int,
) -> Case:
    predictors = {
        f"member {i}": load(story, member=i, architecture=architecture)
        for i in range(MEMBERS)
    }
    of = of_task(oracle(story), oracle(story).tasks[0])
    return planted_case(
        f"{story}, {architecture}", of, motifs, n, key, length=41, predictors=predictors
    )


_BOTH = [(_GATA, _CACCC)]
_ADDITIVE = [("TGCATG", "GCTGG"), ("AGAATG",), ("ACTAAC", "TGCATG"), ("GCTGG",)]
_ONE_TO_THREE_SITES = [("TGCATG",), ("TGCATG",) * 2, ("TGCATG",) * 3]
_SITES_AND_MUTANTS = [("TGCATG",), ("AGCATG",), ("TGCATG", "AGAATG"), ("TGCACG",)]
_PARTNERS = [("AGATAAG", "CAGCTG"), ("TGACTCA", "CAGGTG"), ("AGATAAG", "CCGGAAGT")]
_SOX2 = [("GAACAATGG", "AGCCATCA"), ("AGCCATCA",), ("TTTGCATAACAA", "AGCCATCA")]
_VTS1 = [("GCTGG",), ("hairpin",)]
_CASES: dict[str, Callable[[int, int], Case]] = {
    "sum": partial(_on_oracle, "gated", "sum", "sum", 60, _BOTH),
    "AND": partial(_on_oracle, "gated", "AND", "AND", 60, _BOTH),
    "OR": partial(_on_oracle, "gated", "OR", "OR", 60, _BOTH),
    "OR, one site": partial(
        _on_oracle, "gated", "OR", "OR, one site", 60, [(_GATA,), (_CACCC,)]
    ),
    "additive": partial(_on_oracle, "additive", "outcome", "additive", 41, _ADDITIVE),
    "saturating": partial(
        _on_oracle, "saturating", "outcome", "saturating", 41, _ONE_TO_THREE_SITES
    ),
    "rbfox1_like": partial(
        _on_oracle, "rbfox1_like", "RBFOX1", "rbfox1_like", 41, _SITES_AND_MUTANTS
    ),
    "vts1_like": partial(_on_oracle, "vts1_like", "VTS1", "vts1_like", 41, _VTS1),
    "gata1_like": partial(
        _on_oracle, "gata1_like", "K562", "gata1_like", 80, _PARTNERS
    ),
    "pairs_like": partial(_on_oracle, "pairs_like", "Nanog", "pairs_like", 80, _SOX2),
    "rbfox1_like, residual": partial(
        _on_networks, "rbfox1_like", "residual", [("TGCATG",)]
    ),
    "rbfox1_like, exponential": partial(
        _on_networks, "rbfox1_like", "exponential", [("TGCATG",)]
    ),
    "vts1_like, residual": partial(_on_networks, "vts1_like", "residual", _VTS1),
    "vts1_like, exponential": partial(_on_networks, "vts1_like", "exponential", _VTS1),
}
