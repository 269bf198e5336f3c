"""What is given in place of something else: a list for an ensemble, a class for a rule,
a number for a cluster, a path for letters, weights of another precision. The cure that
the error names is taken from its text and applied to the same call.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import VCF_HEAD, Cases, arguments, cure_in, number_in, refusal

import causalgia as cg
from causalgia import inputs, store
from causalgia.errors import SequenceError
from causalgia.predict.torch_device import device_of_worker

pytestmark = pytest.mark.rotating(6)

case = Cases()
STRINGS = ["ACGTTGCATTACGGCATTAC", "TTTTACGTACGTAAGCATCG", "GGCATTACGTTACGACGATA"]
TOKENS = cg.sequences.encode(STRINGS)
ARMS = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=8)}


def gc(x: Any) -> Any:
    return x[:, 1:3].sum(2)


def of(fn: Any, **given: Any) -> cg.FunctionPredictor:
    settings = {"tasks": ["C", "G"], "fingerprint": "gc"}
    return cg.FunctionPredictor(fn, **settings | given)


def design(**given: Any) -> cg.Design:
    settings = {"null": cg.Uniform(length=20), "arms": ARMS, "n_units": 30}
    return cg.Design(**settings | {"contrasts": "untreated"} | given)


def run(predictor: Any = None, **given: Any) -> Any:
    one = of(gc) if predictor is None else predictor
    return cg.run(given.pop("design", design()), one, rng=0, progress=False, **given)


# ---- predictors


@case
def predictors_in_a_list(_folder: Path) -> Any:
    both = [of(gc), of(lambda x: 2 * gc(x), fingerprint="twice")]
    text = refusal(run, both)
    kind = cure_in(text, r"an ensemble: cg\.(\w+)\(\[\.\.\.\]\)")
    return run(getattr(cg, kind)(both))["outcome"].sizes["model"] == 2


@case
def a_member_with_its_tasks_in_another_order(_folder: Path) -> Any:
    def swapped(x: Any) -> Any:
        return 2 * gc(x)[:, ::-1]

    first = of(gc)
    text = refusal(cg.Ensemble, [first, of(swapped, tasks=["G", "C"])])
    named = arguments(
        cure_in(text, r"that order, (reduce=.*\])").replace(
            ", and then tasks", ", tasks"
        )
    )
    found = cg.Ensemble([first, of(swapped, **named)]).predict(TOKENS)
    return np.array_equal(found[..., 1], 2 * found[..., 0])


@case
def a_scale_of_no_task(_folder: Path) -> Any:
    text = refusal(of, gc, scale={"K562": "log2", "G": "log2"})
    tasks = eval(cure_in(text, r"the tasks are (.*)$"))
    found = of(gc, scale=dict.fromkeys(tasks, "log2"))
    return found.scale == "log2" and set(tasks) == {"C", "G"}


@case
def numbers_that_are_called_a_track(_folder: Path) -> Any:
    track = {"track": cg.Track(origin=10)}
    text = refusal(of(gc, **track).predict, TOKENS)
    del track[cure_in(text, r"leave (track)= out")]
    return np.array_equal(of(gc, **track).predict(TOKENS)[:, 0], [5, 4, 4])


@case
def tasks_as_rows(_folder: Path) -> Any:
    text = refusal(of(lambda x: gc(x).T).predict, TOKENS)
    named = arguments(cure_in(text, r"give (reduce=.*)$"))
    found = of(lambda x: gc(x).T, **named).predict(TOKENS)
    heads = of(lambda x: [*gc(x).T])
    text = refusal(heads.predict, TOKENS)
    named = arguments(cure_in(text, r"give (reduce=.*)$"))
    of_heads = of(lambda x: [*gc(x).T], **named).predict(TOKENS)
    right = of(gc).predict(TOKENS)
    return np.array_equal(found, right) and np.array_equal(of_heads, right)


@case
def answers_that_lost_their_sequences(_folder: Path) -> Any:
    one = of(lambda x: gc(x)[:1])
    text = refusal(one.predict, TOKENS)
    assert cure_in(text, r"(one row for each of them)")
    text = refusal(of(lambda x: x[:, 1:3].mean()).predict, TOKENS)
    axes = eval(cure_in(text, r"such as \.mean\((\(1, 2\))\)"))
    found = of(lambda x: x[:, 1:3].mean(axes), tasks=["share"]).predict(TOKENS)
    return np.allclose(found[:, 0], of(gc).predict(TOKENS).sum(1) / 40)


@case
def a_function_of_more_than_sequences(_folder: Path) -> Any:
    def both(x: Any, cell: Any) -> Any:
        return cell * gc(x)

    def named(*, x: Any) -> Any:
        return gc(x)

    text = refusal(of(both).predict, TOKENS)
    call = cure_in(text, r"give (lambda x: f\(.*\)), with a cell of")
    found = of(eval(call, {"f": both, "cell": 3})).predict(TOKENS)
    text = refusal(of(named).predict, TOKENS)
    call = cure_in(text, r"give (lambda x: f\(name=x\))").replace("name", "x", 1)
    other = of(eval(call, {"f": named})).predict(TOKENS)
    return np.array_equal(found, 3 * other)


@case
def weights_of_another_precision(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 1))
    right = cg.TorchPredictor(net, device="cpu").predict(TOKENS)
    given = {"dtype": "float64", "device": "cpu"}
    text = refusal(cg.TorchPredictor(net, **given).predict, TOKENS)
    name = cure_in(text, r"leave (dtype)= out")
    same = {key: given[key] for key in given if key != name}
    found = cg.TorchPredictor(net, **same).predict(TOKENS)
    double = eval(cure_in(text, r"convert them, (net\.\w+\(\))$"), {"net": net})
    exact = cg.TorchPredictor(double, **given).predict(TOKENS)
    half = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 1)).half()
    text = refusal(cg.TorchPredictor(half, **given).predict, TOKENS)
    assert "leave" not in text  # half precision is refused unasked
    whole = eval(cure_in(text, r"convert them, (net\.\w+\(\))$"), {"net": half})
    return [
        np.array_equal(found, right),
        np.allclose(exact, right, atol=1e-5) and exact.dtype == np.float64,
        cg.TorchPredictor(whole, **given).predict(TOKENS).shape == (3, 1),
    ]


@case
def a_worker_where_there_is_no_gpu(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    text = refusal(device_of_worker, 0, 0)
    named = arguments(cure_in(text, r"use (device='\w+')"))
    found = cg.TorchPredictor(torch.nn.Flatten(), **named)
    return found.device.type == "cpu"


# ---- files of networks

NETWORK = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Conv1d(4, 3, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten())

def load(path):
    WEIGHTS
    made = net()
    made.load_state_dict(weights)
    return made
"""
AS_SAVED = "weights = torch.load(path, weights_only=True)"


