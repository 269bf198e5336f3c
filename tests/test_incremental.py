"""Imports spans, windows and sessions from the inside: the kernels whose answers equal the full pass.

Recomputing what an edit reaches: equal to the full pass for every layer, border and
placement, or not done.
"""

from __future__ import annotations

import copy
import importlib.util
import operator
import pickle
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import causalgia as cg  # noqa: E402
from causalgia.errors import (  # noqa: E402
    CausalgiaWarning,
    FallbackWarning,
    PredictorError,
)
from causalgia.predict.incremental import (  # noqa: E402
    Incremental,
    incremental_session,
)
from causalgia.predict.incremental.execution import (  # noqa: E402
    EditGroup,
    changed_spans,
    grouped,
)
from causalgia.predict.incremental.incremental_session import deviation  # noqa: E402
from causalgia.predict.incremental.window_steps import Window, clipped  # noqa: E402
from causalgia.predict.incremental.work import Survey  # noqa: E402
from causalgia.predict.predictor import NonFiniteError  # noqa: E402
from causalgia.zoo.torch_networks import ExponentialNetwork, ResidualNetwork  # noqa: E402

pytestmark = pytest.mark.torch


def tokens(n, length, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)


def written(base, start, stop, seed=1):
    """Return backgrounds with other letters at a span, whose ends differ in every
    row.
    """
    edited = base.copy()
    edited[:, start:stop] = tokens(len(base), stop - start, seed)
    edited[:, [start, stop - 1]] = (base[:, [start, stop - 1]] + 1) % 4
    return edited


def settled(module):
    """Return a network in float64 whose normalizations have learned something."""
    generator = torch.Generator().manual_seed(3)
    for part in module.modules():
        if (
            isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)
            and part.running_mean is not None
        ):
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            if part.weight is not None:
                nn.init.normal_(part.weight, generator=generator)
                nn.init.normal_(part.bias, generator=generator)
    return module.double().eval()


def always(module, **options):
    """Return a predictor that recomputes every edit in part, whatever the work; it still
    verifies, and a warning is an error here.
    """
    predictor = cg.TorchPredictor(module, incremental=True, device="cpu", **options)
    predictor._partial = Incremental(predictor, always=True)
    return predictor


def largest_deviation(predictor, length, spans, n=5, unit=None):
    """Return the largest deviation from full passes over edits of spans, in `unit` or
    the outputs' sd.
    """
    base, worst = tokens(n, length), 0.0
    session = predictor.edits(base)
    for start, stop in spans:
        edited = written(base, start, stop)
        full = predictor.predict(edited)
        found = session.answers(edited, np.arange(n))
        assert (found.shape, found.dtype) == (full.shape, full.dtype)
        worst = max(
            worst, float(np.max(np.abs(found - full) / (unit or full.std(axis=0))))
        )
    return worst


