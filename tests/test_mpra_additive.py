"""Barcodes with several variants: each variant's effect, its error, and what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia import store
from causalgia.errors import EstimateError

LETTERS = np.array([*"ACGT"])


def barcodes(n: int) -> list[str]:
    codes = np.arange(n)[:, None] >> 2 * np.arange(10) & 3
    return ["".join(row) for row in LETTERS[codes]]


def read(folder: Path, carried, dna, rna):
    """Write a table as MPRAflow does, and read it."""
    names = barcodes(len(carried))
    variants = folder / "T.variants.txt"
    variants.write_text(
        "".join(
            f"{name} {' '.join(f'T:{v + 1}:A>C' for v in np.flatnonzero(row))}\n"
            for name, row in zip(names, carried, strict=True)
        )
    )
    files = {}
    for r in range(rna.shape[1]):
        files[str(r + 1)] = folder / f"T_{r + 1}_counts.tsv"
        rows = zip(names, dna[:, r], rna[:, r], strict=True)
        files[str(r + 1)].write_text("".join(f"{b}\t{d}\t{x}\n" for b, d, x in rows))
    return cg.mpra.read_counts(files, assignment=variants, side_table=variants)


def planted(rng, *, n=800, effects=60, each=2.0, shared=0.1):
    """Return which of n barcodes carries which variant, DNA and RNA in three replicates,
    and effects, half of which are 0.
    """
    truth = np.where(np.arange(effects) % 2, rng.choice([-0.4, 0.4], effects), 0.0)
    carried = rng.random((n, effects)) < each / effects * rng.lognormal(0, 0.6, effects)
    amount = 60 * rng.lognormal(0, 0.8, (n, 1)) * np.ones(3)
    log2 = (carried @ truth + rng.normal(0, 0.4, n))[:, None]
    log2 = log2 + carried @ rng.normal(0, shared, (effects, 3))
    log2 = log2 + rng.normal(0, 0.2, (n, 3))
    return carried, rng.poisson(amount), rng.poisson(amount * 2**log2), truth


def effects_of(fitted, n: int):
    """Return effect, p and limits of each variant."""
    one = fitted.isel(element=0).reindex(contrast=[f"{v + 1}:A>C" for v in range(n)])
    return one["ace"].values, one["p"].values, one["lower"].values, one["upper"].values


def test_barcodes_of_equal_depth_are_ordinary_least_squares(tmp_path):
    rng = np.random.default_rng(0)
    carried, _, rna, truth = planted(rng, n=200, effects=12)
    dna = np.full(rna.shape, 100)
    fitted = cg.mpra.fit(read(tmp_path, carried, dna, rna), control="reference")
    ratio = np.log2((rna + 0.5) / (rna.sum(axis=0) + 1)).mean(axis=1)
    X = np.column_stack([np.ones(200), carried])
    expected = np.linalg.lstsq(X, ratio, rcond=None)[0][1:]
    ace, *_ = effects_of(fitted, len(truth))
    np.testing.assert_allclose(ace, expected, atol=1e-9)
    assert fitted.attrs["n_several"] == (carried.sum(axis=1) > 1).sum()


def test_nulls_power_and_coverage(tmp_path):
    """At .05 some .05 of nulls are rejected (.057, and .946 covered, over 120 sets), and
    of effects more than by barcodes that carry their variant alone.
    """
    rng = np.random.default_rng(3)
    null, power, covered, alone = [], [], [], []
    for _ in range(8):
        carried, dna, rna, truth = planted(rng)
        _, p, lower, upper = effects_of(
            cg.mpra.fit(read(tmp_path, carried, dna, rna), control="reference"), 60
        )
        few = carried.sum(axis=1) < 2
        single = read(tmp_path, carried[few], dna[few], rna[few])
        _, p_alone, *_ = effects_of(
            cg.mpra.fit(cg.mpra.filter(single, min_barcodes=1), control="reference"), 60
        )
        null.append(np.mean(p[truth == 0] < 0.05))
        power.append(np.mean(p[truth != 0] < 0.05))
        alone.append(np.mean(p_alone[truth != 0] < 0.05))
        covered.append(np.mean((lower <= truth) & (truth <= upper)))
    assert 0.03 < np.mean(null) < 0.08
    assert 0.91 < np.mean(covered) < 0.98
    assert np.mean(power) > np.mean(alone) + 0.3


def test_variants_in_the_same_barcodes_have_no_effect_of_their_own(tmp_path):
    carried, dna, rna, _ = planted(np.random.default_rng(1), effects=12)
    before = cg.mpra.fit(read(tmp_path, carried, dna, rna), control="reference")
    twins = np.column_stack([carried, carried[:, -1]])
    fitted = cg.mpra.fit(read(tmp_path, twins, dna, rna), control="reference")
    assert fitted.sizes["contrast"] == 11
    assert fitted.attrs["n_undetermined"] == 2
    kept = before.sel(contrast=fitted["contrast"])
    np.testing.assert_allclose(fitted["ace"], kept["ace"], rtol=1e-8)


def test_arms_contrasts_and_no_barcode_of_the_reference(tmp_path):
    carried, dna, rna, _ = planted(np.random.default_rng(2), effects=8)
    some = carried.any(axis=1)
    counts = read(tmp_path, carried[some], dna[some], rna[some])
    every = cg.mpra.fit(counts, control="reference")
    two = cg.mpra.fit(counts, control="reference", arm_names=["2:A>C", "3:A>C"])
    for name in ("ace", "se", "p"):
        np.testing.assert_allclose(
            two[name], every[name].sel(contrast=two["contrast"]), rtol=1e-6
        )
    between = cg.mpra.fit(counts, contrasts={"d": {"3:A>C": 1, "2:A>C": -1}})
    assert between["ace"].item() == pytest.approx(np.diff(two["ace"].values[0]).item())
    assert every["n_barcodes"].sel(arm="reference").item() == 0
    with pytest.raises(EstimateError):
        cg.mpra.fit(counts.isel(replicate=[0]), control="reference")


def test_rare_variants_are_in_the_model_and_not_compared(tmp_path):
    carried, dna, rna, _ = planted(np.random.default_rng(4), n=300)
    counts = read(tmp_path, carried, dna, rna)
    kept = cg.mpra.filter(counts, min_barcodes=10)
    store.save(kept, tmp_path / "counts.nc")
    fitted = cg.mpra.fit(store.read_netcdf(tmp_path / "counts.nc"), control="reference")
    n = carried[:, [int(name[:-4]) - 1 for name in fitted["contrast"].values]].sum(0)
    assert 10 <= n.min() < 60
    assert 0 < len(n) < 60
    every = cg.mpra.fit(counts, control="reference").sel(contrast=fitted["contrast"])
    np.testing.assert_allclose(fitted["se"], every["se"], rtol=1e-9)


def test_the_shell_fits_variants_and_says_how_many_barcodes_carry_several(tmp_path):
    from in_shell import invoke

    carried, dna, rna, _ = planted(np.random.default_rng(5), effects=12)
    read(tmp_path, carried, dna, rna)
    variants = str(tmp_path / "T.variants.txt")
    files = [str(tmp_path / f"T_{r}_counts.tsv") for r in (1, 2, 3)]
    asked = ["--assignment", variants, "--design", variants, "--control", "reference"]
    done = invoke("mpra", "analyze", *files, *asked, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    n = int((carried.sum(axis=1) > 1).sum())
    assert f"{n:,} of 800 barcodes" in " ".join(done.output.split())
    assert len((tmp_path / "out" / "effects.tsv").read_text().splitlines()) == 13
