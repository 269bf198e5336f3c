"""Natural mistakes with a network: each is refused in one bounded line that names the
cure.
"""

from __future__ import annotations

import re
import threading
import warnings

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import ClusterError, DegenerateWarning, PredictorError
from causalgia.trial.distributed_turns import check_picklable
from causalgia.trial.setup import set_up_trial

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
nn = torch.nn
LENGTH = 40
ARMS = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
INSERTED = {"none": cg.Untreated(), "GATA": cg.Insert("GATA", at=20)}
LOCK = threading.Lock()


class Net(nn.Module):
    """A convolution with a read-out."""

    def __init__(self, read=lambda y: y.mean((1, 2)), layout="NCL"):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.read, self.layout = nn.Conv1d(4, 8, 5), read, layout

    def forward(self, x):
        return self.read(self.layer(x if self.layout == "NCL" else x.transpose(1, 2)))


class Two(Net):
    """A network that takes a control track, too."""

    def forward(self, x, signal):
        return self.read(self.layer(x)) + signal


def fixed():
    return nn.Sequential(
        nn.Conv1d(4, 8, 5), nn.Flatten(), nn.Linear(8 * (LENGTH - 4), 1)
    )


def run(predictor, arms=ARMS):
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=arms, n_units=12, contrasts="none"
    )
    return cg.run(design, predictor, rng=0, progress=False)


def locked(y):
    return y[:, 0], LOCK


