# Imports from the inside: what a number of placebos can resolve, against the least p-value.
"""What the number of placebos lets ranks distinguish, one ordering, and the tail
that is gone.
"""

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.multiplicity.placebo import placebo_rank, placebo_region, resolution_note


def _table(words, effects, se=0.01):
    ace = np.concatenate([words, effects])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace[:, None]),
            "se": (("contrast", "task"), np.full((ace.size, 1), se)),
        },
        coords={"contrast": np.arange(ace.size).astype(str), "task": ["t"]},
    )
    return table.assign_coords(
        is_placebo=("contrast", np.arange(ace.size) < len(words))
    )


@pytest.mark.parametrize("m", [40, 59, 78, 79, 80, 400])
def test_p_of_at_most_five_percent_is_beyond_the_region(m):
    """With effects known exactly: ranks and region are one ordering of words and
    effects.
    """
    rng = np.random.default_rng(m)
    words = rng.standard_t(3, m).round(2)
    table = _table(words, np.r_[words[:20], rng.normal(0, 3, 400).round(2)], se=0.0)
    table = table.assign(se=table["se"] * 0)
    region = placebo_region(table)
    ace = table["ace"].values[m:, 0]
    beyond = (ace > region["upper"].item()) | (ace < region["lower"].item())
    p = placebo_rank(table)["p_placebo"].values[m:, 0]
    np.testing.assert_array_equal(p <= 0.05, beyond)
    r = int(round(0.025 * (m + 1), 9))
    assert region["upper"].item() == np.sort(words)[-r]


def test_verdicts_on_random_sequences_have_words_of_their_own():
    rng = np.random.default_rng(1)
    table = _table(rng.normal(size=100), [40.0, -40.0, 0.0, 2.2])
    for rope in ("placebo", "placebo outliers"):
        found = cg.decide(table, rope=rope)
        verdicts = found["verdict"].values[100:, 0].tolist()
        assert verdicts[:3] == ["higher", "lower", "within"]
        assert set(found["verdict"].values.ravel()) <= {
            "higher",
            "lower",
            "within",
            "undecided",
        }


@pytest.mark.parametrize("n_placebos", [38, 39, 79, 80])
def test_a_note_asks_for_words_exactly_where_no_p_can_be_small_enough(n_placebos):
    """Two effects beyond every word, of two or of four: with M words the least p is 2 /
    (M + 1).
    """
    for n_effects in (2, 4):
        table = _table(
            np.linspace(-1, 1, n_placebos), np.r_[[50.0, 60.0], np.zeros(n_effects - 2)]
        )
        could_be = (table["ace"].to_numpy() > 40) & ~table["is_placebo"].to_numpy()[
            :, None
        ]
        enough = 2 / (n_placebos + 1) <= 0.05 * 2 / n_effects
        assert (resolution_note(table, could_be, 0.05) is None) == enough
        assert resolution_note(table, could_be & False, 0.05) is None
