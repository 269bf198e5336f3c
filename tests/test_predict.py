"""Predictors without torch: functions, ensembles, fingerprints, the check at the door,
loading from a file.
"""

from __future__ import annotations

import copy
import functools
import operator
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import causalgia as cg
from causalgia.errors import MissingExtraError, PredictorError
from causalgia.predict import Ensemble, FunctionPredictor, NonFiniteError
from causalgia.predict.answer_comparisons import check_batch_mates
from causalgia.predict.fingerprint import digest, fingerprint_of

ROOT = Path(__file__).resolve().parents[1]


TOKENS = np.random.default_rng(0).integers(0, 4, (37, 11), dtype=np.uint8)


def count_a(x):
    return x[:, 0].sum(-1)


def a_and_c(x):
    return x[:, :2].sum(-1)


def test_function_answers_are_known_and_named():
    one = FunctionPredictor(count_a, scale="letters")
    answer = one.predict(TOKENS)
    assert one.tasks == ("outcome",)
    assert one.scale == "letters"
    assert one.models is None
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, (TOKENS == 0).sum(1, keepdims=True))
    two = FunctionPredictor(a_and_c)
    assert two.predict(TOKENS).shape == (37, 2)
    assert two.tasks == ("task 0", "task 1")


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_batch_size_changes_nothing_and_bounds_the_one_hot(batch_size):
    seen, done = [], []

    def fn(x):
        seen.append(x.shape)
        return x[:, 2].sum(-1)

    predictor = FunctionPredictor(fn, batch_size=batch_size, fingerprint="recorder")
    answer = predictor.predict(TOKENS, progress=done.append)
    np.testing.assert_array_equal(answer[:, 0], (TOKENS == 2).sum(1))
    assert max(n for n, *_ in seen) <= batch_size
    assert {shape[1:] for shape in seen} == {(4, 11)}
    assert sum(done) == 37
    assert predictor.resolve_batch_size(11) == batch_size


def test_dtype_is_kept_and_integers_become_float64():
    for dtype in ("float32", "float64"):
        assert FunctionPredictor(count_a, dtype=dtype).predict(TOKENS).dtype == dtype
    assert (
        FunctionPredictor(lambda x: x[:, 0].sum(-1).astype(int)).predict(TOKENS).dtype
        == np.float64
    )
    assert (
        FunctionPredictor(lambda x: list(map(float, x[:, 0].sum(-1))))
        .predict(TOKENS)
        .dtype
        == np.float64
    )


@settings(max_examples=settings.default.max_examples // 2)
@given(order=st.permutations("ACGT"), layout=st.sampled_from(["NCL", "NLC"]))
def test_alphabet_and_layout_say_which_channel_is_which(order, layout):
    axis = 1 if layout == "NCL" else 2
    predictor = FunctionPredictor(
        lambda x: x.sum(3 - axis),
        alphabet="".join(order),
        layout=layout,
        tasks=list(order),
    )
    answer = predictor.predict(TOKENS)
    for column, letter in enumerate(order):
        np.testing.assert_array_equal(
            answer[:, column], ("ACGT".index(letter) == TOKENS).sum(1)
        )


def test_rc_average_and_reduce():
    first = FunctionPredictor(lambda x: x[:, 0, 0], rc_average=True).predict(TOKENS)
    np.testing.assert_array_equal(
        first[:, 0], ((TOKENS[:, 0] == 0) * 1.0 + (TOKENS[:, -1] == 3)) / 2
    )
    total = FunctionPredictor(
        lambda x: (x[:, 0], x[:, 1]), reduce=lambda y: y[1].sum(-1)
    ).predict(TOKENS)
    np.testing.assert_array_equal(total[:, 0], (TOKENS == 1).sum(1))


@pytest.mark.parametrize(
    ("given", "size"), [("auto", 1024), (np.int64(5), 5), (np.uint8(7), 7)]
)
def test_batch_sizes_that_are_accepted(given, size):
    assert FunctionPredictor(count_a, batch_size=given).resolve_batch_size(11) == size


def test_long_sequences_go_alone_unless_a_batch_size_is_given():
    assert FunctionPredictor(count_a).resolve_batch_size(50_001) == 1
    assert FunctionPredictor(count_a, batch_size=3).resolve_batch_size(50_001) == 3


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        ("f2", "float32"),
        ("f4", "float32"),
        ("f8", "float64"),
        ("longdouble", "float64"),
    ],
)
@pytest.mark.parametrize("rc_average", [False, True])
def test_answers_have_a_dtype_that_a_file_can_hold(dtype, kept, rc_average):
    predictor = FunctionPredictor(
        lambda x: x[:, 0].sum(-1).astype(dtype) * 6, rc_average=rc_average
    )
    answer = predictor.predict(TOKENS)
    assert answer.dtype == kept
    assert predictor.precision == ("f2" if dtype == "f2" else "f4")
    both = ((TOKENS == 0).sum(1) + (TOKENS == 3).sum(1)) / 2
    np.testing.assert_array_equal(
        answer[:, 0], 6 * (both if rc_average else (TOKENS == 0).sum(1))
    )