SOFTMAX = Net(lambda y: y.mean(2).softmax(1))
MISTAKES = {
    "state dict": (
        lambda: cg.TorchPredictor(fixed().state_dict()),
        r"its weights \(4 arrays.*net\.load_state_dict",
    ),
    "checkpoint": (
        lambda: cg.TorchPredictor({"epoch": 3, "state_dict": fixed().state_dict()}),
        r"load_state_dict\(checkpoint\['state_dict'\]\)",
    ),
    "class": (lambda: cg.TorchPredictor(Net), r"the class Net; make one: Net\("),
    "two inputs": (
        lambda: run(cg.TorchPredictor(Two())),
        r"It takes 'signal' as well: give a module.*net\(x, signal\)",
    ),
    "squeeze": (
        lambda: run(cg.TorchPredictor(Net(lambda y: y.mean((1, 2)).squeeze()))),
        r"write squeeze\(-1\)",
    ),
    "squeeze of tasks": (
        lambda: run(cg.TorchPredictor(Net(lambda y: y.mean(2).squeeze()))),
        r"write squeeze\(-1\)",
    ),
    "squeeze in reduce": (
        lambda: run(
            cg.TorchPredictor(
                Net(lambda y: y.mean(2)), reduce=lambda y: y[:, :1].squeeze()
            )
        ),
        r"write squeeze\(-1\)",
    ),
    "squeeze in numpy": (
        lambda: run(cg.FunctionPredictor(lambda x: x[:, 0].mean(-1).squeeze())),
        "squeeze",
    ),
    "(n, tasks, 1)": (
        lambda: run(cg.TorchPredictor(Net(lambda y: y.mean(2, keepdim=True)))),
        r"is \(1, 8, 1\).*reduce=lambda y: y\.squeeze\(-1\)",
    ),
    "(n, 1, tasks)": (
        lambda: run(cg.TorchPredictor(Net(lambda y: y.mean(2).unsqueeze(1)))),
        r"reduce=lambda y: y\.squeeze\(1\)",
    ),
    "heads": (
        lambda: run(
            cg.TorchPredictor(Net(lambda y: (y[:, :1].mean(2), y[:, 1].mean(1))))
        ),
        r"a tuple of \(1, 1\), \(1,\).*torch\.cat\(.*tasks=",
    ),
    "profile and counts": (
        lambda: run(cg.TorchPredictor(Net(lambda y: (y, y.mean((1, 2)))))),
        r"reduce=lambda y: y\[1\]",
    ),
    "torch in a function": (
        lambda: run(cg.FunctionPredictor(fixed())),
        r"to cg\.TorchPredictor\(net\)",
    ),
    "torch in a lambda": (
        lambda: run(cg.FunctionPredictor(lambda x: fixed()(x))),
        r"to cg\.TorchPredictor\(net\)",
    ),
    "insert": (
        lambda: run(cg.TorchPredictor(fixed()), INSERTED),
        r"'GATA' \(44 bp\).*from 40 to 44.*cg\.Embed",
    ),
    "insert in numpy": (
        lambda: run(
            cg.FunctionPredictor(lambda x: x.reshape(len(x), -1) @ np.ones(4 * LENGTH)),
            INSERTED,
        ),
        r"from 40 to 44.*cg\.Embed",
    ),
    "channels last": (
        lambda: run(cg.TorchPredictor(Net(layout="NLC"))),
        r"takes \(n, length, 4\): give layout='NLC'",
    ),
    "channels first": (
        lambda: run(cg.TorchPredictor(Net(), layout="NLC")),
        r"takes \(n, 4, length\): give layout='NCL'",
    ),
    "channels last in numpy": (
        lambda: run(cg.FunctionPredictor(lambda x: (x @ np.ones(4)).mean(1))),
        r"takes \(n, length, 4\): give layout='NLC'",
    ),
    "softmax": (
        lambda: run(cg.TorchPredictor(SOFTMAX, reduce=lambda y: y.sum(1))),
        r"is a softmax over axis 1.*y\[:, 0\]",
    ),
    "softmax in numpy": (
        lambda: run(
            cg.FunctionPredictor(
                lambda x: np.exp(x.mean(2)) / np.exp(x.mean(2)).sum(1)[:, None],
                reduce=lambda y: y.sum(1),
            )
        ),
        "is a softmax over axis 1",
    ),
    "heads first in numpy": (
        lambda: run(cg.FunctionPredictor(lambda x: [x[:, 1].mean(1), x[:, 2].mean(1)])),
        r"with shape \(2, 1\).*give reduce=lambda y: np\.stack\(y, 1\)$",
    ),
    "path": (
        lambda: cg.TorchPredictor("net.pth"),
        r"not the path 'net\.pth'.*torch\.load\(path, weights_only=True\)",
    ),
    "one for all": (
        lambda: run(cg.FunctionPredictor(lambda x: float(x[:, 1].mean()))),
        r"with shape \(\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_its_cure_in_one_line(mistake):
    do, cure = MISTAKES[mistake]
    with pytest.raises(PredictorError, match=cure) as caught:
        do()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 480


class Before(nn.Module):
    """A network behind a function of its input: what most cures ask for."""

    def __init__(self, net, before):
        super().__init__()
        self.net, self.before = net, before

    def forward(self, x):
        return self.net(self.before(x))


class Tokens(nn.Module):
    """A network of tokens."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Embedding(12, 8)

    def forward(self, x):
        return self.layer(x).mean((1, 2))


class Wide(Net):
    """A convolution of other channels or dims, and whatever is left averaged."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return (
            self.layer(x).mean((1, 2, 3))
            if isinstance(self.layer, nn.Conv2d)
            else self.layer(x).mean((1, 2))
        )


def heads(y):
    return y[:, :1].mean(2), y[:, 1].mean(1)


def parts(y):
    return {"counts": y.mean((1, 2)), "profile": y}


class Answer:
    """What networks of language return: an object that holds tensors."""

    def __init__(self, y):
        self.logits = y.mean(2)


class Tracks(Net):
    """A network of two more inputs."""

    def forward(self, x, profile, counts):
        return self.read(self.layer(x)) + profile + counts


class Cell(Net):
    """A network of a keyword."""

    def forward(self, x, *, cell):
        return self.read(self.layer(x)) + cell


class Batch(Net):
    """A network of a dict."""

    def forward(self, batch):
        return self.read(self.layer(batch["x"]))


IDS = torch.tensor([5, 6, 7, 8])
ALONG = cg.Track(axis=-1)
CURED = {  # predictor of a mistake, with what the message says to write added to it
    "tuple with a track": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: (y.mean(2), y)), track=ALONG, **more
        ),
        "y[1]",
    ),
    "dict with a track": (
        lambda **more: cg.TorchPredictor(Net(parts), track=ALONG, **more),
        "y['profile']",
    ),
    "numpy": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: y.mean((1, 2)).detach().numpy()), **more
        ),
        "from_numpy",
    ),
    "numpy with a track": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: y.detach().numpy()), track=ALONG, **more
        ),
        "from_numpy",
    ),
    "(n, tasks, 1)": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: y.mean(2, keepdim=True)), **more
        ),
        "squeeze(-1)",
    ),
    "(n, 1, tasks)": (
        lambda **more: cg.TorchPredictor(Net(lambda y: y.mean(2).unsqueeze(1)), **more),
        "squeeze(1)",
    ),
    "heads": (lambda **more: cg.TorchPredictor(Net(heads), **more), "torch.cat("),
    "profile and counts": (
        lambda **more: cg.TorchPredictor(Net(lambda y: (y, y.mean((1, 2)))), **more),
        "y[1]",
    ),
    "(n, 1, tasks, 1)": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: y.mean(2)[:, None, :, None]), **more
        ),
        "y.reshape(len(y), -1)",
    ),
    "heads of several columns": (
        lambda **more: cg.TorchPredictor(
            Net(lambda y: [y.mean(2), y[:, :1].mean(2)]), **more
        ),
        "torch.cat(",
    ),
    "columns of a key": (
        lambda **more: cg.TorchPredictor(Net(lambda y: {"b": y.mean(2)}), **more),
        "y['b'], whose",
    ),
    "an object": (
        lambda **more: cg.TorchPredictor(Net(Answer), **more),
        "reduce=lambda y: y.logits",
    ),
    "channels last": (
        lambda **more: cg.TorchPredictor(Net(layout="NLC"), **more),
        "layout='NLC'",
    ),
    "channels last in numpy": (
        lambda **more: cg.FunctionPredictor(
            lambda x: (x @ np.arange(4)).mean(1), **more
        ),
        "layout='NLC'",
    ),
}
# network, the code that the message names, and the same as a function of the input
BEFORE = {
    "5 channels": (
        Wide(nn.Conv1d(5, 8, 5)),
        "net(torch.cat([x, extra], 1)), such as extra = torch.zeros_like(x[:, :1])",
        lambda x: torch.cat([x, torch.zeros_like(x[:, :1])], 1),
    ),
    "two dims": (
        Wide(nn.Conv2d(1, 8, (4, 5))),
        "net(x.unsqueeze(1)), (n, 1, 4, length)",
        lambda x: x.unsqueeze(1),
    ),
    "two dims, channels": (
        Wide(nn.Conv2d(4, 8, (1, 5))),
        "net(x.unsqueeze(2))",
        lambda x: x.unsqueeze(2),
    ),
    "tokens": (
        Tokens(),
        "net(ids[x.argmax(1)]), with ids = torch.tensor([...])",
        lambda x: IDS[x.argmax(1)],
    ),
}


