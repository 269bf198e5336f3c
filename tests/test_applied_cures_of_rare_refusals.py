"""Refusals that few calls meet, in rooms all over the library: what each message says is
done through a public call, and the answer is the right one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, refusal
from test_applied_cures import design, network, run, third
from test_archive_foreign import manifest_of, put_manifest

import causalgia as cg
from causalgia import attribution
from causalgia.mpra.libraries.barcode_sets import barcodes
from causalgia.multiplicity.joint_methods import sign_flip_max_t

case = Cases()
mpra = cg.mpra

ROPE = (-0.1, 0.1)
NAMES = [*"abcdefghijklmnop"]
EFFECTS = np.random.default_rng(0).normal(0, 0.5, 16)
SIDE = pd.DataFrame({"oligo_name": ["o1", "o2"], "element": "e", "arm": ["x", "y"]})
COUNTS = (
    "barcode\toligo_name\tdna_1\trna_1\nACGTACGTAC\to1\t9\t5\nTTGCATTGCA\to2\t8\t6\n"
)


def estimates() -> Any:
    frame = pd.DataFrame({"contrast": NAMES, "effect": EFFECTS, "se": 0.1})
    return cg.from_effects(frame)


def posterior() -> Any:
    return cg.infer(estimates(), law="normal", rng=0, n_draws=4_000)


# ---- the bench


def ordered(n: int = 12) -> xr.Dataset:
    arms = {"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)}
    return mpra.library(
        design=cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=n),
        oligo_length=100,
        adapters=("ACGTACGTACGTACGTACGT", "TTGCATTGCATTGCATTGCA"),
        rng=0,
    )


@case
def a_path_in_place_of_the_library() -> Any:
    """The average over all ordered units is that of their own effects."""
    made = ordered(400)
    gc = cg.FunctionPredictor(
        lambda x: x[:, 1:3, :].mean((1, 2)), tasks=["gc"], fingerprint="gc"
    )
    virtual = cg.contrast(mpra.virtual_trial(made, gc), control="none")
    measured = virtual.isel(unit=slice(60))
    measured = measured.assign(ice=2 * measured["ice"])
    given = {"virtual": virtual, "measured": measured, "trained_on_measured": False}
    for wrong in ("library.nc", 3):
        text = refusal(mpra.prediction_powered, **given, library=wrong)
        maker = cure_in(text, r"; give what was ordered, from (cg\.mpra\.library)$")
        assert eval(maker, {"cg": cg}) is mpra.library
    found = mpra.prediction_powered(**given, library=made)
    truth = 2 * virtual["ice"].values.mean()
    return abs(found["ace"].item() - truth) < 4 * found["se"].item()


@case
def a_side_table_that_is_a_dict() -> Any:
    Path("counts.tsv").write_text(COUNTS)
    columns = SIDE.to_dict("list")
    text = refusal(mpra.read_counts, "counts.tsv", side_table=columns)
    assert cure_in(text, r"; give (a path, a DataFrame, or a library)$")
    SIDE.to_csv("side.tsv", sep="\t", index=False)
    read = [
        mpra.read_counts("counts.tsv", side_table=side)
        for side in ("side.tsv", pd.DataFrame(columns))
    ]
    return [one["dna"].to_numpy().ravel().tolist() == [9, 8] for one in read]


@case
def reads_that_are_no_tables_of_counts() -> Any:
    """MPRAflow counts the reads; a table with its name is put beside the file."""
    header = "Condition,Replicate,DNA_BC_F,DNA_UMI,RNA_BC_F,RNA_UMI"
    Path("experiment.csv").write_text(
        f"{header}\nK562,1,d.fq.gz,u.fq.gz,r.fq.gz,v.fq.gz\n"
    )
    text = refusal(mpra.read_counts, "experiment.csv", side_table=SIDE)
    name = cure_in(text, r", and (\S+), the counts of such reads, is neither")
    table = pd.DataFrame([line.split("\t") for line in COUNTS.split("\n")[1:-1]])
    table.columns = COUNTS.split("\n")[0].split("\t")
    table.to_csv(name, sep="\t", index=False)
    assert cure_in(text, r"; count the reads .*, and (put its tables beside this file)")
    beside = mpra.read_counts("experiment.csv", side_table=SIDE)
    Path(name).rename("elsewhere.tsv.gz")
    assert cure_in(text, r"or (give them to read_counts, a file for each replicate)$")
    given = mpra.read_counts(["elsewhere.tsv.gz"], side_table=SIDE)
    return [one["rna"].to_numpy().ravel().tolist() == [5, 6] for one in (beside, given)]


@case
def arms_beside_contrasts_of_a_fit() -> Any:
    """What is left out is the argument that the message names, and the effect is 1."""
    activity = pd.DataFrame(
        {
            "element": [f"e{i}" for i in range(12)] * 2,
            "arm": ["ref"] * 12 + ["alt"] * 12,
            "log2": [0.0] * 12 + [1.0] * 12,
        }
    )
    counts = mpra.simulate(activity, n_barcodes=8, n_replicates=3, rng=0)
    given = {"counts": counts, "contrasts": {"d": {"alt": 1, "ref": -1}}}
    text = refusal(mpra.fit, **given, arm_names="alt")
    assert cure_in(text, r"; leave (arm_names)= out$")
    found = mpra.fit(**given)
    assert found["contrast"].to_numpy().tolist() == ["d"]
    return abs(float(found["ace"].mean()) - 1) < 0.2


@case
def a_seed_with_an_ambiguous_base() -> Any:
    given = {"n_barcodes": 20, "length": 10, "rng": 0}
    for name, wrong, right in (
        ("seeds", "GAGGUAN", "GAGGUAG"),
        ("primers", "ACGTNCGTAC", "ACGTACGTAC"),
        ("flanks", ("TCTAGN", ""), ("TCTAGA", "")),
    ):
        text = refusal(barcodes, **given, **{name: wrong})
        assert cure_in(text, r"; write it in (A, C, G and T)$")
        found = barcodes(**given, **{name: right})
        assert len({*found}) == 20
        assert not any("CTACCTC" in one for one in found) or name != "seeds"
    return True


# ---- estimates, posteriors and verdicts


@pytest.mark.rotating
def test_diagnostics_are_those_of_a_posterior_by_sampling(tmp_path):
    decided = cg.decide(estimates(), rope=ROPE)
    text = refusal(cg.report, decided, path=tmp_path / "page.html", diagnostics=3)
    group, call = (
        cure_in(text, r"give posterior\['(\w+)'\] of"),
        cure_in(text, r" of (cg\.infer\(\.\.\., engine='nuts'\))$"),
    )
    call = call.replace("...", "estimates, law='normal', rng=0")
    drawn = eval(call, {"cg": cg, "estimates": estimates()})
    page = cg.report(
        decided, path=tmp_path / "page.html", diagnostics=drawn[group].to_dataset()
    )
    assert page.is_file()
    # a Dataset that is not this one has the same cure
    again = refusal(
        cg.report, decided, path=tmp_path / "other.html", diagnostics=xr.Dataset()
    )
    assert cure_in(again, r"^(the diagnostics have no) ")
    assert again.endswith(text[text.index("give posterior") :])


def shrunken(se: list[float], without: tuple[str, ...] = ()) -> Any:
    """Return a posterior of effects that are 0, by their standard errors."""
    frame = pd.DataFrame({"contrast": NAMES[: len(se)], "effect": 0.0, "se": se})
    kept = cg.from_effects(frame[~frame["contrast"].isin(without)])
    return cg.infer(kept, law="normal", rng=0, n_draws=400)


def means(found: Any) -> Any:
    return found["posterior"]["ace"].mean(("chain", "draw")).to_numpy().ravel()


@case
def standard_errors_whose_squares_no_float_holds() -> Any:
    text = refusal(shrunken, [1e-200] * 3)
    assert cure_in(text, r"; give (effects and standard errors in another unit)$")
    return np.isfinite(means(shrunken([1.0] * 3))).all()


@pytest.mark.parametrize(
    ("se", "left", "others"),
    [
        ([0.1, 1e-200, 0.1, 0.1], "acd", "0.1"),
        ([1e200, 1e200, 1.0, 2.0, 0.5], "cde", "0.5 to 2"),
        ([1e200, 1e-200, 1.0, 1.0, 1.0], "cde", "1"),
        ([1e200, 1e-200, 1e200], "ac", "1e+200"),
    ],
)
def test_contrasts_in_a_unit_of_their_own_are_left_out(se, left, others):
    """The others were said to have an se of up to that of those that are odd."""
    text = refusal(shrunken, se)
    told = cure_in(text, r"in the unit of the others, whose se is ([\d.e+ to]+);")
    assert told == others
    names = cure_in(text, r"contrasts? ([^:]*): se").split(", ")
    assert cure_in(text, r"; (leave the contrast out|leave them out)")
    if text.endswith("out, and give the others in another unit"):
        se = [x / 1e200 for x in se]
    found = shrunken(se, tuple(names))
    assert np.isfinite(means(found)).all()
    assert found["posterior"]["contrast"].to_numpy().tolist() == [*left]


@case
def other_groups_of_a_posterior() -> Any:
    """Of each way in which groups do not match: what the message says leaves the same
    verdicts.
    """
    whole = posterior()
    verdicts = cg.decide(whole, rope=ROPE)["verdict"]

    def with_groups(*names: str, change: Any, of: Any = whole) -> Any:
        parts = {name: of[name].to_dataset() for name in of}
        return xr.DataTree.from_dict(
            {
                name: change(part)
                if name in names and "contrast" in part.dims
                else part
                for name, part in parts.items()
            }
        )

    def decided(of: Any) -> Any:
        return cg.decide(of, rope=ROPE)

    def first(part: xr.Dataset) -> xr.Dataset:
        return part.isel(contrast=slice(12)).drop_vars("contrast")

    def capitals(part: xr.Dataset) -> xr.Dataset:
        return part.assign_coords(contrast=[name.upper() for name in NAMES])

    def twice(part: xr.Dataset) -> xr.Dataset:
        return part.assign_coords(contrast=["a", *NAMES[:-1]])

    def backwards(part: xr.Dataset) -> xr.Dataset:
        return twice(part).isel(contrast=slice(None, None, -1))

    text = refusal(decided, with_groups("posterior", change=first))
    assert cure_in(text, r"; (select the same) in all, or leave them out$")
    some = decided(with_groups(*whole, change=first))
    assert some["verdict"].shape == verdicts[:12].shape
    left = {"posterior": first(whole["posterior"].to_dataset())}
    assert (
        decided(xr.DataTree.from_dict(left))["verdict"].shape == some["verdict"].shape
    )

    text = refusal(decided, with_groups("posterior", change=capitals))
    assert cure_in(text, r"\(no contrast (A)\); use the same names in all, or leave")
    named = decided(with_groups(*whole, change=capitals))["verdict"]
    assert named.to_numpy().tolist() == verdicts.to_numpy().tolist()

    groups = [name for name in whole if name != "posterior"]
    mixed = with_groups("posterior", change=backwards)
    text = refusal(decided, with_groups(*groups, change=twice, of=mixed))
    assert cure_in(text, r"; (give each a name of its own) in all, or leave them out$")
    return decided(whole)["verdict"].equals(verdicts)


@case
def moderated_variances_of_a_verdict() -> Any:
    """They are those between predictors: the call that was named was refused."""
    motifs = ("AGATAAG", "CCGGAAG", "GATTACA", "TGACTCA")
    arms = {motif: cg.Embed(motif, at=10) for motif in motifs}
    members = cg.Ensemble([network(0), network(1), third()])
    outcomes = run(design(arms={"none": cg.Untreated(), **arms}), members)
    effects = cg.contrast(outcomes, control="none")
    for moderate in (True, False):
        text = refusal(
            cg.decide,
            cg.estimate(effects, target="next predictor"),
            rope=ROPE,
            shrink=cg.Shrinkage(moderate=moderate),
        )
        call = cure_in(
            text, r"; give (cg\.estimate\(effects, .*\)) without shrink=, or"
        )
        found = cg.decide(eval(call, {"cg": cg, "effects": effects}), rope=ROPE)
        named = cure_in(text, r"or cg\.analyze\(outcomes, \.\.\., (target=.*)\)$")
        again = cg.analyze(
            outcomes, control="none", rope=ROPE, rng=0, **arguments(named)
        )
        assert np.allclose(found["se"], again["se"])
    return True


# ---- stores and layers


@case
def a_store_without_batch_sizes() -> Any:
    design = cg.Design(
        null=cg.Uniform(length=20),
        arms={"none": cg.Untreated(), "A": cg.Embed("AAAA", at=2)},
        n_units=20,
    )
    share = cg.FunctionPredictor(
        lambda x: x[:, 0].mean(1), tasks=["a"], fingerprint="share"
    )
    given = {"design": design, "predictor": share, "rng": 0, "progress": False}
    store = Path("trial.zarr")
    right = cg.run(**given, store=store).compute()
    put_manifest(store, manifest_of(store) | {"settled": [{}]})
    text = refusal(cg.run, **given, store=store)
    assert cure_in(text, r"; (move the store away, and run the trial anew)$")
    store.rename("away.zarr")
    return cg.run(**given, store=store)["outcome"].equals(right["outcome"])


@case
def a_layer_of_which_no_window_lies_inside() -> Any:
    """The first window is cut off by the beginning, the second ends where the
    sequence does.
    """
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    scanner = nn.Conv1d(4, 3, 8, stride=5, padding=3)
    network = nn.Sequential(
        scanner, nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 1)
    )
    made = cg.TorchPredictor(network, tasks=["a"], device="cpu")
    strings = cg.sequences.decode(
        cg.Uniform(length=40).sample(60, rng=0)["sequence"].to_numpy()
    )
    text = refusal(attribution.filters, made, "0", [one[:10] for one in strings])
    assert cure_in(text, r"; (give longer sequences)$")
    return attribution.filters(made, "0", strings).sizes["motif_position"] == 8


@case
def the_width_of_a_motif_that_has_its_own() -> Any:
    strings = ["TTTTAGATAAGTTTTTTTTT", "CCCCCCCCAGATAAGCCCCC"]
    maps = attribution_maps(strings)
    text = refusal(attribution.average, maps, "AGATAAG", width=5)
    left_out = cure_in(text, r"(width)=5 goes with starts, .* its own: leave it out$")
    found = attribution.average(maps, "AGATAAG", **without({"width": 5}, left_out))
    return sorted(set(found["motif_position"].values)) == list(range(7))


def attribution_maps(strings: list[str]) -> xr.Dataset:
    made = cg.FunctionPredictor(lambda x: x[:, 0].mean(1), tasks=["a"])
    return cg.attribute(strings, made, progress=False)


def without(given: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != name}


@case
def a_whole_number_with_a_point_in_a_term() -> Any:
    text = refusal(cg.zoo.EndGC, weight=1.0, last=30.0)
    shown = arguments(cure_in(text, r"for example (last=\d+)$"))
    return cg.zoo.EndGC(weight=1.0, **shown).last == 30


@case
def an_interval_without_ends() -> Any:
    effects = cg.contrast(run(design()), control="none")
    text = refusal(cg.estimate, effects, ci_prob=1 - 1e-16)
    shown = arguments(cure_in(text, r"for example (ci_prob=\.?[\d.]+)$"))
    found = cg.estimate(effects, **shown)
    return np.isfinite(found["upper"]).to_numpy()


@case
def placebos_without_an_order() -> Any:
    rng, names = np.random.default_rng(0), [f"placebo {i}" for i in range(20)]
    frame = pd.DataFrame(
        [
            (u, arm, rng.normal() + (arm == "GATA"))
            for u in range(40)
            for arm in ("none", "GATA", *names)
        ],
        columns=["unit", "arm", "y"],
    )
    columns = {"outcome": "y", "arm": "arm", "unit": "unit", "control": "none"}
    text = refusal(cg.estimation.from_incomplete, frame, **columns, placebos=set(names))
    shown = arguments(cure_in(text, r"for example (placebos=\[.*\])$"))["placebos"]
    # a list as in the example, of all of them
    assert type(shown) is list
    assert set(shown) <= {*names}
    found = cg.estimation.from_incomplete(frame, **columns, placebos=names)
    return found["contrast"].values.tolist() == ["placebos"]


@case
def contrasts_without_an_order() -> Any:
    table = cg.adjust(estimates())
    text = refusal(cg.multiplicity.selected_intervals, table, select={"a", "b"})
    shown = arguments(cure_in(text, r"for example (select=\[.*\])$"))
    found = cg.multiplicity.selected_intervals(table, **shown)
    return list(shown["select"]) == list(
        found["contrast"].values[: len(shown["select"])]
    )


@case
def a_network_of_onnx_on_a_device_that_is_not_there() -> Any:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 1))
    whole = cg.TorchPredictor(net.eval(), tasks=["a"], device="cpu")
    cg.predict.export_onnx(whole, "net.onnx", length=20)
    given = {"tasks": ["a"], "announce": None}
    text = refusal(cg.load_predictor, "net.onnx", device="cuda", **given)
    shown = arguments(cure_in(text, r"; use (device='cpu')$"))
    tokens = cg.Uniform(length=20).sample(5, rng=0)["sequence"].to_numpy()
    found = cg.load_predictor("net.onnx", **given, **shown).predict(tokens)
    return np.allclose(found, whole.predict(tokens), atol=1e-6)


@case
def an_effect_that_is_the_same_in_every_unit() -> Any:
    ice = np.random.default_rng(0).normal(size=(30, 3, 1))
    ice[:, 1] = 2.0
    coords = {"unit": range(30), "contrast": ["a", "b", "c"], "task": ["t"]}
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords=coords)
    table = cg.estimate(effects)
    given = {"law": "normal", "rng": 0, "n_draws": 200}
    text = refusal(cg.infer, table, **given)
    assert cure_in(text, r"contrast (b): se 0, .* read the effect as it stands")
    call = cure_in(
        text, r"leave the contrast out \((estimates\.sel\(contrast=)\.\.\.\)\)$"
    )
    rest = eval(f"{call}['a', 'c'])", {"estimates": table})
    assert float(table["ace"].sel(contrast="b").item()) == 2.0
    return cg.infer(rest, **given)["posterior"].sizes["contrast"] == 2


@case
def units_with_other_numbers_of_effects() -> Any:
    rows = [[1.0, 2.0], [0.5, 1.0], [2.0, 0.0], [1.0, 1.5]]
    ragged = np.empty(4, object)
    ragged[:] = [*rows[:3], [1.0]]
    text = refusal(sign_flip_max_t, ragged, rng=0)
    assert cure_in(text, r"rows have 2 and 1 numbers\); (give one row of floats)")
    whole = np.empty((4, 2), object)
    whole[:] = rows
    right = sign_flip_max_t(np.array(rows), rng=0)
    return sign_flip_max_t(whole, rng=0).p_raw == right.p_raw


@case
def a_matrix_of_dinucleotides() -> Any:
    row = " ".join(["0.0625"] * 16)
    Path("di.ppm").write_text(f">GATA1\n{row}\n{row}\n")
    text = refusal(cg.read_patterns, "di.ppm")
    assert cure_in(text, r"; give the (mononucleotide) matrix of the same motif$")
    Path("mono.ppm").write_text(">GATA1\n0 0 1 0\n1 0 0 0\n0 0 0 1\n1 0 0 0\n")
    return [one.consensus for one in cg.read_patterns("mono.ppm").values()] == ["GATA"]


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@case.each
def test_the_cure_of_a_rare_refusal_is_applied_and_succeeds(
    case, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert np.all(case())