def test_what_overflows_in_the_stored_dtype_is_refused():
    huge = FunctionPredictor(lambda x: np.full(len(x), np.longdouble("1e4000")))
    with pytest.raises(NonFiniteError):
        huge.predict(TOKENS)


def test_half_precision_is_averaged_without_overflow_and_held_to_less():
    large = FunctionPredictor(
        lambda x: np.full(len(x), 60_000, np.float16), rc_average=True
    )
    assert (large.predict(TOKENS) == np.float16(60_000)).all()
    rounded = FunctionPredictor(
        lambda x: (x[:, 0].sum(-1) + 20 + 2e-3 * len(x)).astype(np.float16)
    )
    check_batch_mates(rounded, TOKENS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_names_row_and_task(value):
    predictor = FunctionPredictor(
        lambda x: np.where(x[:, :2].sum(-1) == 4, value, 1.0),
        tasks=["up", "down"],
        batch_size=8,
    )
    tokens = np.full((30, 11), 2, np.uint8)
    tokens[19, :4] = 1
    with pytest.raises(NonFiniteError) as caught:
        predictor.predict(tokens)
    assert (caught.value.row, caught.value.task) == (19, "down")
    assert isinstance(caught.value, PredictorError)


def test_ensemble_keeps_models_apart():
    done = []
    members = [
        FunctionPredictor(count_a, tasks=["n"], batch_size=8),
        FunctionPredictor(lambda x: x[:, 3].sum(-1), tasks=["n"], batch_size=5),
    ]
    pair = Ensemble(members, names=["A", "T"])
    answer = pair.predict(TOKENS, progress=done.append)
    assert answer.shape == (37, 1, 2)
    assert pair.models == ("A", "T")
    assert (pair.tasks, pair.scale) == (("n",), "outcome")
    assert pair.resolve_batch_size(11) == 8
    assert sum(done) == 37
    np.testing.assert_array_equal(answer[:, 0, 1], (TOKENS == 3).sum(1))
    assert Ensemble(members).models == ("model 0", "model 1")
    assert Ensemble(members).fingerprint != pair.fingerprint
    assert Ensemble(members[::-1], names=["A", "T"]).fingerprint != pair.fingerprint


def test_an_ensemble_of_a_dict_is_named_by_its_keys():
    members = {
        "A": FunctionPredictor(count_a),
        "T": FunctionPredictor(lambda x: x[:, 3].sum(-1)),
    }
    pair = Ensemble(members)
    assert pair.models == ("A", "T")
    np.testing.assert_array_equal(pair.predict(TOKENS)[:, 0, 1], (TOKENS == 3).sum(1))


def test_a_non_finite_answer_of_a_member_has_its_row():
    good = FunctionPredictor(count_a, batch_size=8)
    tokens = np.full((20, 5), 3, np.uint8)
    tokens[17] = 0
    with pytest.raises(NonFiniteError) as caught:
        Ensemble(
            [
                good,
                FunctionPredictor(
                    lambda x: np.where(x[:, 0].all(-1), np.nan, 0), batch_size=8
                ),
            ],
            names=["a", "b"],
        ).predict(tokens)
    assert caught.value.row == 17


def weighted(w):
    return lambda x: x[:, 0] @ w


class Scanner:
    def __init__(self, w, gain=1.0):
        self.w, self.gain = w, gain

    def __call__(self, x):
        return self.scan(x) * self.gain

    def scan(self, x):
        return x[:, 0] @ self.w


@dataclass(frozen=True)
class Gain:
    gain: float
    letters: frozenset[str] = frozenset({"A", "C", "G", "T", "N"})

    def __call__(self, x):
        return x[:, 0].sum(-1) * self.gain


LEVEL = 2.0


def uses_global(x):
    return x[:, 0].sum(-1) * LEVEL


W = np.arange(11.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda x, a=1: x[:, 0].sum(-1) * a, lambda x, a=2: x[:, 0].sum(-1) * a),
        (lambda x, *, a=1: x[:, 0].sum(-1) * a, lambda x, *, a=2: x[:, 0].sum(-1) * a),
        (weighted(W), weighted(W + (np.arange(11) == 4) * 1e-12)),
        (weighted(W), weighted(W.astype(np.float32))),
        (weighted({"a": [1, 2]}), weighted({"a": [1, 2.0]})),
        (weighted({1, 2}), weighted({1, 3})),
        (weighted(np.sum), weighted(np.mean)),
        (Scanner(W), Scanner(W, gain=2.0)),
        (Scanner(W), Scanner(W + 1)),
        (Scanner(W).scan, Scanner(W)),
        (Gain(1.0), Gain(1.5)),
        (functools.partial(weighted(W), 1), functools.partial(weighted(W), 2)),
        (
            weighted(operator.itemgetter("logits")),
            weighted(operator.itemgetter("profile")),
        ),
        (
            weighted(operator.methodcaller("mean", axis=0)),
            weighted(operator.methodcaller("mean", axis=1)),
        ),
    ],
)
def test_what_changes_answers_changes_the_fingerprint(first, second):
    assert FunctionPredictor(first).fingerprint == FunctionPredictor(first).fingerprint
    assert FunctionPredictor(first).fingerprint != FunctionPredictor(second).fingerprint