def loaded(folder: Path, weights: Any, how: str = AS_SAVED, **given: Any) -> Any:
    """Load a network whose weights are read so, or return the error of that."""
    factory = folder / "net.py"
    factory.write_text(NETWORK.replace("WEIGHTS", how))
    quiet = {"announce": lambda _: None, "device": "cpu"}
    return cg.load_predictor(f"{factory}:load", weights=weights, **quiet | given)


def saved_network(folder: Path) -> tuple[Any, Any, Any]:
    """Return a network, the path of its weights, and its answers."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    net = nn.Sequential(nn.Conv1d(4, 3, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    torch.save(net.state_dict(), folder / "net.pt")
    return net, folder / "net.pt", cg.TorchPredictor(net, device="cpu").predict(TOKENS)


@case
def weights_inside_a_checkpoint(folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    net, path, right = saved_network(folder)
    torch.save({"epoch": 3, "model_state_dict": net.state_dict()}, path)
    call = cure_in(refusal(loaded, folder, path), r"': (torch\.load\(.*\])$")
    return np.array_equal(
        loaded(folder, path, f"weights = {call}").predict(TOKENS), right
    )


@case
def weights_of_data_parallel(folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    net, path, right = saved_network(folder)
    torch.save({f"module.{k}": v for k, v in net.state_dict().items()}, path)
    named = cure_in(refusal(loaded, folder, path), r"take off 'module\.': (\{.*\})$")
    found = loaded(folder, path, f"{AS_SAVED}; weights = {named}")
    return np.array_equal(found.predict(TOKENS), right)


@case
def a_whole_network_for_its_weights(folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    net, path, right = saved_network(folder)
    torch.save(net, path)
    text = refusal(loaded, folder, path)
    whole = cure_in(text, r"(return torch\.load\(path, weights_only=False\))$")
    found = [loaded(folder, path, whole).predict(TOKENS)]
    exec(cure_in(text, r"(torch\.save\(.*?, path\)),"), locals())
    found.append(loaded(folder, path).predict(TOKENS))
    return [np.array_equal(one, right) for one in found]


@case
def weights_returned_for_a_network(folder: Path) -> Any:
    _, path, right = saved_network(folder)
    text = refusal(loaded, folder, path, f"{AS_SAVED}; return weights")
    call = cure_in(text, r"build the network, then (net\.load_state_dict\(weights\))")
    end = cure_in(text, r"and (return net)$")
    whole = f"{AS_SAVED}; build = globals()['net']; net = build(); {call}; {end}"
    return np.array_equal(loaded(folder, path, whole).predict(TOKENS), right)


@case
def a_network_of_torchscript_for_its_weights(folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    net, _, right = saved_network(folder)
    path = folder / "script.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(net, torch.zeros(1, 4, 20)).save(path)
    text = refusal(cg.load_predictor, path)
    code = cure_in(text, r"of yours, (def load\(\): return .*), as factory=")
    (folder / "my_net.py").write_text(f"import torch\n{code}\n")
    factory = folder / cure_in(text, r"factory='(my_net\.py:load)'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = cg.load_predictor(factory, announce=lambda _: None, device="cpu")
    return np.allclose(found.predict(TOKENS), right, atol=1e-6)


@case
def tasks_of_a_loaded_network(folder: Path) -> Any:
    _, path, right = saved_network(folder)
    one = loaded(folder, path, tasks=["K562"])
    name = cure_in(refusal(one.predict, TOKENS), r"name each output in (tasks)=, or")
    found = loaded(folder, path, **{name: ["K562", "HepG2", "WTC11"]})
    return np.array_equal(found.predict(TOKENS), right)


@case
def a_module_that_lies_elsewhere(folder: Path) -> Any:
    _, path, right = saved_network(folder)
    (folder / "layers").mkdir()
    (folder / "layers" / "of_my_lab.py").write_text("")
    how = f"import of_my_lab; {AS_SAVED}"
    text = refusal(
        loaded, folder, path, f"pass\nimport of_my_lab\ndef load(path):\n    {AS_SAVED}"
    )
    name = cure_in(text, r"the folder that holds (\w+) on PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(next(folder.rglob(f"{name}.py")).parent)
        return np.array_equal(loaded(folder, path, how).predict(TOKENS), right)


# ---- runs and workers


@case
def a_rule_that_is_a_class(_folder: Path) -> Any:
    text = refusal(run, until=cg.Precision)
    assert text.endswith("not the class Precision")
    call = cure_in(text, r"takes (cg\.Precision\(half_width=)\)")
    rule = eval(f"{call}2)", {"cg": cg})
    return run(until=rule)["outcome"].sizes["unit"] == 30


@case
def a_cluster_of_the_share_of_letters(_folder: Path) -> Any:
    text = refusal(run, analysis=cg.Analysis(control="untreated", cluster="chrom"))
    offered = eval(f"[{cure_in(text, r'the coordinates are (.*)$')}]")
    assert offered == ["parent"]
    asked = cg.Analysis(control="untreated", cluster=offered[0])
    return run(analysis=asked)["outcome"].sizes["unit"] == 30


@case
def what_is_no_client(_folder: Path) -> Any:
    distributed = pytest.importorskip("distributed")
    quiet = {"processes": False, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **quiet) as one:
        found = []
        for given in (one, one.scheduler_address):
            call = cure_in(refusal(run, client=given), r"give client=(.*)$")
            with eval(call, {"distributed": distributed}) as client:
                found.append(run(client=client).equals(run()))
    call = cure_in(refusal(run, client=1), r"give client=distributed\.Client(.*)$")
    return [*found, call == "(n_workers=1)"]


# ---- letters and files


@case
def a_dict_of_sequences(_folder: Path) -> Any:
    named = dict(zip("abc", STRINGS, strict=True))
    text = refusal(cg.sequences.encode, named)
    found = eval(cure_in(text, r"give (list\(.*\))$"), {"x": named})
    return np.array_equal(cg.sequences.encode(found), TOKENS)


@case
def a_table_of_sequences(_folder: Path) -> Any:
    table = pd.DataFrame({"name": list("abc"), "letters": STRINGS})
    text = refusal(cg.sequences.encode, table)
    assert cure_in(text, r"give (one column) of it")
    return np.array_equal(cg.sequences.encode(table["letters"]), TOKENS)


@case
def a_path_in_place_of_letters(folder: Path) -> Any:
    path = folder / "peaks.fa"
    path.write_text("".join(f">{i}\n{one}\n" for i, one in enumerate(STRINGS)))
    text = refusal(cg.sequences.encode, str(path))
    call = cure_in(text, r"read the file: (.*), which has \.tokens")
    return np.array_equal(eval(call, {"cg": cg}).tokens, TOKENS)


@case
def a_protein(folder: Path) -> Any:
    path = folder / "protein.fa"
    path.write_text(f">a\n{'MKLV' * 5}\n>b\n{STRINGS[0]}\n")
    text = refusal(cg.read_sequences, path)
    # M is a base of the IUPAC code, whose draw would stop at L
    assert cure_in(text, r"letter '(L)' .* amino acid.*or drop the record")
    path.write_text(f">b\n{STRINGS[0]}\n")
    return np.array_equal(cg.read_sequences(path).tokens, TOKENS[:1])


@case
def letters_that_are_numbered(folder: Path) -> Any:
    path = folder / "numbered.fa"
    path.write_text(f">a\n1 {STRINGS[0]}\n")
    text = refusal(cg.read_sequences, path)
    number = cure_in(text, r"letter '(\d)' at position 0 .*: remove it")
    path.write_text(path.read_text().replace(f"{number} ", ""))
    motif = folder / "motif.jaspar"
    motif.write_text(">M1 GATA\nA [0 9 0 9]\nC [0 0 0 0]\nG [9 0 0 0]\nT [0 0 9 0]\n")
    text = refusal(cg.read_sequences, motif)
    call = cure_in(text, r"(cg\.read_patterns\(path\)) reads motifs")
    return [
        np.array_equal(cg.read_sequences(path).tokens, TOKENS[:1]),
        len(eval(call, {"cg": cg, "path": motif})) == 1,
    ]


@case
def a_context_of_windows_of_one_base(folder: Path) -> Any:
    genome, vcf = folder / "genome.fa", folder / "one.vcf"
    genome.write_text(f">chr1\n{'ACGTTGCATTACGGCATTAC' * 20}\n")
    vcf.write_text(f"{VCF_HEAD}chr1\t101\ta\tA\tG\t.\t.\t.\n")

    def screen(null: Any, length: int) -> Any:
        return cg.experiments.variant_screen(
            vcf, genome, length=length, null=null, n_null=20
        )

    text = refusal(screen, cg.MatchedVariants(of="genome"), 1)
    context = cure_in(text, r"such as '(context:\d)'")
    length = number_in(text, r"length=(\d+) or more")
    narrow = cg.MatchedVariants(of="genome", match=("substitution", context))
    return [
        screen(narrow, 1) is not None,
        screen(cg.MatchedVariants(of="genome"), length) is not None,
    ]


@case
def a_string_and_log_odds_for_probabilities(_folder: Path) -> Any:
    motif = cg.sequences.Motif
    text = refusal(motif, "GATA", "GATAR")
    made = eval(
        cure_in(text, r"string; (from_iupac\('\w+'\))"),
        {"from_iupac": motif.from_iupac},
    )
    rows = np.log2(np.array(made.probabilities) + 1e-9) + 2
    call = cure_in(refusal(motif, "GATA", rows), r"(from_pwm)\(\) takes log-odds$")
    counts = 12 * np.array(made.probabilities)
    other = cure_in(refusal(motif, "GATA", counts), r"(from_counts)\(\) takes counts$")
    found = [getattr(motif, call)("x", rows), getattr(motif, other)("x", counts)]
    return [np.allclose(one.probabilities, made.probabilities) for one in found]


@case
def a_position_without_counts_in_a_file(folder: Path) -> Any:
    path = folder / "motifs.jaspar"
    first = ">M1 GATA\nA [0 9 0 9]\nC [0 0 0 0]\nG [9 0 0 0]\nT [0 0 9 0]\n"
    other = ">M2 none\nA [0 9]\nC [0 0]\nG [0 0]\nT [0 0]\n"
    path.write_text(first + other)
    text = refusal(cg.sequences.read_motifs, path)
    assert "pseudocount" not in text  # which a file does not have
    assert cure_in(text, r"(correct the matrix, or drop the motif)$")
    found = []
    for cured in (first, first + other.replace("[0 ", "[1 ")):
        path.write_text(cured)
        found.append(cg.sequences.read_motifs(path)["GATA"].consensus == "GATA")
    return found


@case
def a_path_that_the_shell_would_complete(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        (folder / "peaks.fa").write_text(f">a\n{STRINGS[0]}\n")
        text = refusal(cg.read_sequences, "~/peaks.fa")
        found = cg.read_sequences(cure_in(text, r"write out '~': (.*)$"))
    return np.array_equal(found.tokens, TOKENS[:1])


@case
def an_address_in_place_of_a_path(folder: Path) -> Any:
    text = refusal(cg.read_sequences, "https://host.org/peaks.fa")
    assert cure_in(text, r"(download it first)")
    (folder / "peaks.fa").write_text(f">a\n{STRINGS[0]}\n")  # as a browser does
    with inputs.open_regular_file(folder / "peaks.fa", SequenceError) as file:
        assert file.read(1) == b">"
    return np.array_equal(cg.read_sequences(folder / "peaks.fa").tokens, TOKENS[:1])


# ---- Datasets


@case
def a_path_or_a_table_for_a_dataset(folder: Path) -> Any:
    outcomes = run()
    effects = cg.contrast(outcomes)
    right = cg.estimate(effects)
    path = store.save(effects, folder / "effects.nc")
    call = cure_in(refusal(cg.estimate, str(path)), r"read it: (.*), or cg\.open")
    found = [cg.estimate(eval(call, {"causalgia": cg})).equals(right)]
    table = outcomes["outcome"].to_dataframe().reset_index()
    text = refusal(cg.estimate, table)
    maker = getattr(cg, cure_in(text, r"of a table with cg\.(from_frame)"))
    then = getattr(cg, cure_in(text, r"contrast that with cg\.(contrast)$"))
    made = maker(table, outcome="outcome", arm="arm", unit="unit", task="task")
    again = cg.estimate(then(made, control="untreated"))
    found.append(np.allclose(again["ace"], right["ace"].sel(task=again["task"])))
    return found


@case
def one_arm_that_was_selected(_folder: Path) -> Any:
    outcomes = run(design=design(arms={**ARMS, "GCGC": cg.Embed("GCGC", at=8)}))
    text = refusal(cg.contrast, outcomes.sel(arm="GATA"), control="GATA")
    kept = eval(cure_in(text, r"keeps it: \.sel\(arm=(\[.*\])\)$"))
    some = outcomes.sel(arm=[*kept, "untreated"])
    return list(cg.contrast(some)["contrast"].to_numpy()) == kept


@case
def a_coordinate_of_ones_own_that_is_taken(_folder: Path) -> Any:
    outcomes = run().assign_coords(kind=("arm", [1, 2]))
    text = refusal(cg.contrast, outcomes)
    names = arguments(cure_in(text, r"if it is your own, \.rename\((.*)\)$"))
    return "my_kind" in cg.contrast(outcomes.rename(**names)).coords


@case
def levels_and_folders_where_a_file_is_written(folder: Path) -> Any:
    estimates = cg.estimate(cg.contrast(run()))
    outcomes = run()
    outcomes["level"] = ("pair", np.arange(2.0))
    levels = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    found = outcomes.assign_coords(
        xr.Coordinates.from_pandas_multiindex(levels, "pair")
    )
    text = refusal(store.save, found, folder / "outcomes.nc")
    flat = found.reset_index(cure_in(text, r"\.reset_index\('(\w+)'\)$"))
    text = refusal(store.save, estimates, folder)
    path = cure_in(text, r"a file in it, such as (.*)$")
    return [
        store.save(flat, folder / "flat.nc").exists(),
        store.load(store.save(estimates, path), "estimates").equals(estimates),
    ]


@case.each
def test_the_cure_holds(case: Any, tmp_path: Path) -> None:
    assert np.all(case(tmp_path))
