"""Answers of the bench: the question answered first, one table, three lines under it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.mpra.planning.plan_answers import plan_parts, power_parts
from causalgia.mpra.text_reports import counts_in_words, measured_parts

NOISE = cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5)


def measured(n, effects, *, n_negatives=0, rope=0.0, n_replicates=3, **asked):
    """Return the answer on n elements with these average effects by arm."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, n)
    rows = [
        (f"e{i}", arm, "test", base[i] + effects.get(arm, 0.0) + rng.normal(0, 0.2))
        for i in range(n)
        for arm in ("WT", *effects)
    ]
    rows += [
        (f"neg{i}", arm, "negative", -1.0)
        for i in range(n_negatives)
        for arm in ("WT", *effects)
    ]
    table = pd.DataFrame(rows, columns=["element", "arm", "group", "log2"])
    noise = cg.mpra.NoiseModel(sd_barcode=0.4)
    counts = cg.mpra.simulate(
        table, n_barcodes=8, n_replicates=n_replicates, noise=noise, rng=1
    )
    method = "two_way" if n_replicates > 1 else "hierarchical"
    fitted = cg.mpra.fit(counts, control="WT", method=method)
    decided = cg.decide(fitted, rope=rope)
    return measured_parts(fitted, decided, cg.mpra.quality(counts), counts, **asked)


def blocks(parts):
    """Return answer, table and foot of a text, each within its number of lines."""
    answer, table, foot = parts.text().split("\n\n")
    assert len(table.splitlines()) <= 23
    assert len(foot.splitlines()) <= 4
    for block in (answer, foot):
        assert max(map(len, block.splitlines())) <= 100
    return " ".join(answer.split()), table.splitlines(), " ".join(foot.split())


def test_one_arm_has_a_line_for_each_element_and_controls_are_counted_apart():
    parts = measured(30, {"A": 2.0}, n_negatives=8)
    answer, table, foot = blocks(parts)
    assert answer.startswith(
        "Compared with WT, A raises log2 activity in 30 of 30 elements and lowers it in "
        "none. The average effect is "
    )
    assert table[0].split()[0] == "element"
    assert len(table) == 22  # heading, twenty elements, what is left out
    assert table[-1] == 'Not shown: 10 increases; rows="all" shows all.'
    assert not any(line.startswith("neg") for line in table)
    assert "of 8 negative." in foot
    assert "Counts: 3 replicates agree" in foot
    assert foot.count("Verdict: ") == 1


def test_a_region_and_two_arms_stand_beside_each_other():
    answer, table, foot = blocks(measured(12, {"A": 2.0, "B": -2.0}, rope=(-0.2, 0.2)))
    assert "A raises log2 activity beyond ±0.2 in 12 of 12 elements" in answer
    assert "B lowers log2 activity beyond ±0.2 in 12 of 12 elements" in answer
    assert answer.count("Compared with WT") == 1
    assert table[0].split() == ["A", "B"]
    assert "against ±0.2" in foot


def test_more_than_three_arms_have_a_line_for_each():
    arms = {"A": 2.0, "B": -2.0, **{f"m{i}": 0.0 for i in range(30)}}
    answer, table, _ = blocks(measured(6, arms))
    assert (
        "A changes log2 activity in 6 of 6 elements, the most of 32 contrasts" in answer
    )
    assert table[0].split()[:4] == ["contrast", "increases", "decreases", "undecided"]
    assert [line.split()[0] for line in table[1:3]] == ["A", "B"]
    assert table[-1].startswith('Elements: rows="all", effects.tsv.')
    every = measured(6, arms, rows="all")
    assert len(every.lines) == 6 * 32
    assert every.header[:2] == ["element", "contrast"]


def test_one_element_has_a_line_for_each_arm():
    arms = {f"m{i}": 3.0 * (i == 7) for i in range(40)}
    answer, table, foot = blocks(measured(1, arms))
    assert answer.startswith("m7 raises log2 activity of e0 by ")
    assert table[1].split()[0] == "m7"
    assert "Each minus WT" in foot


def test_what_is_asked_for_is_printed_below():
    parts = measured(5, {"A": 2.0}, requested=["notes", "each"])
    text = parts.text()
    assert "A: A − WT" in text
    assert "replicate  DNA reads" in text
    assert "No fault was found in the 3 replicates" in text
    assert "rope=0 asks for the direction alone" not in text.split("\n\n")[2]


def test_one_replicate_and_names_of_200_letters_are_readable():
    name = "A" * 200
    answer, _, foot = blocks(measured(5, {name: 2.0}, n_replicates=1))
    assert f"{'A' * 59}… raises log2 activity in " in answer
    assert "One replicate was measured: this is about that replicate alone." in foot


def test_what_is_wrong_with_counts_is_a_caution():
    table = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(60)], 2),
            "arm": ["WT", "A"] * 60,
            "log2": np.random.default_rng(0).normal(0, 1, 120),
        }
    )
    counts = cg.mpra.simulate(table, n_barcodes=8, n_replicates=2, rng=1)
    for kind in ("dna", "rna"):
        counts[kind][:, 1] = counts[kind][:, 0]
    said = counts_in_words(cg.mpra.quality(counts))
    assert said.startswith("Caution: ")
    assert "agree" not in said


@pytest.mark.parametrize(
    ("barcodes", "begins"),
    [
        (
            [5, 10],
            "None of 2 designs finds a log2 effect of 0.5 in one element with a ",
        ),
        ([5, 80], "Of 2 designs, 1 finds a log2 effect of 0.5 in one element with a "),
        (
            80,
            "80 barcodes of each oligo, 4 replicates and 100 reads of a barcode find, ",
        ),
    ],
)
def test_power_says_which_designs_are_enough(barcodes, begins):
    found = cg.mpra.power(
        0.5, n_barcodes=barcodes, n_replicates=4, depth=100, noise=NOISE
    )
    answer, table, foot = blocks(power_parts(found))
    assert answer.startswith(begins)
    assert len(table) == 1 + np.size(barcodes)
    assert "Assumed: sd on log2 0.6 (barcodes), 0.15 (replicates)." in foot
    assert str(cg.report(found)) == power_parts(found).text()


def test_power_of_a_large_grid_shows_the_best_and_says_how_to_see_all():
    found = cg.mpra.power(
        [0.3, 0.6], n_barcodes=range(5, 30), n_replicates=[3, 4], depth=100, noise=NOISE
    )
    _, table, _ = blocks(power_parts(found, pointer="--all"))
    assert table[-1] == "80 more; --all shows all."
    shares = [float(line.split()[-1]) for line in table[1:-1]]
    assert shares == sorted(shares, reverse=True)
    assert len(power_parts(found, every=True).lines) == 100


@pytest.mark.rotating(6)
def test_the_cheapest_library_is_named_with_its_price():
    found = cg.mpra.cheapest(half_width=0.2, noise=NOISE)
    answer, table, foot = blocks(plan_parts(found))
    assert answer.startswith("The cheapest library with a half width of 0.2 for the ")
    assert f"{found['n_backgrounds'].item()} backgrounds, " in answer
    assert len(table) == 2
    assert "placeholders" in foot
    assert str(cg.report(found)) == plan_parts(found).text()


def test_settings_at_the_edge_of_what_was_tried_are_named():
    found = cg.mpra.cheapest(max_oligos=2_000, noise=NOISE)
    answer, _, _ = blocks(
        plan_parts(found, options={"n_replicates": "--r", "depth": "--d"})
    )
    assert answer.startswith("With at most 2,000 oligos, the average effect is known ")
    assert answer.endswith("replicates (--r), reads of a barcode (--d).")