def test_equal_things_made_twice_are_equal():
    assert fingerprint_of(weighted(W)) == fingerprint_of(weighted(W.copy()))
    assert fingerprint_of(Scanner(W)) == fingerprint_of(Scanner(W.copy()))
    assert fingerprint_of(weighted({"a": 1, "b": 2})) == fingerprint_of(
        weighted({"b": 2, "a": 1})
    )
    assert fingerprint_of(np.asfortranarray(np.eye(3)[:, :2])) == fingerprint_of(
        np.eye(3)[:, :2].copy()
    )


def test_a_changed_global_changes_the_fingerprint(monkeypatch):
    before = fingerprint_of(uses_global)
    monkeypatch.setitem(uses_global.__globals__, "LEVEL", 3.0)
    assert fingerprint_of(uses_global) != before


def test_cycles_end():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert fingerprint_of(even) != fingerprint_of(odd)
    loop = []
    loop.append(loop)
    assert fingerprint_of(loop)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tasks", ["x"]),
        ("scale", "log"),
        ("alphabet", "ACTG"),
        ("dtype", "float64"),
        ("rc_average", True),
        ("reduce", np.negative),
        ("fingerprint", "v2"),
    ],
)
def test_every_choice_is_in_the_fingerprint(option, value):
    assert (
        FunctionPredictor(count_a, **{option: value}).fingerprint
        != FunctionPredictor(count_a).fingerprint
    )


def test_batch_size_is_not_in_the_fingerprint():
    assert (
        FunctionPredictor(count_a, batch_size=3).fingerprint
        == FunctionPredictor(count_a).fingerprint
    )


