"""Backgrounds of one's own: genomic windows that match peaks, and functions that draw."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import Drawn
from causalgia.errors import PredictorError

LENGTH = 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A genome of two chromosomes whose GC drifts from .2 to .8, with a gap, and peaks in
    its richer half.
    """
    folder = tmp_path_factory.mktemp("genome")
    rng = np.random.default_rng(0)
    gc = np.tile(np.linspace(0.2, 0.8, 20_000), (2, 1))
    letters = np.where(
        rng.random(gc.shape) < gc,
        rng.choice(list("CG"), gc.shape),
        rng.choice(list("AT"), gc.shape),
    )
    letters[0, 15_000:15_400] = "N"
    text = "".join(f">chr{i}\n{''.join(row)}\n" for i, row in enumerate(letters, 1))
    (folder / "genome.fa").write_text(text + ">chrUn\n" + "ACGT" * 1_000 + "\n")
    starts = np.sort(rng.choice(np.arange(8_000, 14_500, 100), 40, replace=False))
    (folder / "peaks.bed").write_text(
        "".join(f"chr{1 + i % 2}\t{s}\t{s + 90}\n" for i, s in enumerate(starts))
    )
    return folder / "peaks.bed", folder / "genome.fa"


def matched(files, **settings) -> cg.Genomic:
    return cg.Genomic.matched(*files, **{"length": LENGTH, "rng": 0, **settings})


def gc(tokens) -> np.ndarray:
    return np.isin(tokens, (1, 2)).mean(axis=1)


def loud_in(*words):
    """A predictor with a task for each word: how often it occurs."""

    def answer(x):
        found = []
        for word in words:
            rows = ["ACGT".index(letter) for letter in word]
            n = x.shape[2] - len(word) + 1
            hits = np.stack([x[:, r, i : i + n] for i, r in enumerate(rows)])
            found.append(hits.prod(axis=0).sum(axis=1))
        return np.stack(found, axis=1)

    return cg.FunctionPredictor(answer, tasks=list(words))


def test_windows_match_the_peaks_one_by_one_and_lie_off_them(files):
    peaks = cg.sequences.from_bed(*files, length=LENGTH)
    null = matched(files).of
    unmatched = {one.name for one in null.skipped}
    own = [name not in unmatched for name in peaks.names]
    assert len(null) == sum(own) > 35
    assert np.abs(gc(null.tokens) - gc(peaks.tokens[own])).max() < 0.02
    assert set(null.places.chromosome) <= {"chr1", "chr2"}
    spans = [line.split() for line in files[0].read_text().splitlines()]
    for name, start, stop, _ in zip(*null.places, strict=True):
        assert not any(
            name == c and start < int(last) and int(first) < stop
            for c, first, last in spans
        )
    # each is the genome's letters at its place, and none is used twice
    with cg.sequences.genome.Genome(files[1]) as genome:
        for text, name, start, stop in zip(null.strings, *null.places[:3], strict=True):
            assert genome.letters(name, start, stop, place="").decode() == text
    assert len(set(null.names)) == len(set(null.parents)) == len(null)


def test_windows_depend_on_the_seed_alone(files):
    assert matched(files) == matched(files) != matched(files, rng=1)


def test_peaks_may_be_sequences_whose_names_say_their_places(files):
    given = cg.sequences.from_bed(*files, length=LENGTH)
    null = cg.Genomic.matched(given, files[1], rng=0)
    assert len(null.of) > 35


def test_peaks_without_a_window_of_their_kind_are_listed_and_noted(files):
    few = matched(files, length=400)
    left_out = len(few.of.skipped)
    assert 0 < left_out == 40 - len(few.of)
    assert (
        f"{left_out} of 40 sequences (unmatched" in few.sample(1, rng=0).attrs["notes"]
    )


def test_cpg_and_a_function_are_matched_as_gc_is(files):
    from causalgia.design.matched_windows import cpg_ratio

    peaks = cg.sequences.from_bed(*files, length=LENGTH)
    for by, read, width in (("cpg", cpg_ratio, 0.3), (gc, gc, 0.1)):
        null = matched(files, by=by, tolerance=width).of
        own = np.isin(peaks.names, [one.name for one in null.skipped], invert=True)
        away = np.abs(read(null.tokens) - read(peaks.tokens[own]))
        assert away.max() < width


