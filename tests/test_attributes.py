"""Attributes of Datasets: rows, types, and that the package has no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from house import FILES, PACKAGE, tree

import causalgia as cg
from causalgia.attributes import ATTRIBUTES, about, attributes, has
from causalgia.errors import OutcomesError

#: attributes of HDF5, of files of others
_OF_HDF5 = {PACKAGE / "store.py", PACKAGE / "predict" / "_from_keras_h5.py"}
_METHODS = {"get", "pop", "setdefault"}


def _is_attrs(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "attrs") or (
        isinstance(node, ast.Name) and node.id == "attrs"
    )


def _texts(*nodes: ast.AST | None) -> Iterator[tuple[int, str]]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _keys(node: ast.AST | None) -> Iterator[tuple[int, str]]:
    """Yield names in dicts that are written into attrs."""
    if isinstance(node, ast.Dict):
        yield from _texts(*node.keys)
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                yield from _keys(value)
    elif isinstance(node, ast.BinOp):
        yield from _keys(node.left)
        yield from _keys(node.right)
    elif isinstance(node, ast.IfExp):
        yield from _keys(node.body)
        yield from _keys(node.orelse)


def attribute_names(module: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield line and name of all attributes that a module names, and whether as text."""
    for node in ast.walk(module):
        match node:
            case ast.Subscript():
                found = _texts(node.slice) if _is_attrs(node.value) else ()
            case ast.Compare():
                found = _texts(node.left) if _is_attrs(node.comparators[0]) else ()
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign():
                targets = getattr(node, "targets", None) or [node.target]
                found = _keys(node.value) if any(map(_is_attrs, targets)) else ()
            case ast.Call():
                found = _names_in_call(node)
                yield from _keywords(node)
            case ast.Attribute(value=ast.Call(func=ast.Name(id="about" | "has"))):
                yield node.lineno, node.attr, False
                continue
            case _:
                continue
        yield from ((line, name, True) for line, name in found)


def _names_in_call(call: ast.Call) -> Iterator[tuple[int, str]]:
    called = call.func
    if isinstance(called, ast.Attribute):
        if _is_attrs(called.value) and called.attr in _METHODS:
            yield from _texts(*call.args[:1])
        if called.attr == "assign_attrs":
            for arg in call.args:
                yield from _keys(arg)
    for keyword in call.keywords:
        if keyword.arg == "attrs":
            yield from _keys(keyword.value)


def _keywords(call: ast.Call) -> Iterator[tuple[int, str, bool]]:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    for keyword in call.keywords if name in ("assign_attrs", "attributes") else ():
        if keyword.arg is not None:
            yield call.lineno, keyword.arg, False


@pytest.fixture(scope="module")
def package():
    """Return file, line, name and whether it is text, of all attributes."""
    return [
        (str(path.relative_to(PACKAGE)), *found)
        for path in FILES
        if path not in _OF_HDF5
        for found in attribute_names(tree(path))
    ]


def test_every_attribute_that_the_package_names_has_a_row(package):
    unknown = [one for one in package if one[2] not in ATTRIBUTES]
    assert not unknown, "add rows to causalgia/attributes.py"
    assert len({name for _, _, name, _ in package}) > 150


def test_no_module_names_an_attribute_in_text(package):
    """``about(dataset).scale``, ``has(dataset).scale``, ``attributes(scale=...)``."""
    assert not [one for one in package if one[3]]


def test_rows_name_functions_that_exist():
    for name, row in ATTRIBUTES.items():
        assert row.name == name
        assert row.datasets
        assert row.meaning
        for place in re.findall(r"cg\.[A-Za-z_.]*[A-Za-z_]", row.made_by):
            found = cg
            for part in place.split(".")[1:]:
                assert hasattr(found, part), f"{name}: {place}"
                found = getattr(found, part)


def test_the_page_on_datasets_has_the_table():
    page = Path(__file__).parents[1] / "docs" / "schema.md"
    assert "{include} _attribute_table.md" in page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trial():
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms={
            "untreated": cg.Untreated(),
            "GATA": cg.Embed("GATAAG", at=10),
            "placebo": cg.Placebo("GATAAG", at=10),
        },
        n_units=40,
    )
    plan = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return cg.run(design, cg.zoo.oracle("gata1_like"), rng=0, analysis=plan)