def test_a_fingerprint_says_where_it_covers_the_code_alone():
    generator = np.random.default_rng(0)
    partial = FunctionPredictor(lambda x: generator.normal(size=len(x))).fingerprint
    other = FunctionPredictor(lambda x: generator.normal(size=len(x)) + 1).fingerprint
    assert partial.endswith("~")
    assert other.endswith("~")
    assert partial != other
    named = FunctionPredictor(lambda x: generator.normal(size=len(x)), fingerprint="v1")
    assert named.fingerprint == FunctionPredictor(count_a, fingerprint="v1").fingerprint
    assert not named.fingerprint.endswith("~")
    machine = Scanner(W)
    with (ROOT / "pyproject.toml").open() as machine.handle:
        assert FunctionPredictor(machine).fingerprint.endswith("~")
    assert Ensemble(
        [named, FunctionPredictor(lambda x: generator.normal(size=len(x)))]
    ).fingerprint.endswith("~")


_SCRIPT = """
import functools, math, operator, sys
from dataclasses import dataclass
import numpy as np
from causalgia.predict import Ensemble, FunctionPredictor

SETTINGS = {"motifs": {"GATA", "TATA", "CACGTG", "TGACTCA"}, "w": np.arange(12.0).reshape(3, 4)}

@dataclass(frozen=True)
class Oracle:
    words: frozenset
    gain: float = 2.0
    def __call__(self, x):
        return x[:, 0].sum(-1) * self.gain + math.log(len(self.words)) + SETTINGS["w"].sum()

oracle = Oracle(frozenset({"a", "b", "c", "d", "e"}))
members = [
    FunctionPredictor(oracle, tasks=["n"]),
    FunctionPredictor(functools.partial(lambda k, x: x[:, k].sum(-1) if k in {0, 1, 2} else np.sum(x), 1), tasks=["n"]),
    FunctionPredictor(functools.partial(lambda get, x: get(x), operator.itemgetter(0)), tasks=["n"]),
]
print(Ensemble(members).fingerprint)
"""


def test_fingerprint_is_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    answers = {
        subprocess.run(
            [sys.executable, str(script)],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "31")
    }
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 32


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_digest_depends_on_value_alone(value):
    assert digest(value) == digest(copy.deepcopy(value))
    assert digest(value) != digest([value])


def rank(x):
    return np.argsort(np.argsort(x[:, 0].sum(-1), kind="stable"), kind="stable").astype(
        float
    )


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x[:, 0].sum(-1) - x[:, 0].sum(-1).mean(),
        lambda x: x[:, 0].sum(-1) / (1 + x[:, 0].sum(-1).max()),
        lambda x: x[:, 0].sum(-1) + 1e-3 * len(x),
        lambda x: x[:, 0].sum(-1) + np.arange(len(x)),
        rank,
    ],
)
@pytest.mark.parametrize(
    "tokens", [TOKENS, TOKENS[:1], np.repeat(TOKENS[:1], 20, axis=0)]
)
def test_batch_mates_that_matter_are_refused(fn, tokens):
    with pytest.raises(PredictorError):
        check_batch_mates(FunctionPredictor(fn), tokens)


def test_random_answers_are_refused():
    generator = np.random.default_rng(0)
    noisy = FunctionPredictor(
        lambda x: x[:, 0].sum(-1) + generator.normal(size=len(x)), fingerprint="noisy"
    )
    with pytest.raises(PredictorError):
        check_batch_mates(noisy, TOKENS)


@pytest.mark.parametrize(
    "fn",
    [
        count_a,
        a_and_c,
        lambda x: np.zeros(len(x)),
        lambda x: x[:, 0].sum(-1) + 1e-7 * len(x),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 3, 1024])
def test_honest_predictors_pass(fn, batch_size):
    check_batch_mates(FunctionPredictor(fn, batch_size=batch_size), TOKENS)


def test_the_check_is_cheap_and_float64_is_held_to_more():
    calls = []
    predictor = FunctionPredictor(
        lambda x: (calls.append(len(x)), x[:, 0].sum(-1))[1], fingerprint="counter"
    )
    check_batch_mates(predictor, TOKENS)
    assert sum(calls) <= 26
    with pytest.raises(PredictorError):
        check_batch_mates(
            FunctionPredictor(
                lambda x: x[:, 0].sum(-1) + 1e-7 * len(x), dtype="float64"
            ),
            TOKENS,
        )