@pytest.mark.parametrize("mistake", CURED)
def test_the_code_of_a_cure_runs_as_it_is_printed(mistake):
    make, cure = CURED[mistake]
    with pytest.raises(PredictorError) as caught:
        run(make())
    message = str(caught.value)
    assert cure in message
    assert len(message) <= 480
    code = re.search(
        r"layout='NLC'|reduce=torch\.from_numpy|reduce=lambda y: .*?(?=, which|, "
        r"whose| for the |$)",
        message,
    )
    more = eval(f"dict({code[0]})", {"torch": torch})
    assert np.isfinite(run(make(**more))["outcome"]).all()


@pytest.mark.parametrize("mistake", BEFORE)
def test_a_module_around_the_network_cures_its_input(mistake):
    net, code, before = BEFORE[mistake]
    with pytest.raises(PredictorError) as caught:
        run(cg.TorchPredictor(net))
    assert f"forward(x) returns {code}" in str(caught.value)
    assert len(str(caught.value)) <= 480
    assert np.isfinite(run(cg.TorchPredictor(Before(net, before)))["outcome"]).all()


# network, the code that the message names, and the same as a function of the network
# and x
INPUTS = {
    "two more": (
        Tracks(),
        "net(x, profile, counts), with a profile and a counts of",
        lambda net, x: net(x, 1.0, 2.0),
    ),
    "a keyword": (
        Cell(),
        "net(x, cell=cell), with a cell of",
        lambda net, x: net(x, cell=1.0),
    ),
    "a dict": (Batch(), "net({'x': x}), with the key", lambda net, x: net({"x": x})),
}


