"""Ranks among matched variants: null variants against null variants, and planted
effects, on laws and real networks.

``python benchmarks/validation/matched.py`` prints the figures of the real networks with
20,000 null variants each.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from shared_folder import SHARED

import causalgia as cg
from causalgia.multiplicity.matched_ranks import (
    Strata,
    extrapolate_ranks,
    local_fdr,
    match_strata,
    rank_among_matched,
)
from causalgia.sequences import Variant, read_fasta
from causalgia.sequences.windowed_variants import variant_windows
from validation.checks import Check
from validation.draws import Rng

DATA = SHARED / "data"
M = 10_000
DONOR, ACCEPTOR = "CAGGTAAGT", "TTTTCTTTTCTTTCTTTTGCAGG"
GENOME_SITES = 8_000  # bases of the splicing genome for each splice site


def one_stratum(m: int, k: int) -> Strata:
    """Return the strata of k effects that are all compared with m nulls."""
    return Strata(np.zeros(k, np.int64), (np.arange(m),), ((),))


def heavy(rng: Rng, n: int) -> np.ndarray:
    """Draw null effects as a network has them: most sequences hardly answer, a few
    answer much.
    """
    return rng.standard_t(3, n) * rng.lognormal(0, 1.5, n)


_M_OF_STRATA = (1_999, 2_999, 999, 3_999)
"""Null scores of strata: every p that is asked is a multiple of 1 / (m + 1)."""
_STRATA = np.repeat(np.arange(4), _M_OF_STRATA)
_SIZES = np.repeat([1.0, 10.0, 0.1, 3.0], _M_OF_STRATA)


def ranked(
    rng: Rng, alpha: float, alternative: Literal["two-sided", "greater"]
) -> float:
    """Return the share of 9,996 null scores with p <= alpha by `cg.rank`, among as many
    in four strata of other scales.
    """
    scores, nulls = (_SIZES * heavy(rng, len(_SIZES)) for _ in range(2))
    found = cg.rank(scores, nulls, strata=(_STRATA, _STRATA), alternative=alternative)
    return float((found["p"] <= alpha).mean())


def shared_sequences(
    rng: Rng, n: int, *, per_sequence: int, correlation: float
) -> np.ndarray:
    """Draw null effects of which `per_sequence` share a sequence, with so correlated a
    size.
    """
    of = np.repeat(rng.normal(size=-(-n // per_sequence)), per_sequence)[:n]
    size = np.sqrt(correlation) * of + np.sqrt(1 - correlation) * rng.normal(size=n)
    return rng.choice([-1.0, 1.0], n) * np.exp(1.5 * size)


def rejected(
    rng: Rng,
    alpha: float,
    draw: Callable[[Rng, int], np.ndarray] = heavy,
    k: int = 1_000,
) -> float:
    """Return the share of k null effects with p <= alpha among `M` others."""
    effects = draw(rng, M + k)
    return float(
        (
            rank_among_matched(effects[M:], effects[:M], one_stratum(M, k)).p <= alpha
        ).mean()
    )


def false_share(
    rng: Rng,
    k: int,
    draw: Callable[[Rng, int], np.ndarray] = heavy,
    *,
    m: int = M,
    share: float = 0.05,
) -> float:
    """Return the false discovery proportion at q < .05 with a share of effects planted
    beyond nearly all nulls.
    """
    n_real = round(share * k)
    own = draw(rng, k - n_real)
    nulls = draw(rng, m)
    return planted(rng, own, nulls, n_real)


def planted(rng: Rng, own: np.ndarray, nulls: np.ndarray, n_real: int) -> float:
    """Return the false discovery proportion among null effects and so many effects
    beyond 99.9 % of the nulls.
    """
    least = np.quantile(np.abs(nulls), 0.999)
    effects = np.concatenate(
        [own, least * rng.uniform(1, 4, n_real) * rng.choice([-1, 1], n_real)]
    )
    q = rank_among_matched(effects, nulls, one_stratum(len(nulls), len(effects))).q
    found = q < 0.05
    return float(found[: len(own)].sum() / max(found.sum(), 1))


def tail_rejected(
    rng: Rng,
    alpha: float,
    draw: Callable[[Rng, int], np.ndarray] = heavy,
    m: int = M,
    k: int = 200_000,
) -> float:
    """Return the share of k null effects with an extrapolated p <= alpha among m
    others.
    """
    effects = draw(rng, m + k)
    return float(
        (
            extrapolate_ranks(effects[m:], effects[:m], one_stratum(m, k)).p <= alpha
        ).mean()
    )


def strata_rejected(
    rng: Rng, alpha: float, k: int = 600, m: int = 6_000, least: int = 500
) -> np.ndarray:
    """Return the share of null effects with p <= alpha: of all, and of the kinds whose
    effects are largest and least.

    Sixty kinds of variants (substitution by context), of which some are ten times as
    frequent as others, with effects of sizes over a factor of hundred. A kind has 26 to
    263 nulls of its own on average, below the 500 that a stratum needs, so that kinds
    of one substitution are pooled.
    """
    kind_size = np.geomspace(0.1, 10, 60)
    share = np.tile([1.0, 10.0, 2.0, 1.0, 5.0], 12) / 228
    kinds = rng.choice(60, k, p=share)
    matched = rng.integers(k, size=m)
    keys = np.column_stack([kinds, kinds // 20, np.zeros(k, np.int64)])
    strata = match_strata(
        keys, ("context", "substitution", "any"), matched, least=least
    )
    effects, nulls = (
        heavy(rng, len(of)) * kind_size[of] for of in (kinds, kinds[matched])
    )
    found = rank_among_matched(effects, nulls, strata).p <= alpha
    top = kinds % 20 >= 15  # the five largest kinds of each substitution
    return np.array([found.mean(), found[top].mean(), found[~top].mean()])


def local_rate_off(rng: Rng) -> float:
    """Return how far the mean local rate of what it calls (lfdr <= .2) is from the
    share of null effects there.
    """
    p = np.concatenate([rng.uniform(size=1_800), rng.beta(0.1, 20, 200)])
    lfdr = local_fdr(p)
    called = lfdr <= 0.2
    return float((called[:1_800].sum() - lfdr[called].sum()) / max(called.sum(), 1))


# ---------------------------------------------------------------- real networks


def splicing_genome(rng: Rng, n: int = 400_000) -> tuple[str, list[tuple[int, int]]]:
    """Return random letters with splice sites in them, and the two bases of each GT and
    AG.
    """
    letters = rng.choice(list("ACGT"), n)
    core = []
    for at in range(GENOME_SITES // 2, n - 200, GENOME_SITES):
        word, offset = (
            (DONOR, 3) if at // GENOME_SITES % 2 else (ACCEPTOR, len(ACCEPTOR) - 3)
        )
        letters[at : at + len(word)] = list(word)
        core.append((at + offset, at + offset + 1))
    return "".join(letters), core


def strongest_site(arch: object, reach: int = 20) -> Callable[[object], object]:
    """Return the read-out: probability of the strongest site, of either kind, within
    `reach` bases of the middle.
    """

    def read(logits: object) -> object:
        odds = arch.log_odds(logits)
        middle = odds.shape[2] // 2
        return odds[:, :, middle - reach : middle + reach + 1].amax((1, 2)).sigmoid()

    return read


def network(name: str, member: int = 10) -> cg.TorchPredictor:
    """Return one of the three real networks."""
    folder = (
        DATA
        / "models"
        / {"splicing": "openspliceai_mane_80", "MPRA": "mpra_dragonn"}.get(
            name, "deepstarr"
        )
    )
    if name != "splicing":
        return cg.load_predictor(
            f"{folder / 'arch.py'}:load",
            weights=folder / "model.safetensors",
            scale="log2 activity",
            announce=None,
        )
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "arch_of_splicing", folder / "arch.py"
    )
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    net = arch.load(folder / f"member_{member}.safetensors")
    return cg.TorchPredictor(
        net, tasks=["strongest site"], scale="probability", reduce=strongest_site(arch)
    )


def population(name: str) -> tuple[cg.MatchedVariants, int]:
    """Return the null model of variants of a network, and the length of its windows."""
    if name == "splicing":
        return cg.MatchedVariants(of="genome"), 181
    if name == "MPRA":
        elements = read_fasta(DATA / "sequences/human_lentimpra_200/sequences.fasta.gz")
        return cg.MatchedVariants(of=cg.DinucleotideShuffle(of=elements)), 145
    shuffles = read_fasta(DATA / "sequences/fly_249/enhancers.fasta.gz")
    return cg.MatchedVariants(of=cg.DinucleotideShuffle(of=shuffles)), 249


@cache
def null_effects(
    name: str, n: int = 2 * M, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the effects of n null variants, (n, task), and the stratum of each: its
    substitution.
    """
    from dataclasses import replace

    rng = np.random.default_rng(seed)
    letters, _ = splicing_genome(rng)
    null, length = population(name)
    chosen = []
    for i, at in enumerate(
        rng.choice(np.arange(300, len(letters) - 300), 600, replace=False).tolist()
    ):
        other = [base for base in "ACGT" if base != letters[at]]
        chosen.append(Variant("g", at, letters[at], other[i % 3], f"v{i}"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.fa"
        path.write_text(f">g\n{letters}\n")
        windows = variant_windows(chosen, path, length=length)
        nulls = replace(null, seed=seed).draw(windows, n_null=n, genome=path)
    predictor = network(name)
    effects = np.asarray(predictor.predict(nulls.alternate)) - np.asarray(
        predictor.predict(nulls.reference)
    )
    keys, names = null.keys_of(windows)
    return effects.astype(np.float64), keys[nulls.matched, names.index("substitution")]


def real_rejected(rng: Rng, name: str, alpha: float, task: int = 0) -> float:
    """Return the share of half of a network's null variants with p <= alpha among the
    other half.
    """
    effects = null_effects(name)[0][:, task]
    order = rng.permutation(len(effects))
    m = len(effects) // 2
    return float(
        (
            rank_among_matched(
                effects[order[m:]], effects[order[:m]], one_stratum(m, m)
            ).p
            <= alpha
        ).mean()
    )


def real_tail_rejected(
    rng: Rng, name: str, alphas: Sequence[float], m: int, task: int = 0
) -> np.ndarray:
    """Return the share of a network's null variants with an extrapolated p <= alpha
    among m others.
    """
    effects = rng.permutation(null_effects(name)[0][:, task])
    k = len(effects) - m
    found = extrapolate_ranks(effects[m:], effects[:m], one_stratum(m, k))
    return np.array(
        [*((found.p <= alpha).mean() for alpha in alphas), (found.by == "no fit").any()]
    )


def real_false_share(rng: Rng, name: str, k: int = 1_000, task: int = 0) -> float:
    """Return the false discovery proportion with 5 % planted among a network's null
    variants.
    """
    effects = rng.permutation(null_effects(name)[0][:, task])
    m, n_real = len(effects) // 2, round(0.05 * k)
    return planted(rng, effects[m : m + k - n_real], effects[:m], n_real)


def splice_variants(
    folder: Path, n: int = 1_000, share: float = 0.1, seed: int = 1
) -> tuple[list[Variant], np.ndarray]:
    """Write the splicing genome, and return n variants of which a share break a GT or
    an AG, and which these are.
    """
    rng = np.random.default_rng(seed)
    letters, core = splicing_genome(rng)
    (folder / "genome.fa").write_text(f">g\n{letters}\n")
    of_core = rng.permutation(np.array(core).ravel())[: round(share * n)].tolist()
    near = {at + d for at in np.array(core).ravel().tolist() for d in range(-30, 31)}
    others = [
        at
        for at in rng.permutation(np.arange(300, len(letters) - 300)).tolist()
        if at not in near
    ]
    chosen = []
    for i, at in enumerate([*of_core, *others[: n - len(of_core)]]):
        alternates = [base for base in "ACGT" if base != letters[at]]
        chosen.append(
            Variant("g", at, letters[at], alternates[int(rng.integers(3))], f"v{i}")
        )
    return chosen, np.arange(n) < len(of_core)


def splice_recall(
    n: int = 1_000, n_null: int = M, member: int = 10
) -> dict[str, float]:
    """Return the share of GT- and AG-breaking variants found at q <= .05, and the share
    of others among those found.

    A site counts where the network calls it: where its probability is above .5 in the
    reference.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen, broken = splice_variants(folder, n)
        experiment = cg.experiments.variants(
            chosen,
            folder / "genome.fa",
            length=181,
            null=cg.MatchedVariants(of="genome"),
            n_null=n_null,
        )
        outcomes = cg.run(
            experiment, network("splicing", member), rng=0, progress=False
        )
        answer = experiment.analyze(outcomes)
    called = (outcomes["outcome"].sel(arm="reference")[:n] > 0.5).any(
        "task"
    ).to_numpy() & broken
    found = (answer.estimates["q_matched"] <= 0.05).any("task").to_numpy()
    return {
        "sites called": int(called.sum()),
        "recall": float(found[called].mean()),
        "of those found, not at a GT or AG": float(
            (found & ~broken).sum() / max(found.sum(), 1)
        ),
    }


REAL = ("splicing", "MPRA", "enhancers")


def main() -> None:
    """Print rates and false discovery proportions of the three networks."""
    import time

    for member in (10, 11, 12, 13, 14):
        print(
            f"splicing, seed {member}, variants that break a GT or an AG:",
            splice_recall(member=member),
            flush=True,
        )
    for name in REAL:
        start = time.perf_counter()
        effects, _ = null_effects(name)
        kurtosis = ((effects - effects.mean(0)) ** 4).mean(0) / effects.var(0) ** 2 - 3
        print(
            f"{name}: {len(effects):,} null variants in "
            f"{time.perf_counter() - start:.0f} s; excess kurtosis "
            f"{np.round(kurtosis, 1)}",
            flush=True,
        )
        for task in range(min(effects.shape[1], 2)):
            rng = np.random.default_rng(1)
            rates = {
                a: np.mean([real_rejected(rng, name, a, task) for _ in range(40)])
                for a in (0.05, 0.01, 1e-3, 1e-4)
            }
            print(
                "  task",
                task,
                "rejected / nominal",
                {a: round(r / a, 3) for a, r in rates.items()},
            )
            one = {
                a: real_rejected(np.random.default_rng(2), name, a, task)
                for a in (0.05, 0.01, 1e-3, 1e-4)
            }
            print("    a single split", {a: round(r / a, 2) for a, r in one.items()})
            for m in (2_000, M):
                alphas = (1e-3, 1e-4, 1e-5)
                found = np.mean(
                    [
                        real_tail_rejected(rng, name, alphas, m, task)
                        for _ in range(200)
                    ],
                    axis=0,
                )
                rates = {
                    a: round(r / a, 3) for a, r in zip(alphas, found, strict=False)
                }
                print(
                    f"    extrapolated from {m:,}: rejected / nominal {rates}, refused "
                    f"{found[-1]:.3f}",
                    flush=True,
                )
            for k in (1_000, 5_000):
                shares = np.array(
                    [real_false_share(rng, name, k, task) for _ in range(300)]
                )
                print(
                    f"    K = {k:,}: mean FDP {shares.mean():.4f}, 95th percentile "
                    f"{np.quantile(shares, 0.95):.4f}",
                    flush=True,
                )


def _each(one: Callable[[Rng], float]) -> Callable[[Rng, int], np.ndarray]:
    return lambda rng, n: np.array([one(rng) for _ in range(n)])


_RANKS = "P-values from ranks among 10,000 matched nulls, heavy-tailed effects"
_SCORES = (
    "P-values of scores from elsewhere, `cg.rank`: 9,996 among as many null scores in "
    "four strata of other scales, heavy-tailed"
)
_FOUND = (
    "False discoveries among 1,000 effects, 5 % of them planted, ranked among matched "
    "nulls at q < .05"
)
_POOLED = (
    "P-values from ranks in pooled strata: 600 effects of 60 kinds that differ in "
    "size, 6,000 matched nulls"
)
_TAIL = (
    "P-values extrapolated beyond the largest matched null, by a generalized Pareto "
    "tail"
)
_LAWS: dict[str, Callable[[Rng, int], np.ndarray]] = {
    "heavy-tailed effects": heavy,
    "exponential effects": lambda rng, n: rng.exponential(size=n),
    "t effects with 3 degrees of freedom": lambda rng, n: rng.standard_t(3, n),
}
_TEN = {"per_sequence": 10, "correlation": 0.99}


def _shared(rng: Rng, n: int) -> np.ndarray:
    return shared_sequences(rng, n, **_TEN)


CHECKS = [
    *(
        Check(
            _RANKS,
            f"matched null effects with p <= {a:g}",
            _each(lambda rng, a=a: rejected(rng, a)),
            a,
            full=2_000,
            quick=100,
        )
        for a in (0.05, 0.01, 1e-3, 1e-4)
    ),
    *(
        Check(
            _SCORES,
            f"{alternative} null scores with p <= {a:g}",
            _each(lambda rng, a=a, side=alternative: ranked(rng, a, side)),
            a,
            full=10_000 if a == 0.05 and alternative == "two-sided" else 2_000,
            quick=50,
        )
        for alternative in ("two-sided", "greater")
        for a in (0.05, 0.01, 1e-3)
    ),
    Check(
        _FOUND,
        "one matched null per sequence, mean share of false discoveries",
        _each(lambda rng: false_share(rng, 1_000)),
        0.055,
        "at most",
        full=2_000,
        quick=100,
    ),
    Check(
        _FOUND,
        "one matched null per sequence, trials with more than 12 % false discoveries",
        lambda rng, n: np.array([false_share(rng, 1_000) > 0.12 for _ in range(n)]),
        0.05,
        "at most",
        full=2_000,
        quick=100,
    ),
    Check(
        _FOUND,
        "ten matched nulls in each of 1,000 sequences, correlated at .99, mean share "
        "of false discoveries",
        _each(lambda rng: false_share(rng, 1_000, _shared)),
        0.055,
        "at most",
        full=2_000,
        quick=100,
    ),
    Check(
        _FOUND,
        "ten matched nulls in each of 100 sequences, correlated at .99 (not allowed), "
        "mean share of false discoveries",
        _each(lambda rng: false_share(rng, 1_000, _shared, m=1_000)),
        0.05,
        "fails",
        full=2_000,
        quick=200,
    ),
    *(
        Check(
            _POOLED,
            f"{name}, with p <= 0.05",
            lambda rng, n, column=column: np.array(
                [strata_rejected(rng, 0.05)[column] for _ in range(n)]
            ),
            0.05,
            claim,
            full=2_000,
            quick=100,
        )
        for column, name, claim in (
            (0, "null effects of all kinds", "exact"),
            (
                1,
                "the fifteen kinds with the largest effects alone (not promised)",
                "fails",
            ),
            (2, "the other kinds alone", "at most"),
        )
    ),
    *(
        Check(
            _TAIL,
            f"{law}, {m:,} nulls, extrapolated p <= {a:g}",
            _each(lambda rng, a=a, draw=draw, m=m: tail_rejected(rng, a, draw, m)),
            a,
            "at most",
            full=100,
            quick=10,
        )
        for law, draw in _LAWS.items()
        for m, a in ((2_000, 1e-4), (M, 1e-5))
    ),
    Check(
        "Local false discovery rate from a two-group model of ranks, 2,000 effects of "
        "which 10 % are real",
        "share of nulls among effects with lfdr <= .2, minus their mean lfdr",
        _each(local_rate_off),
        0.01,
        "at most",
        full=2_000,
        quick=100,
    ),
]


if __name__ == "__main__":
    main()
