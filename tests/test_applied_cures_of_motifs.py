"""Errors of motifs and of their scores: what each message says is given in its place, and
the motif, the ladder or the cut-off is the right one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from cures import Cases, arguments, cure_in, cured, refusal

import causalgia as cg
from causalgia.sequences import Motif
from causalgia.sequences.motif_scores import cutoff, strength_ladder

case = Cases()

TRUE = np.array([(0.7, 0.1, 0.1, 0.1), (0.1, 0.2, 0.3, 0.4), (0.4, 0.2, 0.2, 0.2)])
COUNTS = [[7, 1, 1, 1], [0, 0, 0, 0]]
TWO = Motif("two", ((0.7, 0.1, 0.1, 0.1), (0.7, 0.1, 0.1, 0.1)))
EVEN = Motif("even", ((0.25, 0.25, 0.25, 0.25),) * 3)


def of_log_odds(rows: Any, cure: str) -> bool:
    given = {"name": "toy", "log_odds": rows}
    return np.allclose(
        cured(Motif.from_pwm, given, cure, math=math).probabilities, TRUE
    )


@case
def log_odds_of_another_base() -> Any:
    """The advice was the counts of from_counts(), which refuses what is negative."""
    return of_log_odds(np.log(TRUE / 0.25), r"; give (base=math\.e)$") and of_log_odds(
        np.log10(TRUE / 0.25), r"; give (base=10)$"
    )


@case
def log_odds_against_another_background() -> Any:
    background = (0.3, 0.2, 0.2, 0.3)
    rows = np.log2(TRUE / background)
    text = refusal(Motif.from_pwm, "toy", rows)
    assert text.endswith("give the base= and the background= that they were made with")
    made = Motif.from_pwm("toy", rows, base=2, background=background)
    return np.allclose(made.probabilities, TRUE)


@case
def probabilities_and_counts_in_place_of_log_odds() -> Any:
    cure = "Motif() takes probabilities, from_counts() counts"
    for rows, read in ((TRUE, Motif), (10 * TRUE, Motif.from_counts)):
        assert cure in refusal(Motif.from_pwm, "toy", rows)
        assert np.allclose(read("toy", rows).probabilities, TRUE)
    return True


@case
def a_background_that_does_not_sum_to_one() -> Any:
    odd = np.array([3, 2, 2, 3])
    rows = np.log2(TRUE / (0.3, 0.2, 0.2, 0.3))
    text = refusal(Motif.from_pwm, "toy", rows, background=tuple(odd.tolist()))
    assert text.endswith("divide each by their sum")
    made = Motif.from_pwm("toy", rows, background=tuple((odd / odd.sum()).tolist()))
    return np.allclose(made.probabilities, TRUE)


@case
def counts_of_which_a_position_has_none() -> Any:
    made = cured(
        Motif.from_counts,
        {"name": "toy", "counts": COUNTS},
        r"or give (pseudocount=), such",
        fill={"pseudocount=": "pseudocount=0.8"},
    )
    return made.probabilities[1] == (0.25, 0.25, 0.25, 0.25)


@case
def counts_below_zero() -> Any:
    """A pseudocount of 1 made probability 0 of a count of -1, without a word."""
    below = [[7, 1, 1, 1], [4, -1, 3, 2]]
    for pseudocount in (0, 1):
        text = refusal(Motif.from_counts, "toy", below, pseudocount=pseudocount)
        assert text.endswith("position 1 has 4 -1 3 2; correct the matrix")
    made = Motif.from_counts("toy", np.abs(below), pseudocount=1)
    return made.probabilities[1] == (5 / 14, 2 / 14, 4 / 14, 3 / 14)


@case
def a_pseudocount_below_zero() -> Any:
    text = refusal(Motif.from_counts, "toy", [[7, 1, 1, 1]], pseudocount=-1)
    assert text == "pseudocount=-1; give a finite number that is not negative"
    return Motif.from_counts("toy", [[7, 1, 1, 1]], pseudocount=1)


@case
def rows_that_are_not_of_four() -> Any:
    """Three rows of five were told to be "at least one row"."""
    rows = np.ones((3, 5))
    assert refusal(Motif.from_counts, "a", rows).endswith("give rows of four numbers")
    assert refusal(cg.motif, rows).endswith(
        "give one row of four numbers for each position"
    )
    return len(cg.motif(rows[:, :4])) == 3


@case
def columns_that_are_not_of_one_length() -> Any:
    """The text was that of NumPy, of an inhomogeneous shape."""
    table = {"A": [0.5, 0.2], "C": [0.5], "G": [0, 0.4], "T": [0, 0.2]}
    for make, lines in ((cg.motif, table), (cg.motif, list(table.values()))):
        assert "have 2 and 1 numbers" in refusal(make, lines)
    assert "columns have 2 and 1 numbers" in refusal(Motif, "toy", table)
    return len(cg.motif(table | {"C": [0.5, 0.2]})) == 2


@case
def a_mapping_in_place_of_rows() -> Any:
    """The text was that of Python, of float() and of a real number."""
    for odd, why in (
        ({"A": 0.5}, "(a dict)"),
        ({"A": [1.0], "C": [0.0], "G": [0.0], "T": [0.0]}, "(a dict)"),
        ([{"A": 1}], "({'A': 1} is not a number)"),
        ([["a", 0, 0, 0]], "('a' is not a number)"),
        ([[1, 0, 0, 0], 3], "(a list beside the number 3)"),
        (object(), "(an object)"),
    ):
        text = refusal(Motif, "toy", odd)
        assert f"probabilities are not a table of numbers {why}; give one row" in text
        rows = eval(cure_in(text, r"such as (\(\(.*\)\))$"))
        assert Motif("toy", rows).probabilities == rows
    text = refusal(Motif, "toy", "GATA")
    call = cure_in(text, r"(from_iupac\('GATA'\)) makes a motif of it$")
    assert eval(f"Motif.{call}", {"Motif": Motif}).consensus == "GATA"
    return refusal(cg.motif, [[{"A": 1}]]).count("is not a number") == 1


@case
def a_table_with_a_cell_that_is_missing() -> Any:
    """Log-odds were named, and from_pwm() refuses them as well."""
    rows = TRUE.copy()
    rows[1, 0] = np.nan
    assert refusal(cg.motif, rows).endswith("none negative; correct the matrix")
    assert refusal(Motif.from_pwm, "toy", rows).endswith("not 1; correct the matrix")
    return np.allclose(
        cg.motif(np.where(np.isnan(rows), 0.1, rows)).probabilities, TRUE
    )


@case
def a_ladder_that_begins_above_all_but_the_consensus() -> Any:
    """A matrix was told to be given, and a matrix was what had been given."""
    text = refusal(strength_ladder, TWO, 4, weakest=2.5)
    named = cure_in(text, r": give (.*?), or a matrix").replace(" and ", ", ")
    given = {"motif": TWO, "n_steps": 4, "weakest": 2.5} | arguments(named)
    ladder = strength_ladder(**given)
    return [string for string, _ in ladder] == ["CA", "AA"]


@case
def a_motif_whose_strings_are_alike() -> Any:
    """Thresholds of 1 and ladders from below 0 were offered, and refused in turn."""
    for call, argument in ((strength_ladder, 3), (cutoff, 0.05)):
        text = refusal(call, EVEN, argument)
        assert text.endswith("with bases that differ"), text
    assert len(strength_ladder(TWO, 2)) == 2
    return cutoff(TWO, 0.1) > 0


@case.each
def test_the_cure_of_a_motif_is_applied_and_succeeds(case):
    assert case()
