"""Networks as others write them: what they keep, hook, copy and freeze, is run, and is
left as it was.
"""

from __future__ import annotations

import functools
import gc
import types
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations  # noqa: E402

import causalgia as cg  # noqa: E402
from causalgia.errors import PredictorError  # noqa: E402

pytestmark = pytest.mark.torch

ARMS = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAA", at=12)}
DESIGN = cg.Design(null=cg.Uniform(length=30), arms=ARMS, n_units=24)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.d, self.head = (
            nn.Conv1d(4, 8, 5, padding=2),
            nn.Conv1d(8, 8, 3, padding=1),
            nn.Linear(8, 2),
        )

    def features(self, x):
        return torch.relu(self.d(torch.relu(self.c(x))))

    def forward(self, x):
        return self.head(self.features(x).mean(2))


class NotCompared:
    def __eq__(self, other):
        raise RuntimeError("not compared")


class NotLookedAt:
    def __getattr__(self, name):
        raise RuntimeError(name)


NOT_COMPARED = NotCompared()


class InHiddenNetwork(Plain):
    def __init__(self):
        super().__init__()
        self.hidden = [nn.Linear(8, 2)]
        self.hidden[0].requires_grad_(False)

    def forward(self, x):
        features = self.features(x).mean(2)
        self.hidden[0].last = features
        return self.hidden[0](features)


class WithoutEquality(Plain):
    """Neither the network nor what it holds can be compared."""

    __eq__ = NotCompared.__eq__
    __hash__ = nn.Module.__hash__

    def __init__(self):
        super().__init__()
        self.held = [NotCompared(), {"a": NotCompared()}, NotLookedAt()]

    def forward(self, x):
        NOT_COMPARED.last = features = self.features(x)
        return self.head(features.mean(2))


class Ending(Plain):
    def forward(self, x):
        if isinstance(x, torch.fx.Proxy):
            raise SystemExit(3)
        return super().forward(x)


class Training(Plain):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        y = self.head(self.drop(self.features(x)).mean(2))
        self.train()
        return y


class CopiedAsItself(Plain):
    def __deepcopy__(self, memo):
        return self


class NotCopied(Plain):
    def __deepcopy__(self, memo):
        raise SystemExit("no copies")


def weight_normed():
    network = Plain()
    network.d = parametrizations.weight_norm(network.d)
    return network


def spectral_normed():
    network = Plain()
    network.d = parametrizations.spectral_norm(network.d)
    return network


def frozen():
    with warnings.catch_warnings():
        # of TorchScript, which networks of others are still in
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.freeze(torch.jit.script(Plain().eval()))


MAKERS = [
    InHiddenNetwork,
    Ending,
    Training,
    CopiedAsItself,
    NotCopied,
]
MAKERS += [WithoutEquality, weight_normed, spectral_normed, frozen]


def made(maker):
    torch.manual_seed(0)
    return maker().eval()


def symbols():
    gc.collect()
    return sum(issubclass(type(found), torch.fx.Proxy) for found in gc.get_objects())


@pytest.mark.simulation
@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.filterwarnings("ignore::causalgia.errors.FallbackWarning")
def test_it_is_checked_and_run_and_left_as_it_was(maker, incremental):
    def full(x):
        return plain(torch.as_tensor(x)).detach().numpy()

    network, plain = made(maker), made(Plain if maker in (Ending, Training) else maker)
    names = [
        (name, value.dtype, value.requires_grad)
        for name, value in network.named_parameters()
    ]
    flags = [part.training for part in network.modules()]
    predictor = cg.TorchPredictor(
        network, incremental=incremental, device="cpu", batch_size=8
    )
    cg.run(DESIGN, predictor, rng=0, progress=False)
    assert cg.check(DESIGN, predictor).ok
    found = cg.run(DESIGN, predictor, rng=0, progress=False)["outcome"].values
    assert symbols() == 0
    assert [
        (name, value.dtype, value.requires_grad)
        for name, value in network.named_parameters()
    ] == names
    assert [part.training for part in network.modules()] == flags
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cg.run(
            DESIGN, cg.FunctionPredictor(full, batch_size=8), rng=0, progress=False
        )["outcome"].values
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("maker", [CopiedAsItself, NotCopied, frozen])
def test_a_network_without_a_copy_in_float64_says_so_and_stays_float32(maker):
    network = made(maker)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(network, device="cpu").reference()
    assert all(value.dtype == torch.float32 for value in network.parameters())


