"""An experiment of the catalogue with an oracle that knows its truth: defaults where
these show something.
"""

from __future__ import annotations

import inspect
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

import causalgia as cg
from causalgia.experiments import Experiment
from causalgia.sequences import decode
from causalgia.trial_file import read_spec, starter
from causalgia.trial_file._starter import example_files
from causalgia.zoo import MotifCount, Oracle
from causalgia.zoo.terms import Gate

from .settings import LENGTH, RBFOX1

FIRST, SECOND = "GATAAGCA", "TATAAACG"
_TILES = [(30, 60), (120, 150), (180, 210)]
# so that what is shuffled is never quite nothing
_WEAK = (MotifCount("CAC", 0.1), MotifCount("TTG", -0.1))
_FEWER, _MANY = 5, 4_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """One experiment, the oracle that answers it, and what that is in words; its truth,
    where that is not the oracle's ACE of the design.
    """

    experiment: Experiment
    oracle: Oracle
    spelled: str
    truth: xr.DataArray | None = None


def case(name: str, *, quick: bool = False) -> Case:
    """Return the case of an experiment: from the table below, else as `causalgia init`
    would write its file.
    """
    made = _CASES[name]() if name in _CASES else _example(name)
    if (
        not quick
        or "n_units" not in inspect.signature(getattr(cg.experiments, name)).parameters
    ):
        return made
    return replace(
        made,
        experiment=replace(made.experiment, n_units=made.experiment.n_units // _FEWER),
    )


def _example(name: str) -> Case:
    """Return the case that `causalgia init --experiment` writes: its settings, files
    and oracle.
    """
    text = starter(name)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in {"trial.toml": text, **example_files(name)}.items():
            Path(folder, file).write_text(content)
        experiment = read_spec(Path(folder, "trial.toml")).design
    story = tomllib.loads(text)["predictor"]["zoo"]
    return Case(
        experiment=experiment, oracle=cg.zoo.oracle(story), spelled=f"`{story}`"
    )


def _long(n: int = 24, length: int = 240) -> dict[str, str]:
    """Return random sequences with the first motif in the tile 30-60 and the second in
    120-150, where in it differs.
    """
    made = {}
    for i, text in enumerate(
        decode(cg.Uniform(length=length).sample(n, rng=0)["sequence"].to_numpy())
    ):
        a, b = 32 + i % 18, 122 + i % 18
        made[f"sequence {i + 1}"] = (
            text[:a] + FIRST + text[a + 8 : b] + SECOND + text[b + 8 :]
        )
    return made


def _tiled(
    name: str, oracle: Oracle, spelled: str, **settings: Any
) -> Callable[[], Case]:
    def made() -> Case:
        experiment = getattr(cg.experiments, name)(
            _long(), **({"rope": (-0.5, 0.5)} | settings)
        )
        return Case(
            experiment=experiment,
            oracle=oracle,
            spelled=f"{spelled}, in sequences with both",
        )

    return made


def _gate(logic: Any) -> Oracle:
    return Oracle(
        Gate((FIRST, SECOND), bonus=4.0, logic=logic),
        *_WEAK,
        scale="activity",
        intercepts=[3.0],
    )


def _real_like() -> list[str]:
    """Return random sequences of 200 bp in which motifs of the oracle stand as they
    fall.
    """
    return decode(cg.Uniform(length=200).sample(400, rng=1)["sequence"].to_numpy())


def _gata1(name: str, said: str, **settings: Any) -> Callable[[], Case]:
    def made() -> Case:
        experiment = getattr(cg.experiments, name)(_real_like(), **settings)
        return Case(
            experiment=experiment,
            oracle=cg.zoo.oracle("gata1_like"),
            spelled=f"`gata1_like`, {said}",
        )

    return made


def _variants(name: str, **settings: Any) -> Callable[[], Case]:
    """Return 24 variants, half in the core of a GATA site and half beside it."""

    def made() -> Case:
        genome = decode(cg.Uniform(length=100).sample(24, rng=3)["sequence"].to_numpy())
        chromosomes = [text[:46] + "AGATAAG" + text[53:] for text in genome]
        rows = [
            f"chr{i}\t{_place(i)}\tv{i}\t{text[_place(i) - 1]}\t{_other(text[_place(i) - 1])}"
            for i, text in _from_1(chromosomes)
        ]
        with tempfile.TemporaryDirectory() as folder:
            fasta, vcf = Path(folder, "genome.fa"), Path(folder, "variants.vcf")
            fasta.write_text(
                "".join(f">chr{i}\n{text}\n" for i, text in _from_1(chromosomes))
            )
            vcf.write_text(
                "\n".join(["##fileformat=VCFv4.3", "#CHROM\tPOS\tID\tREF\tALT", *rows])
                + "\n"
            )
            experiment = getattr(cg.experiments, name)(vcf, fasta, **settings)
        oracle = cg.zoo.oracle("gata1_like")
        spelled = "`gata1_like`; 12 variants in AGATAAG, 12 beside it"
        return Case(experiment=experiment, oracle=oracle, spelled=spelled)

    return made


def _from_1(texts: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(texts, start=1))


def _place(number: int) -> int:
    """Return where variant so many is, counted from 1: in the core, or nine bases after
    the site.
    """
    return 50 if number % 2 else 62


def _other(base: str) -> str:
    return "C" if base != "C" else "A"


def _sites(
    name: str, length: int, story: str, *motifs: Any, **settings: Any
) -> Callable[[], Case]:
    """Return an entry of sites on uniform backgrounds, at its defaults but for these."""

    def made() -> Case:
        entry = getattr(cg.experiments, name)
        return Case(
            experiment=entry(cg.Uniform(length=length), *motifs, **settings),
            oracle=cg.zoo.oracle(story),
            spelled=f"`{story}`",
        )

    return made


_NANOG, _SOX2 = "AGCCATCA", "GAACAATGG"
_ANY = "an oracle in which either of two motifs is enough (OR)"
_BOTH = "an oracle that needs both of two motifs (AND)"
_CASES: dict[str, Callable[[], Case]] = {
    "variants": _variants("variants", null=cg.Uniform(length=200)),
    **{
        name: _sites(name, LENGTH, "rbfox1_like", RBFOX1)
        for name in ("motif", "position", "copies", "spacing")
    },
    # more units where a z rests on backgrounds that hold a site already, one in hundreds
    "flanks": _sites("flanks", LENGTH, "rbfox1_like", RBFOX1, n_units=1_000),
    "pair": _sites("pair", 200, "pairs_like", _SOX2, _NANOG, n_units=_MANY),
    "pairs": _sites(
        "pairs",
        200,
        "pairs_like",
        {
            "Oct4-Sox2": "TTTGCATAACAA",
            "Sox2": _SOX2,
            "Nanog": _NANOG,
            "Klf4": "CCACGCCC",
        },
        n_units=_MANY,
    ),
    "knock_in": _gata1("knock_in", "in random sequences", motif="AGATAAG"),
    "necessity": _tiled("necessity", _gate("or"), _ANY, tile_width=30, n_draws=5),
    "sufficiency": _tiled("sufficiency", _gate("or"), _ANY, tile_width=30, n_draws=5),
    "tiles": _tiled("tiles", _gate("and"), _BOTH, tiles=_TILES, n_draws=5),
}