def test_quiet_windows_are_the_lowest_quarter_of_those_tried(files):
    """Of the windows that were predicted, those kept have the lowest answers of their
    bin, and a quarter of them is kept.
    """
    network, tried = loud_in("CG"), []

    class Recorded:
        dims = network.dims

        def predict(self, tokens):
            tried.append(tokens)
            return network.predict(tokens)

    kept = matched(files, quiet=Recorded()).of
    (seen,) = tried
    level, level_kept = (np.floor(gc(x) / 0.02 + 1e-9) for x in (seen, kept.tokens))
    answers, low = network.predict(seen)[:, 0], network.predict(kept.tokens)[:, 0]
    for one in np.unique(level):
        own = np.sort(answers[level == one])
        assert np.array_equal(np.sort(low[level_kept == one]), own[: len(own) // 4])
    assert len(kept) > 25


def test_quiet_in_several_tasks_is_quiet_in_each(files):
    both = loud_in("CG", "GC")
    quiet, usual = (matched(files, quiet=one, tolerance=0.1).of for one in (both, None))
    answers = [both.predict(x.tokens).mean(axis=0) for x in (quiet, usual)]
    assert (answers[0] < answers[1]).all()
    # tasks on other scales give the same windows
    scaled = cg.FunctionPredictor(
        lambda x: np.exp(both.predict(x.argmax(axis=1).astype(np.uint8))) * [1, 1e6],
        tasks=["CG", "GC"],
    )
    assert matched(files, quiet=scaled, tolerance=0.1).of == quiet


def test_gc_alone_gives_no_difference_from_matched_windows_and_one_from_others(files):
    """A network of GC: its answers to peaks and to matched windows are equal within the
    bins, and to random windows they are not.
    """
    peaks = gc(cg.sequences.from_bed(*files, length=LENGTH).tokens).mean()
    alike = [gc(matched(files, rng=seed).of.tokens).mean() for seed in range(10)]
    others = gc(matched(files, by=lambda x: np.zeros(len(x))).of.tokens).mean()
    assert np.abs(np.array(alike) - peaks).max() < 0.01
    assert abs(others - peaks) > 0.03


WORDS = "an AT-rich simulator"


def simulator(rng, n):
    return rng.choice(4, (n, 30), p=[0.35, 0.15, 0.15, 0.35])


NULL = Drawn(simulator, length=30, words=WORDS)


def test_units_of_a_function_do_not_depend_on_the_batch():
    whole = NULL.draw(np.arange(150, dtype=np.uint64), key=7, n_units=150)
    some = np.array([140, 3, 64], np.uint64)
    assert (NULL.draw(some, key=7, n_units=999) == whole[[140, 3, 64]]).all()
    assert (NULL.draw(some, key=8, n_units=999) != whole[[140, 3, 64]]).any()


def test_strings_and_tokens_are_one_null_model():
    spelled = Drawn(
        lambda rng, n: cg.sequences.decode(simulator(rng, n)), length=30, words=WORDS
    )
    assert spelled == NULL
    assert spelled.fingerprint == NULL.fingerprint
    other = Drawn(lambda rng, n: rng.choice(4, (n, 30)), length=30, words=WORDS)
    assert other != NULL
    assert other.fingerprint != NULL.fingerprint


def test_a_trial_on_a_function_says_what_its_backgrounds_are():
    arms = {"control": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)}
    design = cg.Design(null=NULL, arms=arms, n_units=150)
    outcomes = cg.run(design, cg.zoo.oracle("gata1_like"), rng=0)
    assert outcomes.attrs["null"] == f"{WORDS}, 30 bp"
    one = cg.run(replace(design, n_units=70), cg.zoo.oracle("gata1_like"), rng=0)
    first = outcomes["outcome"].sel(unit=slice(0, 69))
    assert np.array_equal(one["outcome"].values, first.values)


PEAKS = np.random.default_rng(3).integers(0, 4, (20, 60))
NAMES = np.array(["peak" + "+" * i for i in range(20)])  # of many lengths
TABLE = np.random.default_rng(5).normal(size=(4, 60)) / 8
SWAPPED = {"control": cg.Embed("A", at=30), "G": cg.Embed("G", at=30)}


def mutants(rng, n, peaks=PEAKS):
    """Mutants of the peaks, one letter in fifty, and which peak each is of."""
    source = rng.integers(len(peaks), size=n)
    others = rng.integers(0, 4, (n, 60))
    changed = rng.random((n, 60)) < 0.02
    return np.where(changed, others, peaks[source]), NAMES[source]


def of_peaks(*, named=True, peaks=PEAKS):
    def fn(rng, n):
        found = mutants(rng, n, peaks)
        return found if named else found[0]

    return Drawn(fn, length=60, words="mutants of 20 peaks")


def by_context(x):
    """G at place 30 adds what all other letters of the sequence are worth."""
    return np.einsum("nbl,bl->n", x, TABLE) * x[:, 2, 30]


AS_CONTEXT = {
    "tasks": ["y"],
    "dtype": "float64",
    "fingerprint": "by context",
    "batch_size": 512,  # 2,048 units a turn
}
CONTEXT = cg.FunctionPredictor(by_context, **AS_CONTEXT)


def swapped(null, n_units=300, rng=0, **settings):
    design = cg.Design(null=null, arms=SWAPPED, n_units=n_units, contrasts="control")
    return cg.run(design, CONTEXT, rng=rng, progress=False, **settings)


def estimates(outcomes, **settings):
    return cg.estimate(cg.contrast(outcomes, control="control"), **settings)


def test_parents_of_a_function_are_the_units_own():
    units = np.arange(150, dtype=np.uint64)
    null = of_peaks()
    tokens, whole = null.draw_with_parents(units, key=7, n_units=150)
    assert (null.parents(units, key=7, n_units=150) == whole).all()
    some = np.array([140, 3, 64], np.uint64)
    assert (null.parents(some, key=7, n_units=999) == whole[[140, 3, 64]]).all()
    nearest = (tokens[:, None] != PEAKS).sum(axis=2).argmin(axis=1)
    assert (NAMES[nearest] == whole).all()
    drawn = null.sample(150, rng=0)
    assert (drawn["parent"] == swapped(null, 150)["parent"]).all()
    assert null != of_peaks(named=False)  # and with other parents it is another null
    assert null.fingerprint != of_peaks(named=False).fingerprint


def test_units_of_one_parent_are_clustered():
    """From 20 peaks the error is that of 20 draws: what the peaks' own means scatter by."""
    outcomes = swapped(of_peaks())
    found, alone = estimates(outcomes), estimates(outcomes, cluster="none")
    assert found["n_clusters"].item() == 20
    assert found["ace"].item() == alone["ace"].item()
    ice = outcomes["outcome"].sel(arm="G") - outcomes["outcome"].sel(arm="control")
    means = ice.groupby("parent").mean().values.ravel()
    error = means.std(ddof=1) / np.sqrt(20)
    assert 0.85 < found["se"].item() / error < 1.2
    assert alone["se"].item() < 0.35 * error


def test_parents_are_told_and_may_be_the_target():
    outcomes = swapped(of_peaks())
    found = estimates(outcomes)
    assert "300 units in 20 clusters (parent)" in str(cg.report(found))
    fixed = estimates(outcomes, target="parents")
    assert fixed["se"].item() < 0.4 * found["se"].item()
    blocked = cg.Design(
        null=of_peaks(),
        arms=SWAPPED,
        n_units=300,
        assignment="parallel",
        blocks="parent",
    )
    parallel = cg.run(blocked, CONTEXT, rng=0, progress=False)
    assert (parallel["block"] == parallel["parent"]).all()


def test_a_confirmation_on_the_same_parents_says_so():
    ask = cg.Analysis(control="control", rope=(-0.1, 0.1))
    screen = swapped(of_peaks(), analysis=ask)
    design = cg.Design(null=of_peaks(), arms=SWAPPED, n_units=300, contrasts="control")
    for n_units, target in ((300, "parents"), (25, "population")):
        fresh = cg.confirm(
            screen, select="G", predictor=CONTEXT, rng=0, design=design, n_units=n_units
        )
        assert set(fresh["parent"].values) <= set(NAMES)
        assert "same parents" in fresh.attrs["confirms"]
        assert cg.Analysis.from_json(fresh.attrs["analysis"]).target == target


@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_a_trial_from_an_archive_has_the_parents_of_a_run_in_memory(tmp_path, keep):
    """A run that dies after its first turn and goes on has the same parents and error."""

    def network(most):
        asked = []

        def answer(x):
            asked.append(len(x))
            if sum(asked) > most:
                raise RuntimeError("killed")
            return by_context(x)

        return cg.FunctionPredictor(answer, **AS_CONTEXT), asked

    design = cg.Design(null=of_peaks(), arms=SWAPPED, n_units=5_000)
    analysis = cg.Analysis(control="control")
    how = {"rng": 0, "progress": False, "analysis": analysis}
    whole_network, asked = network(np.inf)
    whole = cg.run(design, whole_network, **how)
    how |= {"store": tmp_path / "trial.zarr", "keep": keep}
    with pytest.raises(PredictorError):
        cg.run(design, network(sum(asked) * 0.7)[0], **how)
    second, again = network(np.inf)
    found = cg.run(design, second, **how)
    if keep != "moments":
        assert sum(again) < 0.7 * sum(asked)  # the first turn was kept
        assert (found["parent"] == whole["parent"]).all()
    effects = cg.contrast(found, control="control") if keep == "outcomes" else found
    resumed, direct = cg.estimate(effects), estimates(whole)
    assert resumed["n_clusters"].item() == 20
    np.testing.assert_allclose(resumed["se"], direct["se"], rtol=1e-9)


def test_a_redrawn_oligo_has_the_parent_of_its_own_draw():
    design = cg.Design(null=of_peaks(), arms=SWAPPED, n_units=80, contrasts="control")
    rows = cg.mpra.library(design, oligo_length=90, adapters="lentimpra", rng=1)
    rows = rows.isel(row=np.flatnonzero(rows["group"].values == "test"))
    tokens = cg.sequences.encode(rows["insert"].values.tolist())
    nearest = (tokens[:, None] != PEAKS).sum(axis=2).argmin(axis=1)
    assert (rows["draw"].values > 0).sum() > 10
    assert (NAMES[nearest] == rows["parent"].values).all()


def test_sources_that_a_function_keeps_to_itself_are_noted():
    told = of_peaks(named=False).sample(2, rng=0).attrs["notes"]
    assert re.match(r"\d\d of 64 ", told)
    assert "notes" not in of_peaks().sample(2, rng=0).attrs
    for p in ([0.25] * 4, [0.45, 0.05, 0.05, 0.45], [0, 0.5, 0.5, 0]):
        alone = Drawn(
            lambda rng, n, p=p: rng.choice(4, (n, 60), p=p), length=60, words="x"
        )
        assert "notes" not in alone.sample(2, rng=0).attrs