@pytest.fixture(scope="module")
def results(trial):
    effects = cg.contrast(trial, control="untreated")
    estimates = cg.estimate(effects)
    positive = trial.assign(outcome=np.exp(trial["outcome"]))
    positive.attrs["scale"] = "counts"
    posterior = cg.infer(estimates, rng=0)
    virtual = effects.sel(contrast=["GATA"], task=["K562"])
    noise = np.random.default_rng(0).normal(0, 0.5, virtual["ice"].shape)
    measured = virtual.assign(ice=virtual["ice"] + noise).isel(unit=slice(20))
    powered = cg.mpra.prediction_powered(virtual, measured, trained_on_measured=False)
    return {
        "outcomes": trial,
        "effects": effects,
        "estimates": estimates,
        "ratios": cg.estimate(
            cg.contrast(positive, control="untreated", scale="ratio")
        ),
        "adjusted": cg.adjust(estimates, method="holm"),
        "band": cg.simultaneous(effects, method="bootstrap_t", rng=0, n_draws=99),
        "decisions": cg.decide(estimates, rope=(-0.1, 0.1)),
        "posterior": posterior["posterior"].to_dataset(),
        "moments": posterior["moments"].to_dataset(),
        "plan": cg.sample_size(estimates, half_width=0.5),
        "plan of the bench": cg.mpra.power(
            0.5,
            n_backgrounds=12,
            n_barcodes=8.5,
            depth=100,
            n_replicates=3,
            noise=cg.mpra.NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5),
        ),
        "powered": powered,
    }


def test_every_attribute_of_a_result_has_a_row_of_its_type(results):
    for what, found in results.items():
        assert found.attrs, what
        for part in (found, *found.variables.values()):
            for name in part.attrs:
                assert name in ATTRIBUTES, f"{what}: {name}"
                assert getattr(about(part), name) == part.attrs[name]


def test_attributes_survive_a_file(results, tmp_path):
    for kind in ("outcomes", "estimates"):
        loaded = cg.store.load(
            cg.store.save(results[kind], tmp_path / f"{kind}.nc"), kind
        )
        assert loaded.attrs == results[kind].attrs
        assert [*map(type, loaded.attrs.values())] == [
            *map(type, results[kind].attrs.values())
        ]


@pytest.mark.parametrize(
    ("name", "value", "need"),
    [
        ("ci_prob", "95 %", "a number"),
        ("ci_prob", True, "a number"),
        ("control", 3, "text"),
        ("n_draws", 99.5, "a whole number"),
        ("rare", ["none"], "text or number"),
    ],
)
def test_an_attribute_of_another_type_is_refused_by_name(name, value, need):
    with pytest.raises(OutcomesError) as refused:
        getattr(about(xr.Dataset(attrs={name: value})), name)
    text = str(refused.value)
    assert text.startswith(f"attrs['{name}'] is {value!r}, and {need} is needed")
    assert f".assign_attrs({name}=...)" in text


def test_numbers_of_numpy_are_numbers():
    found = about(xr.Dataset(attrs={"ci_prob": np.float64(0.9), "bin": np.int64(2)}))
    assert (found.ci_prob, found.bin) == (0.9, 2)


def test_an_absent_attribute_is_an_error_or_what_is_asked_for():
    empty = xr.Dataset()
    assert about(empty, None).control is None
    assert about(empty, "outcome").scale == "outcome"
    assert not has(empty).control
    with pytest.raises(OutcomesError, match=r"no attrs\['control'\].*cg\.contrast"):
        about(empty).control  # noqa: B018


def test_a_name_without_a_row_is_an_error_wherever_it_is_used():
    with pytest.raises(AttributeError, match="'scales'; did you mean 'scale'"):
        attributes(scales="log")
    with pytest.raises(AttributeError, match="'scales'"):
        has(xr.Dataset()).scales  # noqa: B018
    with pytest.raises(AttributeError, match="scales"):
        about(xr.Dataset()).scales  # noqa: B018


def test_a_damaged_plan_is_refused_by_every_verb_that_reads_it(trial):
    damaged = trial.assign_attrs(analysis='{"control": ')
    refused = r"attrs\['analysis'\] is .* JSON of a cg\.Analysis is needed"
    for verb in (
        cg.contrast,
        lambda outcomes: cg.analyze(outcomes, rng=0),
        lambda outcomes: cg.contrast(outcomes, control="untreated"),
        lambda outcomes: cg.sample_size(outcomes, half_width=0.5),
    ):
        with pytest.raises(OutcomesError, match=refused):
            verb(damaged)
    with pytest.raises(OutcomesError, match=r"attrs\['analysis'\] is 3, and JSON is"):
        cg.contrast(trial.assign_attrs(analysis=3))


def test_a_text_of_the_user_is_no_plan(trial):
    noted = trial.assign_attrs(analysis="RNA-seq, second batch")
    effects = cg.contrast(noted, control="untreated")
    np.testing.assert_array_equal(
        effects["ice"], cg.contrast(trial, control="untreated")["ice"]
    )
    assert effects.attrs["analysis"] == "RNA-seq, second batch"


def test_a_plan_is_parsed_once(trial, monkeypatch):
    from causalgia import analysis

    analysis._plan_from_json.cache_clear()
    calls = []
    parse = analysis.parse_json
    monkeypatch.setattr(
        analysis,
        "parse_json",
        lambda *args, **how: calls.append(1) or parse(*args, **how),
    )
    cg.decide(cg.estimate(cg.contrast(trial)), rope=(-0.1, 0.1))
    assert calls == [1]