def test_ctrl_c_while_a_network_is_traced_is_an_interrupt():
    class Interrupted(Plain):
        def forward(self, x):
            if isinstance(x, torch.fx.Proxy):
                raise KeyboardInterrupt
            return super().forward(x)

    predictor = cg.TorchPredictor(made(Interrupted), device="cpu")
    with pytest.raises(KeyboardInterrupt):
        predictor.with_incremental_edits(30)


@pytest.mark.simulation
def test_a_tensor_that_a_hook_leaves_outside_the_network_is_predicted_by_full_passes():
    class Hooked(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.c, self.head, self.kept = (
                torch.nn.Conv1d(4, 8, 7, padding=3),
                torch.nn.Linear(8, 1),
                {},
            )
            self.c.register_forward_hook(
                lambda _module, _args, out: self.kept.update(c=out)
            )

        def forward(self, x):
            return (
                self.head(torch.relu(self.c(x)).mean(-1))
                + 0 * self.kept["c"].mean((1, 2))[:, None]
            )

    predictor = cg.TorchPredictor(
        Hooked().eval(), tasks=["t"], scale="s", incremental=True
    )
    arms = {"placebo": cg.Placebo("AGATAAG", at=20), "G": cg.Embed("AGATAAG", at=20)}
    # raised AttributeError
    cg.check(cg.Design(null=cg.Uniform(length=64), arms=arms, n_units=64), predictor)


class Kept(Plain):
    """A network whose forward reads from its dict what a hook wrote there."""

    def __init__(self, hook):
        super().__init__()
        self.kept = {}
        self.c.register_forward_hook(hook(self, self.kept))

    def forward(self, x):
        self.c(x)
        return torch.relu(self.kept["c"]).mean((1, 2))[:, None]


def recorder(kept, _module, _args, out):
    kept["c"] = out


def by_default(net, kept):
    def hook(module, args, out, into=kept, *, also=net):
        assert also.kept is into
        into["c"] = out

    return hook


def in_turn(net, kept):
    count, write = 0, functools.partial(recorder, kept)

    def hook(*args):
        nonlocal count
        count += 1
        write(*args)

    return functools.wraps(hook)(lambda *args: hook(*args))


HOOKS = {
    "a dict": lambda net, kept: lambda _module, _args, out: kept.update(c=out),
    "the network": lambda net, kept: lambda _module, _args, out: net.kept.update(c=out),
    "defaults": by_default,
    "functions in turn": in_turn,
    "a global name": lambda net, _kept: by_global_name(net),
}
NAMED = {}


def by_global_name(net):
    globals()["NAMED"] = net.kept
    return lambda _module, _args, out: NAMED.update(c=out)


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_rounding_is_not_measured_on_a_copy_whose_hooks_write_into_the_original(hook):
    torch.manual_seed(0)
    predictor = cg.TorchPredictor(Kept(hook), tasks=["t"], device="cpu")
    floor = cg.run(DESIGN, predictor, rng=0)["answer_floor"].to_numpy()
    # from the digits of float32; .02 by what the dict held when the copy was made
    assert floor.max() < 1e-4
    with pytest.raises(PredictorError):
        predictor.reference()


def test_a_hook_that_is_copied_or_uses_no_part_of_its_network_leaves_rounding_measured():
    kept = {}
    copied = Kept(lambda _net, own: functools.partial(recorder, own))
    assert cg.TorchPredictor(copied, tasks=["t"], device="cpu").reference() is not None

    class Both(Kept):
        def forward(self, x):
            self.c(x)
            return torch.relu(kept["c"]).mean((1, 2))[:, None]

    network = Both(lambda _net, _kept: lambda _module, _args, out: kept.update(c=out))
    assert cg.TorchPredictor(network, tasks=["t"], device="cpu").reference() is not None


def test_a_network_whose_hooks_use_its_parts_is_not_copied_for_a_worker_or_shuffled_parameters():
    """A copy with shuffled parameters answered by what the network's hook had written
    last.
    """
    predictor = cg.TorchPredictor(Kept(HOOKS["a dict"]), tasks=["t"], device="cpu")
    with pytest.raises(PredictorError):
        cg.attribution.randomized(predictor, n_draws=2, rng=0)
    # where it is copied to the host before it is sent
    predictor.device = types.SimpleNamespace(type="cuda")
    with pytest.raises(PredictorError):
        predictor.__getstate__()
