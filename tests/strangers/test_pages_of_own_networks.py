"""The guide for one's own network shows a whole my_net.py, and what is noticed of one that loads
nothing (a biologist's day: the one guide that did not run).
"""

from pathlib import Path

import pytest

import causalgia as cg
from causalgia.errors import CausalgiaWarning

torch = pytest.importorskip("torch")
PAGES = Path(__file__).parents[2] / "docs" / "howto"
NAMES = {"tasks": ["K562", "HepG2"], "scale": "log counts"}
IGNORES = "\ndef ignores(path):\n    return Net()\n"


def my_net_of(page):
    text = (PAGES / page).read_text()
    code = text.split('>>> MY_NET = """\n')[1].split('\n... """')[0]
    return "\n".join(line[4:] for line in code.splitlines())


def test_my_net_of_the_page_runs_and_is_watched(tmp_path):
    code = my_net_of("own_network.md")
    (tmp_path / "my_net.py").write_text(code + IGNORES)
    space = {}
    exec(code, space)
    net = space["load"]()
    weights = tmp_path / "net.safetensors"
    cg.predict.save_weights(net, weights)
    place = f"{tmp_path}/my_net.py"
    loaded = cg.load_predictor(f"{place}:load", weights=weights, announce=None, **NAMES)
    assert torch.equal(loaded.module.scan.weight, net.scan.weight)
    with pytest.warns(CausalgiaWarning):
        cg.load_predictor(f"{place}:ignores", weights=weights, announce=None, **NAMES)
    cg.load_predictor(f"{place}:load", announce=None, **NAMES)