def test_a_non_finite_answer_has_the_row_that_was_given():
    tokens = np.full((20, 11), 1, np.uint8)
    tokens[5, 3] = 0
    with pytest.raises(NonFiniteError) as caught:
        check_batch_mates(
            FunctionPredictor(lambda x: np.where(x[:, 0].any(-1), np.nan, 1.0)), tokens
        )
    assert caught.value.row == 5


@pytest.mark.parametrize("n_rows", [1, 20])
@pytest.mark.parametrize("refused", ["A", "AG", "AGT"])
def test_company_without_a_finite_answer_is_not_held_against_a_predictor(
    n_rows, refused
):
    banned = ["ACGT".index(letter) for letter in refused]
    honest = FunctionPredictor(
        lambda x: np.where(x[:, banned].any((1, 2)), np.nan, x[:, 1].sum(-1))
    )
    check_batch_mates(honest, np.full((n_rows, 11), 1, np.uint8))
    nowhere = FunctionPredictor(lambda x: np.full(len(x), np.nan))
    with pytest.raises(NonFiniteError):
        check_batch_mates(nowhere, np.full((n_rows, 11), 1, np.uint8))


def test_an_answer_that_is_finite_in_company_alone_depends_on_it():
    def spread(x):
        y = x[:, 0].sum(-1)
        with np.errstate(invalid="ignore"):
            return y + 0 / (len(x) - np.ones(1))

    with pytest.raises(PredictorError):
        check_batch_mates(FunctionPredictor(spread), TOKENS)


@pytest.mark.parametrize("call", [3, 4])
def test_answers_that_are_nan_now_and_then_are_random(call):
    """The batch was asked a third time, and had an answer again."""
    calls = []

    def fn(x):
        calls.append(len(x))
        return x[:, 0].sum(-1) + (np.nan if len(calls) == call else 0.0)

    with pytest.raises(PredictorError):
        check_batch_mates(FunctionPredictor(fn), TOKENS)


_NO_TORCH = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in {"torch", "safetensors"}
        return None if absent else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(Without, sys.meta_path)
import numpy as np
import causalgia as cg
import causalgia.predict
from causalgia.errors import MissingExtraError
for name in ("TorchPredictor", "load_weights", "save_weights"):
    try:
        getattr(causalgia.predict, name)
    except MissingExtraError as error:
        print(error)
try:
    cg.TorchPredictor
except MissingExtraError as error:
    print(error)
y = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1)).predict(np.zeros((2, 3), np.uint8))
print(y.tolist(), "torch" in sys.modules)
"""


def test_without_torch_the_extra_is_named():
    run = subprocess.run(
        [sys.executable, "-c", _NO_TORCH],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 5
    assert lines[4] == "[[3.0], [3.0]] False"
    assert issubclass(MissingExtraError, ImportError)


def test_importing_the_room_does_not_import_torch():
    code = (
        "import causalgia.predict, sys; print('torch' in sys.modules, 'xarray' in "
        "sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.stdout.split() == ["False", "False"]


def test_a_predictor_that_ends_the_program_is_a_predictor_that_failed():
    arms = {"a": cg.Embed("ACG", at=2), "b": cg.Embed("CCC", at=2)}
    predictor = FunctionPredictor(lambda _: sys.exit(3), scale="log2")
    with pytest.raises(PredictorError):
        cg.run(
            cg.Design(null=cg.Uniform(length=8), arms=arms, n_units=4), predictor, rng=0
        )


def test_answers_that_fall_to_half_precision_midway_are_refused():
    calls = iter(range(10_000))

    def fn(x):
        return x.sum(axis=(1, 2)).astype(np.float32 if next(calls) < 6 else np.float16)

    arms = {"a": cg.Embed("ACG", at=2), "b": cg.Embed("CCC", at=2)}
    design = cg.Design(null=cg.Uniform(length=8), arms=arms, n_units=400)
    with pytest.raises(PredictorError):
        cg.run(design, FunctionPredictor(fn, scale="log2", batch_size=16), rng=0)


def test_masked_answers_are_refused():
    masked = cg.FunctionPredictor(
        lambda x: np.ma.array(np.ones(len(x)), mask=np.arange(len(x)) == 0)
    )
    with pytest.raises(PredictorError):
        masked.predict(np.zeros((3, 8), np.uint8))


@pytest.mark.parametrize("rc_average", [False, True])
def test_a_callable_may_write_every_answer_into_one_array(rc_average):
    page = np.empty((8, 2))

    def fn(x):
        page[: len(x)] = x[:, :2].sum(-1)
        return page[: len(x)]

    options = {"rc_average": rc_average, "batch_size": 8}
    fresh = FunctionPredictor(a_and_c, **options).predict(TOKENS)
    assert np.array_equal(FunctionPredictor(fn, **options).predict(TOKENS), fresh)


def strands(x):
    """Activity of either strand: of AC, and of GT."""
    pairs = (x[:, 0, :-1] * x[:, 1, 1:], x[:, 2, :-1] * x[:, 3, 1:])
    return np.stack([pair.sum(1) for pair in pairs], 1)


def test_opposite_strands_change_places_where_both_are_averaged():
    pairs = {"tasks": ["plus", "minus"], "opposite": [("plus", "minus")]}
    plain = FunctionPredictor(strands, tasks=pairs["tasks"]).predict(TOKENS)
    both = FunctionPredictor(strands, rc_average=True, **pairs)
    # AC on one strand is GT on the other: each strand's own answer is right already
    np.testing.assert_array_equal(both.predict(TOKENS), plain)
    mixed = FunctionPredictor(strands, rc_average=True, tasks=pairs["tasks"])
    np.testing.assert_array_equal(
        mixed.predict(TOKENS), np.repeat(plain.mean(1, keepdims=True), 2, axis=1)
    )
    assert both.fingerprint != mixed.fingerprint


@pytest.mark.parametrize("pairs", [[("plus", "other")], [("plus", "plus")], ["plus"]])
def test_opposite_strands_are_two_of_the_tasks(pairs):
    with pytest.raises(PredictorError):
        FunctionPredictor(strands, tasks=["plus", "minus"], opposite=pairs)


def test_sequences_of_another_length_than_the_network_was_trained_on_are_refused():
    whole = TOKENS.shape[1]
    made = FunctionPredictor(strands, length=whole)
    assert made.predict(TOKENS).shape == (len(TOKENS), 2)
    with pytest.raises(PredictorError):
        made.predict(TOKENS[:, 1:])
    with pytest.raises(PredictorError):
        FunctionPredictor(strands, length=0)


@pytest.mark.parametrize("rc_average", [False, True])
@pytest.mark.parametrize("alphabet", ["ACGT", "acgu"])
def test_a_function_of_strings_is_asked_with_strings(rc_average, alphabet):
    seen = []

    def of_strings(strings):
        seen.extend(strings)
        return [[text.count("A"), text.count("GC")] for text in strings]

    def of_one_hot(x):
        pairs = x[:, 2, :-1] * x[:, 1, 1:]
        return np.stack([x[:, 0].sum(1), pairs.sum(1)], axis=1)

    options = {"tasks": ["a", "gc"], "rc_average": rc_average, "batch_size": 3}
    tokens = np.random.default_rng(0).integers(0, 4, (8, 30), dtype=np.uint8)
    ours = cg.FunctionPredictor(
        of_strings, layout="strings", alphabet=alphabet, **options
    )
    np.testing.assert_array_equal(
        ours.predict(tokens),
        cg.FunctionPredictor(of_one_hot, **options).predict(tokens),
    )
    rna = alphabet == "acgu"
    assert cg.sequences.decode(tokens, rna=rna)[0] == seen[0]
    assert set("".join(seen)) == set("ACGU" if rna else "ACGT")
    assert len({ours.fingerprint, cg.FunctionPredictor(of_strings).fingerprint}) == 2
    with pytest.raises(cg.errors.PredictorError):
        cg.FunctionPredictor(of_strings, layout="strings").predict(["ACGT", "AC"])