def borders(length, widths=(1, 3, 8)):
    """Return spans at and near both borders, in the middle, and everywhere."""
    starts = (0, 1, 2, length // 2, length - 1, length - 2)
    spans = {(s, min(s + w, length)) for s in starts for w in widths}
    return [*sorted(spans | {(length - w, length) for w in widths}), (0, length)]


class Does(nn.Module):
    """A network whose forward pass is a function of its parts and the input."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            if isinstance(part, torch.Tensor):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def conv(c_in=4, c_out=6, k=5, **options):
    return nn.Conv1d(c_in, c_out, k, **options)


def headed(body, length=41, **parts):
    """Return a network of a local body and one dense layer over all that it gives."""
    torch.manual_seed(0)
    given = Does(body, **parts).double().eval()
    features = given(torch.zeros(2, 4, length, dtype=torch.float64)).flatten(1).shape[1]
    return settled(
        Does(
            lambda m, x: m.head(m.body(x).flatten(1)),
            body=given,
            head=nn.Linear(features, 2),
        )
    )


def seq(*layers):
    return {"layers": nn.Sequential(*layers)}, lambda m, x: m.layers(x)


BODIES = {
    "valid": seq(conv()),
    "same": seq(conv(padding="same")),
    "even kernel, same": seq(conv(k=6, padding="same", dilation=3)),
    "padding": seq(conv(padding=2), nn.ReLU(), conv(6, 3, 3, padding=1, bias=False)),
    "wide padding": seq(conv(k=3, padding=5)),
    "stride": seq(conv(stride=3, padding=1), nn.ELU(), conv(6, 5, 3, stride=2)),
    "dilation": seq(
        conv(k=3, dilation=7, padding=7), conv(6, 6, 3, dilation=4, padding=4)
    ),
    "groups": seq(
        conv(c_out=8, groups=4, padding=2), nn.GELU(), conv(8, 8, 3, groups=2)
    ),
    "many channels": seq(
        conv(c_out=40, padding=2), nn.ReLU(), conv(40, 33, 4, dilation=2)
    ),
    "many channels, one filter": seq(
        conv(c_out=40), nn.ReLU(), conv(40, 1, 9, padding=4)
    ),
    "kernel 1": seq(conv(k=1), nn.SiLU(), conv(6, 6, 1)),
    "normalized": seq(
        conv(), nn.BatchNorm1d(6), nn.ReLU(), nn.BatchNorm1d(6), nn.Dropout(0.4)
    ),
    "normalized after pooling": seq(
        conv(), nn.ReLU(), nn.MaxPool1d(2), nn.BatchNorm1d(6, affine=False)
    ),
    "input normalized": seq(nn.BatchNorm1d(4), conv(padding=2)),
    "max pool": seq(
        conv(padding=2), nn.ReLU(), nn.MaxPool1d(2), conv(6, 6, 3), nn.MaxPool1d(3, 2)
    ),
    "max pool, padded": seq(conv(), nn.MaxPool1d(5, 3, padding=2, ceil_mode=True)),
    "max pool, dilated": seq(conv(), nn.MaxPool1d(3, 2, dilation=4, padding=1)),
    "average pool": seq(
        conv(), nn.Sigmoid(), nn.AvgPool1d(4), conv(6, 4, 3, padding=1)
    ),
    "average pool, padded": seq(conv(), nn.AvgPool1d(5, 2, padding=2, ceil_mode=True)),
    "average pool, padding not counted": seq(
        conv(), nn.AvgPool1d(4, 3, 2, ceil_mode=True, count_include_pad=False)
    ),
    "activations": seq(
        conv(),
        nn.Softplus(),
        nn.Tanh(),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Mish(),
        nn.ReLU6(),
    ),
    "residual": (
        {
            "a": conv(padding=2),
            "b": conv(6, 6, 3, dilation=4, padding=4),
            "n": nn.BatchNorm1d(6),
        },
        lambda m, x: (lambda h: (h + m.n(m.b(h)).relu()).relu())(m.a(x)),
    ),
    "residual, cropped": (
        {"a": conv(), "b": conv(6, 6, 3, dilation=4)},
        lambda m, x: (lambda h: h[:, :, 4:-4] + functional.relu(m.b(h)))(m.a(x)),
    ),
    "residual, in place": (
        {"a": conv(padding=2), "b": conv(6, 6, 3, padding=1)},
        lambda m, x: (lambda h: operator.iadd(h, m.b(h)))(m.a(x)),
    ),
    "branches": (
        {"a": conv(padding=2), "b": conv(k=9, padding=4, c_out=3), "c": conv(9, 5, 3)},
        lambda m, x: m.c(torch.cat([m.a(x).relu(), m.b(x)], dim=1)),
    ),
    "branches of the input": (
        {"a": conv(padding=2)},
        lambda m, x: torch.cat((x, torch.exp(m.a(x))), 1),
    ),
    "gate": (
        {"a": conv(c_out=12)},
        lambda m, x: (lambda h: h[:, :6] * torch.sigmoid(h[:, 6:]))(m.a(x)),
    ),
    "difference": (
        {"a": conv(), "b": conv()},
        lambda m, x: torch.maximum(m.a(x), m.b(x)) - m.b(x) / 3,
    ),
    "constants": (
        {
            "a": conv(),
            "scale": torch.rand(6, 1),
            "offset": torch.rand(1, 6, 1),
            "one": torch.tensor(0.3),
        },
        lambda m, x: 1 - (m.a(x) * m.scale + m.offset) ** 2 * m.one,
    ),
    "functional": (
        {"w": nn.Parameter(torch.randn(7, 4, 5)), "b": nn.Parameter(torch.randn(7))},
        lambda m, x: functional.avg_pool1d(
            functional.max_pool1d(
                functional.gelu(functional.conv1d(x, m.w, m.b, padding=2)), 3, stride=2
            ),
            2,
        ),
    ),
    "zero padding": (
        {"a": conv(), "p": nn.ConstantPad1d((3, 1), 0.0)},
        lambda m, x: functional.pad(m.p(m.a(x)), (0, 2)),
    ),
    "padding cut off": (
        {"a": conv()},
        lambda m, x: functional.pad(m.a(x), (-3, 4)).clamp(min=-0.1),
    ),
    "slices": (
        {"a": conv(), "b": conv(3, 5, 3)},
        lambda m, x: m.b(m.a(x)[:, 1:4])[..., 2:-3].narrow(2, 1, 20),
    ),
    "channels last": (
        {"l": nn.Linear(4, 7), "n": nn.LayerNorm(7), "c": conv(7, 5, 3)},
        lambda m, x: m.c(m.n(torch.relu(m.l(x.transpose(1, 2)))).permute(0, 2, 1)),
    ),
    "two dims, one row": (
        {
            "c": nn.Conv2d(4, 6, (1, 5), padding=(0, 2)),
            "n": nn.BatchNorm2d(6),
            "p": nn.MaxPool2d((1, 2)),
        },
        lambda m, x: m.p(m.n(m.c(x.unsqueeze(2))).relu()).squeeze(2),
    ),
    "two dims, four rows": (
        {"c": nn.Conv2d(1, 6, (4, 5)), "d": conv(6, 6, 3)},
        lambda m, x: m.d(m.c(x.unsqueeze(1)).squeeze(2).tanh()),
    ),
    "two dims, upright": (
        {"c": nn.Conv2d(1, 6, (5, 4))},
        lambda m, x: m.c(x.transpose(1, 2)[:, None]).squeeze(3),
    ),
    "shapes asked": (
        {"a": conv(padding=2)},
        lambda m, x: (
            m.a(x.reshape(x.shape[0], 4, x.size(-1)))
            .view(len_of(x), 3, 2, -1)
            .flatten(1, 2)
        ),
    ),
    "casts": (
        {"a": conv()},
        lambda m, x: m.a(x.double().contiguous()).to(torch.float64).clone(),
    ),
}


def len_of(x):
    n, _, _ = x.shape
    return n


@pytest.mark.filterwarnings(
    "ignore:Using padding='same' with even kernel lengths:UserWarning"
)
@pytest.mark.parametrize("name", BODIES)
def test_local_layers_equal_the_full_pass_at_every_border(name):
    parts, body = BODIES[name]
    predictor = always(headed(body, **copy.deepcopy(parts)))
    assert largest_deviation(predictor, 41, borders(41)) < 1e-12
    assert all(predictor.choices().values()), predictor.incremental_report()
    assert "in full from" not in predictor.incremental_report()


def largest_deviation_of_substitutions(predictor, length, n=3):
    """Return the largest deviation over all substitutions of sequences, and of words at
    places of their own.
    """
    base, worst = tokens(n, length), 0.0
    rows, places, steps = (a.reshape(-1) for a in np.indices((n, length, 3)))
    edited = base[rows]
    edited[np.arange(len(rows)), places] = (
        edited[np.arange(len(rows)), places] + 1 + steps
    ) % 4
    words = base[rows]
    for row, start in enumerate(places):
        words[row, start : start + 1 + row % 9] = (
            words[row, start : start + 1 + row % 9] + 1 + row % 3
        ) % 4
    session = predictor.edits(base)
    for each in (edited, words):
        full = predictor.predict(each)
        worst = max(
            worst,
            float(
                np.max(np.abs(session.answers(each, rows) - full) / full.std(axis=0))
            ),
        )
    return worst


@pytest.mark.filterwarnings(
    "ignore:Using padding='same' with even kernel lengths:UserWarning"
)
@pytest.mark.parametrize("name", BODIES)
def test_edits_of_all_places_at_once_equal_the_full_pass(name):
    parts, body = BODIES[name]
    predictor = always(headed(body, **copy.deepcopy(parts)))
    assert largest_deviation_of_substitutions(predictor, 41) < 1e-12
    assert all(predictor.choices().values()), predictor.incremental_report()


HEADS = {
    "mean": lambda m, x: m.head(m.a(x).relu().mean(-1)),
    "mean kept": lambda m, x: m.head(m.a(x).mean(dim=2, keepdim=True).squeeze(2)),
    "sum": lambda m, x: m.head(torch.sum(m.a(x), dim=[-1])),
    "largest": lambda m, x: m.head(m.a(x).amax(2)),
    "adaptive average": lambda m, x: m.head(
        functional.adaptive_avg_pool1d(m.a(x), 1).flatten(1)
    ),
    "adaptive largest": lambda m, x: m.head(m.pool(m.a(x)).view(x.size(0), -1)),
    "flat": lambda m, x: m.wide(torch.flatten(m.a(x), 1)),
    "flat, channels last": lambda m, x: m.wide(
        m.a(x).permute(0, 2, 1).reshape(x.shape[0], -1)
    ),
    "flat, then not dense": lambda m, x: m.wide(torch.softmax(m.a(x).flatten(1), 1)),
    "profile": lambda m, x: m.a(x)[:, 2].log_softmax(-1)[:, :3],
    "profile summed": lambda m, x: (
        m.a(x)[:, 0].sum(1, keepdim=True),
        m.a(x).max(-1)[0],
    ),
    "attention": lambda m, x: m.head(
        (lambda h: ((h @ h.transpose(1, 2)).softmax(-1) @ h).sum(2))(m.a(x))
    ),
    "squeezed": lambda m, x: m.head(
        (lambda h: h * h.mean(2, keepdim=True).sigmoid())(m.a(x)).sum(2)
    ),
    "two heads": lambda m, x: torch.cat(
        [m.wide(m.a(x).flatten(1)), m.head(m.a(x).mean(2)), x[:, 0, :1]], 1
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_follows_the_local_layers(name):
    torch.manual_seed(1)
    parts = {
        "a": conv(padding=2),
        "head": nn.Linear(6, 3),
        "wide": nn.Linear(6 * 41, 3),
        "pool": nn.AdaptiveMaxPool1d(1),
    }
    module = settled(Does(HEADS[name], **parts))
    reduce = (lambda y: torch.cat(y, 1)) if name == "profile summed" else None
    predictor = always(module, reduce=reduce)
    assert largest_deviation(predictor, 41, borders(41)) < 1e-11
    assert largest_deviation_of_substitutions(predictor, 41) < 1e-11


def random_network(rng, length):
    """Return a tower of random layers with a dense head."""
    layers, channels = [], 4
    for _ in range(int(rng.integers(2, 6))):
        kernel, dilation, stride = (
            int(rng.integers(1, 8)),
            int(rng.integers(1, 4)),
            int(rng.choice([1, 1, 1, 2, 3])),
        )
        reach = (kernel - 1) * dilation
        if length <= reach + 6:
            break
        pad = int(rng.integers(0, reach // 2 + 1))
        filters = int(rng.choice([3, 8, 34]))
        layers.append(
            nn.Conv1d(
                channels, filters, kernel, stride=stride, dilation=dilation, padding=pad
            )
        )
        length, channels = (length + 2 * pad - reach - 1) // stride + 1, filters
        layers += [nn.BatchNorm1d(filters)] if rng.random() < 0.5 else []
        layers += [[nn.ReLU(), nn.Softplus(), nn.Identity()][rng.integers(3)]]
        if rng.random() < 0.5 and length > 6:
            kernel = int(rng.integers(2, 5))
            pool = [nn.MaxPool1d, nn.AvgPool1d][rng.integers(2)]
            layers.append(
                pool(
                    kernel,
                    int(rng.integers(1, kernel + 1)),
                    kernel // 2,
                    ceil_mode=bool(rng.integers(2)),
                )
            )
            length = layers[-1](torch.zeros(1, 1, length)).shape[2]
    return settled(
        nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * length, 2))
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_towers_and_spans(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    length = int(rng.integers(40, 120))
    predictor = always(random_network(rng, length))
    starts = rng.integers(0, length - 1, 6)
    spans = [(int(s), int(rng.integers(s + 1, length + 1))) for s in starts]
    unit = float(np.abs(predictor.predict(tokens(5, length))).max())
    assert (
        largest_deviation(
            predictor, length, [*spans, (0, 2), (length - 2, length)], unit=unit
        )
        < 1e-12
    )
    assert largest_deviation_of_substitutions(predictor, length) < 1e-10


def test_places_at_random_and_counts_at_random():
    module = headed(
        *reversed(BODIES["residual"][::-1][:1]),
        **copy.deepcopy(BODIES["residual"][0]),
        length=200,
    )
    predictor = always(module)
    rng = np.random.default_rng(2)
    base = tokens(30, 200)
    rows = rng.integers(0, 30, 140)
    edited = base[rows].copy()
    for i, start in enumerate(rng.integers(0, 190, 140)):
        edited[i, start : start + 10] = tokens(1, 10, i)[0]
    edited[5] = base[rows[5]]
    found = predictor.edits(base).answers(edited, rows)
    np.testing.assert_allclose(found, predictor.predict(edited), atol=1e-12)
    assert len(predictor._partial.tried()) <= 8


def test_many_blocks_and_two_sessions_at_once(monkeypatch):
    monkeypatch.setattr(incremental_session, "_BUDGET", 2**14)
    predictor = always(
        headed(BODIES["max pool"][1], **copy.deepcopy(BODIES["max pool"][0]))
    )
    assert 1 < predictor._partial.runner(41).units < 10
    one, other = tokens(23, 41), tokens(23, 41, 9)
    pair = [(predictor.edits(base), base) for base in (one, other)]
    rows = np.tile(np.arange(23), 3)
    for start in (3, 20, 3):
        for session, base in pair:
            edited = written(base[rows], start, start + 6, start)
            np.testing.assert_allclose(
                session.answers(edited, rows), predictor.predict(edited), atol=1e-12
            )


@pytest.mark.parametrize(
    "options",
    [
        {"rc_average": True},
        {"alphabet": "TGAC"},
        {"tasks": ["b"], "heads": ["a", "b"]},
        {"batch_size": 2},
    ],
)
def test_the_predictors_own_choices_hold(options):
    predictor = always(
        headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0])),
        **options,
    )
    assert largest_deviation(predictor, 41, borders(41)) < 1e-12


def test_positions_before_channels():
    torch.manual_seed(0)
    inner = headed(BODIES["same"][1], **copy.deepcopy(BODIES["same"][0]))
    predictor = always(
        Does(lambda m, x: m.inner(x.transpose(1, 2)), inner=inner).eval(),
        layout="NLC",
    )
    assert largest_deviation(predictor, 41, borders(41)) < 1e-12


def test_float32_deviates_by_rounding_only():
    for network in (ResidualNetwork, ExponentialNetwork):
        torch.manual_seed(0)
        predictor = always(network().eval())
        # untrained: the sd is small
        assert largest_deviation(predictor, 41, borders(41), n=64) < 1e-4
        assert predictor.reference().predict(tokens(2, 41)).dtype == np.float64


def test_an_unchanged_sequence_has_the_controls_answer_and_another_length_a_full_pass():
    torch.manual_seed(0)
    module = settled(
        nn.Sequential(
            conv(), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 1)
        )
    )
    predictor = always(module)
    base = tokens(4, 50)
    session = predictor.edits(base)
    np.testing.assert_allclose(
        session.answers(base, np.arange(4)), predictor.predict(base), atol=1e-13
    )
    longer = tokens(4, 53)
    np.testing.assert_array_equal(
        session.answers(longer, np.arange(4)), predictor.predict(longer)
    )
    for rows in ([0, 1, 2], [0, 1, 2, 4], [-1, 0, 1, 2]):
        with pytest.raises(PredictorError):
            session.answers(base, np.array(rows))


def test_an_answer_that_is_not_finite_names_the_row():
    module = (
        Does(lambda m, x: m.a(x)[:, :, 0].log(), a=conv(c_out=1, k=3)).double().eval()
    )
    nn.init.zeros_(module.a.bias)
    nn.init.constant_(module.a.weight, 1.0)
    module.a.weight.data[:, 2] = -10.0
    base = np.zeros((3, 9), np.uint8)
    base[:, 4] = 1
    predictor = always(module)
    edited = base.copy()
    edited[1, 0] = 2
    with pytest.raises(NonFiniteError) as caught:
        predictor.edits(base).answers(edited, np.arange(3))
    assert caught.value.row == 1


def lstm():
    return Does(
        lambda m, x: m.head(m.l(x.transpose(1, 2))[0][:, -1]),
        l=nn.LSTM(4, 5, batch_first=True),
        head=nn.Linear(5, 1),
    )


def attention():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    return Does(
        lambda m, x: m.head(m.a(x.transpose(1, 2)).mean(1)),
        a=layer,
        head=nn.Linear(4, 1),
    )


def hooked():
    module = conv()
    module.register_forward_hook(lambda part, given, made: made * 2)
    return nn.Sequential(module, nn.Flatten(), nn.Linear(6 * 26, 1))


@pytest.mark.parametrize(
    "module",
    [
        lstm,
        attention,
        lambda: Does(lambda m, x: m.c(x if x.sum() > 0 else -x).mean((1, 2)), c=conv()),
        lambda: Does(lambda m, x: m.c(x.softmax(-1)).mean((1, 2)), c=conv()),
        lambda: nn.Sequential(
            nn.Conv1d(4, 3, 5, padding=2, padding_mode="circular"), nn.Flatten()
        ),
        hooked,
        lambda: Does(
            lambda m, x: m.c(x[:, None]).mean((1, 2)),
            c=nn.Conv2d(1, 2, (3, 5), padding="same"),
        ),
        lambda: Does(
            lambda m, x: m.p(x[:, None]).mean((1, 2)),
            p=nn.MaxPool2d((1, 3), (2, 1), (0, 1)),
        ),
        lambda: Does(lambda m, x: x[:, :, ::2].mean(2)),
        lambda: torch.jit.script(nn.Sequential(conv(), nn.Flatten())),
    ],
)
def test_a_network_that_is_not_local_is_answered_in_full_and_warns_once(module):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network = module().eval()
    predictor, base = always(network), tokens(3, 30)
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(base, np.arange(3))
    np.testing.assert_array_equal(found, predictor.predict(base))
    assert predictor.backgrounds_at_once(30) == 0
    # a second warning would be an error
    predictor.edits(base).answers(base, np.arange(3))
    assert predictor.choices() == {}


def test_a_deviation_is_warned_of_and_the_full_pass_used(monkeypatch):
    predictor = always(
        headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0]))
    )
    base = tokens(6, 41)
    session = predictor.edits(base)
    session.answers(base, np.arange(6))
    monkeypatch.setattr(Incremental, "_deviation", lambda *_: (2e-4, 1e-5))
    edited = written(base, 10, 17)
    with pytest.warns(FallbackWarning):
        found = session.answers(edited, np.arange(6))
    full = cg.TorchPredictor(predictor.module, device="cpu").predict(edited)
    np.testing.assert_array_equal(found, full)
    assert predictor.choices()["41:8"] is False
    # without a second warning
    np.testing.assert_array_equal(session.answers(edited, np.arange(6)), full)


def test_a_control_that_deviates_is_not_used(monkeypatch):
    predictor = always(
        headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0]))
    )
    base = tokens(6, 41)
    monkeypatch.setattr(incremental_session, "deviation", lambda *tables: (1.0, 1e-5))
    monkeypatch.setattr(Incremental, "_in_float64", lambda *_: None)
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(base, np.arange(6))
    np.testing.assert_array_equal(found, predictor.predict(base))
    edited = written(base, 3, 5)
    np.testing.assert_array_equal(
        predictor.edits(base).answers(edited, np.arange(6)), predictor.predict(edited)
    )


def test_wrong_arithmetic_is_found(monkeypatch):
    right = Window.touched
    monkeypatch.setattr(
        Window, "touched", lambda self, span: right(self, (span[0] + 2, span[1] + 2))
    )
    predictor = always(
        headed(BODIES["many channels"][1], **copy.deepcopy(BODIES["many channels"][0])),
    )
    base = tokens(6, 41)
    edited = written(base, 10, 17)
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(edited, np.arange(6))
    np.testing.assert_array_equal(found, predictor.predict(edited))


def tower(length=300):
    """Return a network of narrow windows, so that short edits are little work."""
    torch.manual_seed(0)
    return nn.Sequential(
        conv(c_out=40, k=7),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(40, 1),
    ).eval()


def substituted(base):
    """Return every substitution of sequences, and the row of each."""
    rows, places, steps = (each.reshape(-1) for each in np.indices((*base.shape, 3)))
    edited = base[rows]
    edited[np.arange(len(rows)), places] = (base[rows, places] + 1 + steps) % 4
    return edited, rows


@pytest.mark.parametrize(
    ("n", "length", "chosen"),
    [(1, 20, False), (1, 41, False), (4, 41, False), (4, 300, True), (16, 300, True)],
)
def test_it_is_chosen_where_that_is_less_work(n, length, chosen):
    predictor = cg.TorchPredictor(tower(), incremental=True, device="cpu")
    base = tokens(n, length)
    edited, rows = substituted(base)
    found = predictor.edits(base).answers(edited, rows)
    full = predictor.predict(edited)
    assert predictor.choices() == ({f"{length}:1": True} if chosen else {})
    np.testing.assert_allclose(found, full, rtol=1e-5, atol=1e-7)
    if not chosen:
        np.testing.assert_array_equal(found, full)
    # whatever was asked before, equal calls have equal answers
    predictor.edits(base[:1]).answers(edited[:9], rows[:9])
    np.testing.assert_array_equal(predictor.edits(base).answers(edited, rows), found)
    again = cg.TorchPredictor(predictor.module, incremental=True, device="cpu")
    again.choose(predictor.choices())
    np.testing.assert_array_equal(again.edits(base).answers(edited, rows), found)


def test_wide_edits_take_full_passes():
    predictor = cg.TorchPredictor(tower(), incremental=True, device="cpu")
    base = np.repeat(tokens(4, 300), 500, axis=0)
    edited = written(base, 10, 210)
    found = predictor.edits(base[::500]).answers(edited, np.repeat(np.arange(4), 500))
    np.testing.assert_array_equal(found, predictor.predict(edited))
    assert predictor.choices() == {}


def test_edits_of_half_a_width_are_not_compared_again(monkeypatch):
    predictor = always(tower())
    base, compared = tokens(6, 300), list[int]()
    measured = Incremental._deviation
    monkeypatch.setattr(
        Incremental,
        "_deviation",
        lambda self, block, groups, *rest: (
            compared.append(groups[0].widest) or measured(self, block, groups, *rest)
        ),
    )
    session = predictor.edits(base)
    for width in (20, 12, 8):
        edited = written(base, 50, 50 + width)
        np.testing.assert_allclose(
            session.answers(edited, np.arange(6)),
            predictor.predict(edited),
            rtol=1e-5,
            atol=1e-7,
        )
    assert compared == [20, 8]  # 12 is more than half of 20, 8 is less
    assert predictor.choices() == {"300:24": True, "300:12": True, "300:8": True}


def test_a_control_of_one_sequence_is_measured_by_the_spread_of_several():
    """The control and the full pass of one sequence differ by rounding alone, which is
    no unit of its own.
    """
    for seed in range(5):
        predictor = always(tower())
        base = tokens(1, 300, seed)
        base.setflags(write=False)
        predictor.edits(base).answers(written(base, 50, 60), np.zeros(1, np.int64))
        spread = predictor._partial._spread[300]
        assert len(spread) == 8
        assert float(spread.std()) > 1e-4


@pytest.mark.parametrize(
    ("mixing", "read"),
    [
        (
            lambda: nn.TransformerEncoderLayer(
                64, 4, 128, dropout=0.0, batch_first=True
            ),
            lambda h: h,
        ),
        (
            lambda: nn.LSTM(64, 32, batch_first=True, bidirectional=True),
            operator.itemgetter(0),
        ),
        (lambda: nn.GRU(64, 64, batch_first=True), operator.itemgetter(0)),
    ],
)
def test_layers_that_mix_positions_count_among_the_multiplications(mixing, read):
    """Layers that torch runs as one operation take most of these passes, which narrow
    edits do not shorten.
    """

    def body(m, x):
        return m.head(read(m.mix(m.pool(m.a(x).relu()).transpose(1, 2))).mean(1))

    torch.manual_seed(0)
    parts = {
        "a": conv(c_out=64, k=11),
        "pool": nn.MaxPool1d(4),
        "mix": mixing(),
        "head": nn.Linear(64, 1),
    }
    predictor = cg.TorchPredictor(
        Does(body, **parts).eval(), incremental=True, device="cpu"
    )
    base = tokens(4, 200)
    edited, rows = substituted(base)
    found = predictor.edits(base).answers(edited, rows)
    np.testing.assert_array_equal(found, predictor.predict(edited))
    assert not any(predictor.choices().values())


def test_widths_are_decided_alike_in_memory_in_a_store_and_by_another_process(tmp_path):
    rng = np.random.default_rng(0)
    widths = ([8] * 20 + [3, 30, 100] * 10) * 4
    spans = [
        (start, start + width)
        for width in widths
        for start in [int(rng.integers(0, 260 - width))]
    ]
    parents = ["".join(rng.choice(list("ACGT"), 300)) for _ in spans]
    arms = {"untreated": cg.Untreated()} | {
        f"ablated, {by} further on": cg.AblateEach(
            [(start + by, stop + by) for start, stop in spans], fill="uniform"
        )
        for by in range(0, 40, 2)
    }
    design = cg.Design(null=cg.Genomic(of=parents), arms=arms, n_units=len(spans))
    net = tower()

    def run(**options):
        predictor = cg.TorchPredictor(net, device="cpu", incremental=True)
        return cg.run(design, predictor, rng=3, progress=False, **options)[
            "outcome"
        ].values, predictor

    (here, predictor), (stored, _) = run(), run(store=tmp_path / "trial.zarr")
    assert {"300:3", "300:8", "300:32"} <= {
        key for key, chosen in predictor.choices().items() if chosen
    }
    np.testing.assert_array_equal(stored, here)
    other = pickle.loads(pickle.dumps(predictor))
    np.testing.assert_array_equal(
        cg.run(design, other, rng=3, progress=False)["outcome"].values, here
    )


def test_rows_are_asked_for_where_they_are():
    def body(m, x):
        h = m.a(x).relu().permute(1, 0, 2)
        answers = m.head((h.sum(2) / h.shape[0]).t())
        return answers.reshape(x.shape[0], 1)

    predictor = always(settled(Does(body, a=conv(), head=nn.Linear(6, 1))))
    assert largest_deviation(predictor, 41, borders(41)) < 1e-11


def test_a_predictor_travels_with_its_choices():
    network = ResidualNetwork().eval()
    predictor = always(network)
    base = tokens(5, 41)
    edited = written(base, 20, 26)
    found = predictor.edits(base).answers(edited, np.arange(5))
    opened = pickle.loads(pickle.dumps(predictor))
    assert opened.choices() == predictor.choices()
    assert (
        opened.fingerprint
        == predictor.fingerprint
        != cg.TorchPredictor(network).fingerprint
    )
    np.testing.assert_array_equal(
        opened.edits(base).answers(edited, np.arange(5)), found
    )
    assert cg.TorchPredictor(network).choices() == {}


def test_changed_weights_are_read_again():
    module = headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0]))
    predictor = always(module)
    assert largest_deviation(predictor, 41, [(10, 15)]) < 1e-12
    with torch.no_grad():
        next(module.parameters()).mul_(1.5)
    assert largest_deviation(predictor, 41, [(10, 15)]) < 1e-12


class Switched(nn.Module):
    """A network that does what its attributes say."""

    def __init__(self):
        super().__init__()
        self.body, self.act, self.head = conv(padding=2), nn.ReLU(), nn.Linear(6, 1)
        self.gain, self.asked = 1.0, 0

    def forward(self, x):
        self.asked += 1
        return self.head((self.act(self.body(x)) * self.gain).mean(2))


CHANGES = {
    "weights through .data": lambda net: net.body.weight.data[0].zero_(),
    "filters exchanged": lambda net: net.body.weight.data.copy_(
        net.body.weight.data.flip(0)
    ),
    "bias of the head": lambda net: net.head.bias.data.add_(1),
    "an attribute": lambda net: setattr(net, "gain", 3.0),
    "a layer without weights": lambda net: setattr(net, "act", nn.GELU()),
    "a layer's setting": lambda net: setattr(net.body, "dilation", (2,)),
    "the forward pass": lambda net: setattr(
        net, "forward", lambda x: Switched.forward(net, x) * 2
    ),
    "a hook": lambda net: net.body.register_forward_hook(
        lambda part, given, made: made * 2
    ),
    "a hook on the whole": lambda net: net.register_forward_hook(
        lambda part, given, made: made * 2
    ),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.filterwarnings("ignore::causalgia.errors.FallbackWarning")
def test_a_network_that_is_changed_is_read_again(name):
    torch.manual_seed(0)
    net = Switched().double().eval()
    predictor, full = always(net), cg.TorchPredictor(net, device="cpu")
    base = tokens(6, 41)
    edited = written(base, 20, 26)
    before = predictor.edits(base).answers(edited, np.arange(6))
    np.testing.assert_allclose(before, full.predict(edited), atol=1e-12)
    assert predictor._partial.tried()[0].chosen
    CHANGES[name](net)
    # a write through .data is found by comparing the control, with a warning
    found = predictor.edits(base).answers(edited, np.arange(6))
    np.testing.assert_allclose(found, full.predict(edited), atol=1e-12)
    assert np.abs(found - before).max() > 1e-3


def test_a_network_that_is_not_changed_is_read_once():
    predictor = always(
        headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0]))
    )
    runners = [predictor._partial.runner(41) for _ in range(2)]
    assert runners[0] is runners[1]


def test_the_control_of_every_session_is_compared(monkeypatch):
    net = headed(BODIES["padding"][1], **copy.deepcopy(BODIES["padding"][0]))
    predictor = always(net)
    base = tokens(6, 41)
    edited = written(base, 20, 26)
    predictor.edits(base).answers(edited, np.arange(6))
    monkeypatch.setattr(
        incremental_session.NetworkSnapshot, "is_still", lambda self, module: True
    )
    net.body.layers[0].weight.data.mul_(2)
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(edited, np.arange(6))
    np.testing.assert_array_equal(found, predictor.predict(edited))


def test_a_session_of_one_unit_is_measured_by_the_spread_of_the_first():
    torch.manual_seed(0)
    net = nn.Sequential(
        conv(c_out=40, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(40 * 41, 1)
    ).eval()
    predictor = always(net)
    base = tokens(64, 41)
    predictor.edits(base).answers(written(base, 20, 26), np.arange(64))
    for unit in range(64):  # a deviation would be warned of
        one = base[unit : unit + 1]
        predictor.edits(one).answers(written(one, 20, 26), np.arange(1))


def test_few_narrow_edits_are_widened_and_few_of_a_phase_share_a_window():
    starts, stops = (
        np.array([10, 11, 12, 13, 14, 15, 16, 17, 4]),
        np.array([20, 21, 22, 23, 24, 25, 26, 27, 5]),
    )
    (group,) = grouped(starts, stops, period=1)
    assert (group.widest, group.width, len(group.places)) == (10, 10, 9)
    even, odd = grouped(starts[:8], stops[:8], period=4, step=lambda width: 2)
    assert (even.widest, even.width, even.starts.tolist()) == (10, 11, [12, 12, 16, 16])
    assert (odd.widest, odd.width, odd.starts.tolist()) == (10, 11, [10, 10, 14, 14])


def test_a_trial_asks_for_all_arms_of_its_units_at_once_and_for_few_before(monkeypatch):
    asked = []
    right = incremental_session.IncrementalSession.answers

    def counted(self, edited, rows):
        asked.append(len(rows))
        return right(self, edited, rows)

    monkeypatch.setattr(incremental_session.IncrementalSession, "answers", counted)
    arms = {"untreated": cg.Untreated()} | {
        f"{at}{base}": cg.Embed(base, at=at) for at in range(40) for base in "ACGT"
    }
    design = cg.Design(null=cg.Uniform(length=300), arms=arms, n_units=6)
    cg.run(
        design,
        cg.TorchPredictor(tower(), incremental=True, device="cpu"),
        rng=0,
        progress=False,
    )
    assert asked[-1] == 6 * 121  # each letter is the unit's own in one arm of four
    assert sum(asked[:-1]) <= 16


def test_full_passes_that_round_more_are_compared_with_float64(monkeypatch):
    monkeypatch.setattr(incremental_session, "TOLERANCE", 1e-12)
    monkeypatch.setattr(incremental_session, "_ULPS", 0)
    monkeypatch.setattr(Incremental, "trusted", lambda *_: True)
    base = tokens(6, 300)
    edited = written(base, 100, 110)
    predictor = always(tower())
    predictor.edits(base).answers(edited, np.arange(6))
    (tried,) = predictor._partial.tried()
    assert 0 < tried.deviation <= tried.tolerated < 1e-4
    monkeypatch.setattr(
        Incremental, "_in_float64", lambda self, letters: self.full(letters).numpy()
    )
    predictor = always(tower())
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(edited, np.arange(6))
    np.testing.assert_array_equal(found, predictor.predict(edited))


@pytest.mark.parametrize(("each", "exact"), [(2, True), (1, False)])
def test_the_rounding_of_a_control_is_in_no_difference_of_its_edits(each, exact):
    base = tokens(6, 300)
    rows = np.repeat(np.arange(6), each)
    edited = base[rows]
    edited[:, 100:110] = tokens(len(rows), 10)
    predictor = cg.TorchPredictor(tower(), incremental=True, device="cpu")
    predictor.edits(base).answers(edited, rows)
    owner, wrong = predictor._partial, torch.linspace(-1, 1, 6)[:, None]

    class Shifted:
        """Answers by full passes, wrong by one number for each unit."""

        control, _tokens = owner.full(base) + wrong, base
        runner = SimpleNamespace(index=torch.from_numpy)

        def edited(self, groups, letters, units):
            at = np.concatenate([one.places for one in groups])
            return owner.full(letters[at]) + wrong[units[at]]

    starts = np.full(len(rows), 100)
    groups = [EditGroup(10, 10, np.arange(len(rows)), starts)]
    off, tolerated = owner._deviation(Shifted(), groups, edited, rows)
    assert (off <= tolerated) == exact


def test_branches_of_several_strides_are_edited_place_by_place():
    def body(m, x):
        wide = m.b(x)
        return m.head((m.a(x)[:, :, : wide.shape[2]] + wide).relu().flatten(1))

    torch.manual_seed(0)
    net = Does(body, a=conv(padding=2), b=conv(stride=2), head=nn.Linear(6 * 19, 1))
    predictor = always(settled(net))
    assert largest_deviation_of_substitutions(predictor, 41) < 1e-11
    assert "in full from" not in predictor.incremental_report()


def test_a_trial_has_the_same_outcomes():
    torch.manual_seed(0)
    network = settled(
        nn.Sequential(
            conv(c_out=32, k=7),
            nn.ReLU(),
            nn.MaxPool1d(3),
            nn.Flatten(),
            nn.Linear(32 * 31, 2),
        )
    )
    arms = {
        "untreated": cg.Untreated(),
        "word": cg.Embed("GATTACA", at=40),
        "placebo": cg.Placebo("GATTACA", at=40),
    }
    design = cg.Design(null=cg.Uniform(length=100), arms=arms, n_units=300)
    plain, ours = (
        cg.run(
            design,
            cg.TorchPredictor(network, incremental=choice, device="cpu"),
            rng=4,
            progress=False,
        )
        for choice in (False, True)
    )
    np.testing.assert_allclose(ours["outcome"], plain["outcome"], atol=1e-12)


def in_place(act, bias, length=200):
    """Return a network whose last layer works in place, and is rarely met below
    zero.
    """
    torch.manual_seed(0)
    net = nn.Sequential(
        conv(c_out=16, padding=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * length, 1),
        act,
    ).double()
    z = net[:-1](
        functional.one_hot(torch.from_numpy(tokens(500, length)).long(), 4)
        .double()
        .transpose(1, 2)
    )
    net[3].weight.data.div_(z.std().detach())
    net[3].bias.data.fill_(bias - float(z.mean().detach() / z.std().detach()))
    return net.eval()


def test_a_layer_that_works_in_place_leaves_the_control_alone():
    predictor = always(in_place(nn.ReLU(inplace=True), 2.0))
    base = tokens(250, 200, 7)
    session = predictor.edits(base)
    for start in (100, 20, 100):
        edited = written(base, start, start + 7, start)
        np.testing.assert_allclose(
            session.answers(edited, np.arange(250)),
            predictor.predict(edited),
            atol=1e-9,
        )
    assert (predictor.predict(base) == 0).any()
    assert predictor.choices()["200:8"]


def test_a_block_of_one_unit_is_not_handed_out_itself():
    def body(m, x):
        return m.head(functional.rrelu_(m.b(m.a(x).relu()).transpose(1, 2)).flatten(1))

    torch.manual_seed(0)
    net = settled(
        Does(
            body,
            a=conv(padding=2),
            b=conv(6, 6, 3, padding=1),
            head=nn.Linear(6 * 41, 1),
        )
    )
    predictor = always(net)
    base = tokens(1, 41)
    session = predictor.edits(base)
    for start in (20, 3, 30):
        edited = written(base, start, start + 3, start)
        np.testing.assert_allclose(
            session.answers(edited, np.arange(1)), predictor.predict(edited), atol=1e-10
        )
    assert "in full from 'rrelu_'" in predictor.incremental_report()


@pytest.mark.parametrize(
    "body",
    [
        lambda m, x: (lambda h: (h.mul_(2), m.head(h.mean(2)))[1])(m.a(x)),
        lambda m, x: (
            lambda h: (
                functional.threshold_(h.transpose(1, 2), 5, 5),
                m.head(h.mean(2)),
            )[1]
        )(m.a(x)),
        lambda m, x: (lambda h: m.head((h.sum(2), m.act(h), h.mean(2))[2]))(m.a(x)),
    ],
)
def test_what_is_written_into_and_used_again_is_answered_in_full(body):
    torch.manual_seed(0)
    net = settled(
        Does(body, a=conv(padding=2), head=nn.Linear(6, 1), act=nn.ReLU(inplace=True))
    )
    predictor = always(net)
    base = tokens(4, 41)
    with pytest.warns(FallbackWarning):
        found = predictor.edits(base).answers(base, np.arange(4))
    np.testing.assert_array_equal(found, predictor.predict(base))


def test_what_is_written_into_and_not_used_again_is_recomputed_in_part():
    def body(m, x):
        h = m.act(m.a(x))
        return m.head(m.act(h.exp().cumsum(2)).mean(2) + h.mean(2))

    torch.manual_seed(0)
    predictor = always(
        settled(Does(body, a=conv(), head=nn.Linear(6, 1), act=nn.ELU(inplace=True))),
    )
    assert largest_deviation(predictor, 41, borders(41)) < 1e-11


def test_a_normalization_of_several_dims_is_done_in_full():
    def body(m, x):
        return m.head(
            m.n(m.a(x).transpose(1, 2).unflatten(2, (2, 4))).relu().flatten(2).mean(1)
        )

    torch.manual_seed(0)
    predictor = always(
        settled(
            Does(body, a=conv(c_out=8), n=nn.LayerNorm([2, 4]), head=nn.Linear(8, 1))
        ),
    )
    assert largest_deviation(predictor, 41, borders(41)) < 1e-11


def test_a_parameter_of_the_networks_own_is_a_constant():
    torch.manual_seed(0)
    net = Does(
        lambda m, x: m.head((m.a(x) * m.gain).relu().mean(2)),
        a=conv(),
        head=nn.Linear(6, 1),
    )
    net.gain = nn.Parameter(torch.rand(6, 1))
    predictor = always(settled(net))
    assert largest_deviation(predictor, 41, borders(41)) < 1e-11
    assert "in full from" not in predictor.incremental_report()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("deepstarr", 249),
        ("deepstarr_flex", 249),
        ("explainn_tf", 200),
        ("gabpa_chip", 200),
    ],
)
def test_real_networks(shared, name, length):
    folder = shared / "data" / "models" / name
    spec = importlib.util.spec_from_file_location(f"arch_{name}", folder / "arch.py")
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    predictor = always(arch.load(folder / "model.safetensors"))
    middle = length // 2
    spans = [
        (middle, middle + 10),
        (0, 8),
        (length - 8, length),
        (middle, middle + 1),
        (20, 80),
        (0, length),
    ]
    assert largest_deviation(predictor, length, spans, n=100) < 1e-5
    assert all(predictor.choices().values())


def test_spans_and_groups():
    base = np.zeros((4, 20), np.uint8)
    edited = np.repeat(base, 2, axis=0)
    edited[0, 3:9] = 1
    edited[1, 4:9] = 1
    edited[3, 19] = 2
    starts, stops = changed_spans(base, edited, np.repeat(np.arange(4), 2))
    assert (starts.tolist(), stops.tolist()) == (
        [3, 4, -1, 19, -1, -1, -1, -1],
        [9, 9, -1, 20, -1, -1, -1, -1],
    )
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 90, 200)
    stops = starts + rng.integers(1, 11, 200)
    for period, step in ((0, 1), (1, 1), (8, 1), (8, 4)):
        groups = grouped(starts, stops, period=period, step=lambda _, step=step: step)
        assert sorted(
            np.concatenate([group.places for group in groups]).tolist()
        ) == list(range(200))
        for _, width, places, firsts in groups:
            assert (starts[places] >= firsts).all()
            assert (firsts >= 0).all()
            assert (stops[places] <= firsts + width).all()
            assert len(np.unique(firsts % period if period else firsts)) == 1


def test_words_that_agree_with_their_background_by_chance_start_where_the_others_do():
    starts, stops = (
        np.array([40, 40, 41, 40, 42, 90, 94]),
        np.array([50, 50, 50, 48, 49, 91, 95]),
    )
    (words, single) = grouped(starts, stops, period=4)
    assert (words.width, words.places.tolist(), words.starts.tolist()) == (
        10,
        [0, 1, 2, 3, 4],
        [40] * 5,
    )
    assert (single.width, single.places.tolist(), single.starts.tolist()) == (
        1,
        [5, 6],
        [90, 94],
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "pad"),
    [(3, 1, 1, 1), (4, 2, 3, 2), (2, 5, 1, 0), (7, 3, 2, 6)],
)
def test_reach_is_what_a_convolution_does(kernel, stride, dilation, pad):
    ones = torch.ones(1, 1, kernel, dtype=torch.float64)
    n_out = (30 + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1
    window = Window(kernel, stride, dilation, pad, 30, n_out)
    for start, stop in [(0, 1), (0, 3), (14, 15), (10, 20), (29, 30), (0, 30)]:
        x = torch.zeros(1, 1, 30, dtype=torch.float64)
        x[..., start:stop] = 1
        out = functional.conv1d(x, ones, stride=stride, dilation=dilation, padding=pad)[
            0, 0
        ]
        assert len(out) == n_out
        hit = out.nonzero().flatten().tolist()
        touched = clipped(window.touched((start, stop)), (0, n_out))
        if hit:
            assert touched[0] <= hit[0]
            assert hit[-1] < touched[1]
            if dilation == 1 or stop - start >= dilation:
                assert touched == (hit[0], hit[-1] + 1)


def test_a_constant_output_is_measured_by_its_magnitude():
    full = np.full((4, 1), 5.0)
    assert deviation(full + 1e-3, full, full) == (pytest.approx(2e-4), 1e-5)
    assert (
        deviation(
            full.astype(np.float32), full.astype(np.float32), full.astype(np.float32)
        )[0]
        == 0
    )


def test_without_memory_for_control_passes_edits_take_full_passes(monkeypatch):
    predictor = always(
        headed(BODIES["max pool"][1], **copy.deepcopy(BODIES["max pool"][0]))
    )
    base = tokens(6, 41)
    edited = written(base, 20, 26)
    session = predictor.edits(base)

    def none(*_, **__):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(incremental_session, "ControlBlock", none)
    with pytest.warns(FallbackWarning):
        answers = session.answers(edited, np.arange(6))
    np.testing.assert_array_equal(answers, predictor.predict(edited))
    # without a second word
    np.testing.assert_array_equal(
        session.answers(base, np.arange(6)), predictor.predict(base)
    )
    assert predictor.backgrounds_at_once(41) == 0
    assert predictor._partial.reason(41) is not None


def greedy(most, error):
    """Return a network that has memory for so many sequences behind its convolution,
    and how many it was given.
    """
    sizes = []

    class Greedy(nn.RReLU):
        def forward(self, x):
            sizes.append(len(x))
            if len(x) > most:
                raise error
            return x

    # torch.fx looks into layers of torch no further
    Greedy.__module__ = "torch.nn.modules.activation"
    torch.manual_seed(0)
    return nn.Sequential(
        conv(padding=2), Greedy(), nn.Flatten(), nn.Linear(6 * 41, 1)
    ).double().eval(), sizes


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()]
)
@pytest.mark.parametrize("batch_size", [32, "auto"])
def test_full_passes_of_a_session_are_halved(error, batch_size):
    net, sizes = greedy(5, error)
    predictor = always(net, batch_size=batch_size, fingerprint="greedy")
    base = tokens(40, 41)
    edited = written(base, 20, 26)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)
        answers = predictor.edits(base).answers(edited, np.arange(40))
    np.testing.assert_array_equal(answers, predictor.predict(edited))
    assert predictor.batches()[41] <= 5 < max(sizes)


def test_not_even_one_sequence():
    net, _ = greedy(0, torch.OutOfMemoryError("CUDA out of memory."))
    predictor = always(net, fingerprint="greedy")
    base = tokens(4, 41)
    with (
        pytest.warns(FallbackWarning),
        pytest.raises(PredictorError),
    ):
        predictor.edits(base).answers(base, np.arange(4))


class Keeping(nn.Module):
    """A network whose forward pass keeps what it computes."""

    def __init__(self, where):
        super().__init__()
        self.c, self.head, self.where = conv(padding=2), nn.Linear(6, 1), where
        self.last, self.kept = None, {}

    def forward(self, x):
        features = torch.relu(self.c(x))
        if self.where == "attribute":
            self.last, self.n_rows = features, x.shape[0]
        elif self.where == "container":
            self.kept["features"] = features
        else:
            self.calls = getattr(self, "calls", 0) + 1
            if features.sum() > 1e12:
                raise ValueError
            self.last = features
        return self.head(features.mean(2))


def held_by(module):
    return [module.last, module.kept.get("features"), getattr(module, "n_rows", None)]


@pytest.mark.parametrize(
    ("where", "incremental"),
    [
        ("container", True),
        ("attribute", False),
        ("before it fails", True),
    ],
)
@pytest.mark.filterwarnings("ignore::causalgia.errors.FallbackWarning")
def test_a_network_that_keeps_what_it_computes_is_run_and_left_as_it_was(
    where, incremental
):
    torch.manual_seed(0)
    network = Keeping(where).double().eval()
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed("AGATAA", at=12)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=12)
    predictor = cg.TorchPredictor(
        network, incremental=incremental, device="cpu", batch_size=16
    )
    cg.check(design, predictor)
    found = cg.run(design, predictor, rng=0)["outcome"].values
    assert not any(isinstance(value, torch.fx.Proxy) for value in held_by(network))
    plain = Keeping("attribute").double().eval()
    plain.load_state_dict(network.state_dict())
    full = cg.run(
        design,
        cg.FunctionPredictor(
            lambda x: plain(torch.as_tensor(x).double()).detach().numpy()
        ),
        rng=0,
    )
    np.testing.assert_allclose(found, full["outcome"].values, atol=1e-12)


def test_a_network_that_cannot_be_copied_is_answered_in_full():
    torch.manual_seed(0)
    network = Keeping("attribute").double().eval()
    network.lock = threading.Lock()
    predictor = cg.TorchPredictor(network, incremental=True, device="cpu")
    assert predictor._partial.reason(30) is not None


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(conv(padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 40, 2)),
        nn.Sequential(conv(), nn.Conv1d(6, 8, 3, groups=2), nn.AdaptiveAvgPool1d(1)),
    ],
)
def test_multiplications_are_those_that_torch_counts(module):
    from torch.utils.flop_counter import FlopCounterMode

    x, survey = torch.rand(4, 4, 40), Survey()
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        module(x)
    with torch.no_grad(), survey:
        module(x)
    assert survey.work.multiplications == counted.get_total_flops() / 8 > 0


def test_multiplications_of_a_recurrent_layer():
    survey = Survey()
    with torch.no_grad(), survey:
        nn.LSTM(4, 8, batch_first=True)(torch.zeros(4, 5, 4))
    assert survey.work.multiplications == 5 * 4 * 8 * (4 + 8)
    assert survey.work.share(1) > 0.5
