"""Placebos and fills never hold the motif itself, and are the same draws as before where
they did not.
"""

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import AblateEach
from causalgia.errors import DesignError
from causalgia.sequences import Motif, encode, find_instances

UNITS = np.arange(400, dtype=np.uint64)
# six strong columns of G, of which nearly every rearrangement is a site
RICH = Motif("rich", [[0.02, 0.02, 0.94, 0.02]] * 3 + [[0.3, 0.02, 0.66, 0.02]] * 5)
ROWS = encode(["CCCCCCCCTGAGTCACCCCCCCC", "ACGTACGTTGAGTCAACGTACGT"] * 200)
SITES = [(8, 15)] * len(ROWS)


def holds(tokens, motif):
    return np.isin(np.arange(len(tokens)), find_instances(tokens, motif).row)


def test_a_placebo_of_a_matrix_is_no_site_of_it():
    flanks = encode(["TTTTTTTTTTTTTTTTTTTT"] * len(UNITS))
    drawn = cg.Placebo(RICH, at=6).apply(flanks, units=UNITS, key=3)
    assert not holds(drawn[:, 6:14], RICH).any()
    sampled = cg.Embed(RICH, at=6).apply(flanks, units=UNITS, key=3)
    assert holds(sampled[:, 6:14], RICH).mean() > 0.2


def test_a_string_of_iupac_letters_has_placebos():
    """Each of its strings is rearranged, and none holds it: the effect is exact."""
    flanks = encode(["TTTTTTTTTTTTTTTTTTTT"] * len(UNITS))
    drawn = cg.Placebo("TGASTCA", at=6).apply(flanks, units=UNITS, key=3)
    written = cg.Embed("TGASTCA", at=6).apply(flanks, units=UNITS, key=3)
    assert not holds(drawn[:, 6:13], "TGASTCA").any()
    both = [np.sort(tokens[:, 6:13]) for tokens in (drawn, written)]
    assert {tuple(row) for row in both[0]} == {tuple(row) for row in both[1]}

    oracle = cg.zoo.Oracle(cg.zoo.MotifCount("TGASTCA", 2.0, "both"))
    experiment = cg.experiments.position(
        cg.Uniform(length=60), "TGASTCA", at=[4, 30], control="placebo", n_units=400
    )
    answer = experiment.analyze(cg.run(experiment, oracle, rng=0), rng=0)
    rows = answer.estimates.squeeze()
    assert (abs(rows["ace"] - 2) <= 4 * rows["se"] + 1e-9).all()


@pytest.mark.parametrize("fill", ["uniform", "shuffle", "dinucleotide_shuffle"])
def test_a_fill_is_drawn_again_where_it_holds_the_motif_and_only_there(fill):
    units = np.arange(len(ROWS), dtype=np.uint64)
    asis = AblateEach(SITES, fill=fill).apply(ROWS, units=units, key=5)
    free = AblateEach(SITES, fill=fill, without="TGASTCA").apply(
        ROWS, units=units, key=5
    )
    held = holds(asis, "TGASTCA")
    assert not holds(free, "TGASTCA").any()
    assert (free[~held] == asis[~held]).all()
    assert held.any() or fill == "uniform"


def test_a_fill_is_found_though_one_order_of_455_is_free():
    """T at every fourth base alone leaves no run of four A."""
    rows = encode(["GGGGG" + "ATTTAAAAAAAAAAA" + "GGGGG"] * 6)
    fill = AblateEach([(5, 20)] * 6, fill="shuffle", without="AAAA")
    made = fill.apply(rows, units=np.arange(6, dtype=np.uint64), key=1)
    assert cg.sequences.decode(made) == ["GGGGG" + "AAATAAATAAATAAA" + "GGGGG"] * 6


def test_a_fill_that_can_only_be_the_motif_is_refused():
    rows = encode(["CCGATACC", "CCGATAGG"])
    done = AblateEach([(2, 6)] * 2, fill="dinucleotide_shuffle", without="GATA")
    with pytest.raises(DesignError) as raised:
        done.apply(rows, units=np.arange(2, dtype=np.uint64), key=0)
    assert raised.value.argument == "fill"


def test_what_a_fill_is_free_of_is_part_of_the_design():
    plain = AblateEach(SITES, fill="uniform")
    free = AblateEach(SITES, fill="uniform", without=RICH, threshold=1e-3)
    again = AblateEach.from_plain(free.to_dict())
    assert again == free
    assert free.fingerprint != plain.fingerprint
