"""What an audit counts and names is what holds, in the tasks where it holds; and a motif's
letters are those of the motif.
"""

import numpy as np
import pandas as pd

from causalgia._audit._audit import _tree  # the tree of hypotheses of motifs by task
from causalgia._audit.candidates import _Sites, _weighed  # a matrix of sites
from causalgia.sequences import Motif, encode


def test_a_motif_is_confirmed_by_task() -> None:
    p = {
        ("A", "y", "alone"): 1e-6,
        ("A", "y", "lost"): 0.5,
        ("A", "z", "alone"): 0.6,
        ("B", "z", "alone"): 0.001,
    }
    q, of_rules = _tree(p, [{"first": "B", "second": "A", "p": 1e-4}])
    assert q["A", "y"] < 0.05 < q["A", "z"]
    assert q["B", "z"] < 0.05
    assert of_rules[0] < 0.05
    assert _tree({}, []) == ({}, [])


def test_letters_of_composition_beside_a_motif_are_none_of_its_own() -> None:
    rng = np.random.default_rng(0)
    named = pd.Series(0, index=["TGACTCA", "longer"])
    for _ in range(20):
        tokens = rng.choice(4, (16, 40), p=[0.4, 0.1, 0.1, 0.4])
        tokens[:, 15:22] = encode(["TGACTCA"])[0]
        scores = np.full((16, 40, 1), 0.3)
        scores[:, 15:22] = 1.0
        sites = _Sites(
            np.arange(16), np.full(16, 13), np.zeros(16, bool), 11
        )  # with two bases on either side
        made = _weighed(Motif.from_iupac("NNTGACTCANN"), sites, tokens, scores)
        named["TGACTCA" if len(made) == 7 else "longer"] += 1
    assert named["TGACTCA"] >= 19