@pytest.mark.parametrize("mistake", INPUTS)
def test_other_inputs_are_given_by_a_module_around_the_network(mistake):
    inner, code, call = INPUTS[mistake]

    class Around(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            return call(self.net, x)

    with pytest.raises(PredictorError) as caught:
        run(cg.TorchPredictor(inner))
    assert f"forward(x) returns {code}" in str(caught.value)
    assert np.isfinite(run(cg.TorchPredictor(Around(inner)))["outcome"]).all()


def count_g(sequences):
    return np.array([word.count("G") for word in sequences])


def test_functions_of_text_and_of_torch():
    with pytest.raises(
        PredictorError,
        match=re.escape("give lambda x: f(cg.sequences.decode(x.argmax(1))), whose"),
    ):
        run(cg.FunctionPredictor(count_g))
    run(cg.FunctionPredictor(lambda x: count_g(cg.sequences.decode(x.argmax(1)))))
    net = Net()
    with pytest.raises(
        PredictorError,
        match=r"return net\(x\)\.detach\(\)\.cpu\(\)\.numpy\(\), or use cg\.TorchPredictor",
    ):
        run(cg.FunctionPredictor(lambda x: net(torch.tensor(x))))
    run(cg.FunctionPredictor(lambda x: net(torch.tensor(x)).detach().numpy()))
    with pytest.raises(PredictorError, match="answered None; end it with a return"):
        run(cg.FunctionPredictor(lambda _: None))
    with pytest.raises(PredictorError, match=r"end forward\(\) with a return"):
        run(cg.TorchPredictor(Net(lambda _: None)))
    with pytest.raises(
        PredictorError,
        match=r"not its weights \(4 arrays, .* net\.load_state_dict\(weights\)",
    ):
        cg.FunctionPredictor(fixed().state_dict())


def test_a_reduction_that_cannot_be_sent():
    made = cg.TorchPredictor(fixed(), reduce=lambda y: locked(y)[0], tasks=["y"])
    held = cg.TorchPredictor(fixed(), reduce=lambda y, lock=LOCK: y[:, 0], tasks=["y"])
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=ARMS, n_units=4, contrasts="none"
    )
    assert made.predict(np.zeros((1, LENGTH), np.uint8)).shape == (1, 1)
    with pytest.raises(
        ClusterError, match=r"reduce \(a function\) cannot be sent.*PredictorFactory"
    ) as caught:
        check_picklable(set_up_trial(design, held, rng=0, analysis=None).trial)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_answers():
    """They become float64, as the docstring of predict says: labels of classes are the
    user's own choice.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run(
            cg.TorchPredictor(
                Net(lambda y: (y.amax(2) > 0.6).sum(1)), tasks=["channels"]
            )
        )
    assert found["outcome"].dtype == np.float64


@pytest.mark.parametrize(
    "reduce",
    [
        lambda y: y[:, 0],
        lambda y: y[:, :3].sum(1),
        lambda y: y.log().sum(1),
        lambda y: y.amax(1),
        lambda y: y.argmax(1),
    ],
)
def test_read_outs_of_a_softmax_that_vary_are_fine(reduce):
    assert (
        np.ptp(
            run(cg.TorchPredictor(SOFTMAX, reduce=reduce, tasks=["y"]))[
                "outcome"
            ].values
        )
        >= 0
    )


def test_probabilities_by_position_summed_over_classes_are_constant_too():
    net = Net(lambda y: y.softmax(1))
    with pytest.raises(PredictorError, match="gives 36 for every sequence"):
        run(cg.TorchPredictor(net, reduce=lambda y: y.sum((1, 2))))
    run(cg.TorchPredictor(net, reduce=lambda y: y[:, 2].sum(1), tasks=["y"]))


@pytest.mark.rotating
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_a_softmax_that_is_summed_inside_the_network_is_said(noise):
    """The sum is 1 but for rounding, so no effect can be seen; answering one class is
    the cure.
    """
    summed = cg.TorchPredictor(
        Net(lambda y: y.mean(2).softmax(1).sum(1) + noise * y.mean((1, 2)).sign()),
        tasks=["all"],
        device="cpu",
    )
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=ARMS, n_units=12, contrasts="none"
    )
    with pytest.warns(
        DegenerateWarning,
        match="task 'all'.*same answer.*a softmax summed over its classes",
    ):
        cg.run(design, summed, rng=0, progress=False)
    found = cg.check(design, summed)
    answers = next(one for one in found.findings if one.name == "answers")
    assert answers.state == "warn"
    assert "task 'all' (1, as of a softmax summed over its classes?" in answers.text
    cured = cg.TorchPredictor(
        Net(lambda y: y.mean(2).softmax(1)[:, 0]), tasks=["one"], device="cpu"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            np.ptp(cg.run(design, cured, rng=0, progress=False)["outcome"].to_numpy())
            > 0
        )
    assert (
        next(
            one for one in cg.check(design, cured).findings if one.name == "answers"
        ).state
        == "ok"
    )


def test_answers_that_are_nearly_one_are_no_softmax():
    """Answers near 1 that vary, and a constant other than 1, are not taken for a sum of
    probabilities.
    """
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=ARMS, n_units=12, contrasts="none"
    )
    for net in (
        lambda x: 1 + 1e-4 * x[:, 1].mean(1),
        lambda x: 0 * x[:, 1].mean(1) + 3,
    ):
        predictor = cg.FunctionPredictor(net, tasks=["a"], fingerprint="v1")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            cg.run(design, predictor, rng=0, progress=False)
        assert not any("softmax" in str(one.message) for one in said)
        text = next(
            one for one in cg.check(design, predictor).findings if one.name == "answers"
        ).text
        assert "softmax" not in text
