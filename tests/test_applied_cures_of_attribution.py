"""Errors of attribution maps, of what is made of them, and of layers: the cure that each
names is taken from its text and applied to the same call, and the answer is the right
one.
"""

from __future__ import annotations

import re
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, evaluated, refusal
from test_applied_cures import ORACLE, STRINGS, design, network, run, third

import causalgia as cg
from causalgia.attribution.layer_responses import expected_places
from causalgia.attribution.map_scores import as_explained
from causalgia.sequences import find_instances, one_hot

pytestmark = pytest.mark.rotating(6)

at = cg.attribution
case = Cases()


SITED = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:6]]


@cache
def maps() -> xr.Dataset:
    return cg.attribute(SITED, ORACLE, tasks="K562", progress=False)


@cache
def sited() -> xr.Dataset:
    arms = {"wt": cg.Untreated(), "out": cg.Ablate((10, 17), fill="uniform")}
    weights = {"out": {"wt": 1, "out": -1}, "other": {"wt": -1, "out": 1}}
    trial = design(null=cg.Genomic(of=SITED), arms=arms, contrasts=weights, n_units=6)
    return cg.estimate(cg.contrast(run(trial)))


def of_one() -> xr.Dataset:
    return sited().isel(contrast=[0])


def instances(strings: list[str]) -> Any:
    return find_instances(cg.sequences.encode(strings), "AGATAAG")


# ---- maps


@case
def maps_of_a_track(_folder: Path) -> Any:
    def of(**given: Any) -> Any:
        return cg.FunctionPredictor(
            lambda x: x[:, :1] * 2.0,
            tasks=["A"],
            track=cg.Track(origin=20),
            fingerprint="track",
            **given,
        )

    text = refusal(cg.attribute, SITED[:1], predictor=of())
    named = cure_in(text, r"TorchPredictor\(\.\.\., track=, (reduce=\[.*?\)\])\)")
    read = of(**arguments(named.replace("-50, 50", "-5, 5")))
    return cg.attribute(SITED[:1], read, progress=False)["score"].sizes["task"] == 1


@case
def a_path_that_is_an_array(folder: Path) -> Any:
    pytest.importorskip("h5py")
    scores = np.random.default_rng(0).normal(size=(2, 4, 12)).astype(np.float32)
    text = refusal(at.read_attributions, scores)
    name = cure_in(text, r"such as '(contributions).h5'")
    np.savez(folder / f"{name}.npz", scores=scores)
    read = at.read_attributions(
        folder / f"{name}.npz", sequences=[s[:12] for s in SITED[:2]]
    )
    return read["score"].sizes["unit"] == 2


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "maps.npz", **arrays)
    return folder / "maps.npz"


@case
def scores_of_other_sequences(folder: Path) -> Any:
    scores = np.random.default_rng(0).normal(size=(3, 4, 40))
    path = saved(folder, scores=scores)
    text = refusal(at.read_attributions, path, sequences=SITED)
    assert cure_in(text, r"give (\(n, 4, length\)) or .*of the same sequences")
    return at.read_attributions(path, sequences=SITED[:3])["score"].sizes["unit"] == 3


@case
def a_score_that_is_no_number(folder: Path) -> Any:
    scores = np.random.default_rng(0).normal(size=(3, 4, 40))
    scores[1, 2, 3] = np.nan
    path = saved(folder, scores=scores)
    text = refusal(at.read_attributions, path, sequences=SITED[:3])
    row = int(cure_in(text, r"sequence (\d+), position 3 .*; leave that sequence out"))
    path = saved(folder, scores=np.delete(scores, row, 0))
    rest = [SITED[k] for k in range(3) if k != row]
    return at.read_attributions(path, sequences=rest)["score"].sizes["unit"] == 2


@case
def a_sequence_with_an_n(folder: Path) -> Any:
    x = one_hot(cg.sequences.encode(SITED[:3])).transpose(0, 2, 1)
    x = x if x.shape[1] == 4 else x.transpose(0, 2, 1)
    x = x.copy()
    x[1, :, 5] = 0
    scores = np.random.default_rng(0).normal(size=(3, 4, 40))
    path = saved(folder, scores=scores, sequences=x)
    text = refusal(at.read_attributions, path)
    row = int(
        cure_in(text, r"sequence (\d+) has no base at .*; leave that sequence out")
    )
    name = cure_in(text, r", or give (sequences)=")
    keep = [k for k in range(3) if k != row]
    rest = at.read_attributions(saved(folder, scores=scores[keep], sequences=x[keep]))
    whole = at.read_attributions(
        saved(folder, scores=scores, sequences=x), **{name: SITED[:3]}
    )
    return rest.sizes["unit"] == 2 and whole.sizes["unit"] == 3


@case
def a_threshold_of_instances(_folder: Path) -> Any:
    given = {"attributions": maps(), "anchor": instances(SITED)}
    text = refusal(at.average, **given, threshold=1e-3)
    assert cure_in(text, r"^(threshold)=0.001 is for a motif's score; leave it out")
    return at.average(**given) is not None


@case
def instances_of_other_sequences(_folder: Path) -> Any:
    found = instances(STRINGS + SITED)
    text = refusal(at.average, maps(), found)
    assert cure_in(text, r"; (instances) must be of the sequences that were explained")
    return at.average(maps(), instances(SITED)) is not None


@case
def several_contrasts_beside_maps(_folder: Path) -> Any:
    given = {"attributions": maps(), "estimates": sited(), "anchor": "AGATAAG"}
    text = refusal(at.against_trial, **given)
    name = cure_in(text, r"say contrast= one of '(\w+)'")
    found = at.against_trial(**given, contrast=name)
    return found.equals(at.against_trial(**given | {"estimates": of_one()}))


@case
def maps_of_a_task_that_was_not_run(_folder: Path) -> Any:
    given = {"attributions": maps(), "anchor": "AGATAAG"}
    other = of_one().sel(task=["HepG2"])
    task = cure_in(
        refusal(at.against_trial, **given, estimates=other),
        r"task '(\w+)' of the maps is not in the estimates; run the trial on it",
    )
    return at.against_trial(**given, estimates=of_one().sel(task=[task])) is not None


@case
def a_site_that_no_sequence_has(_folder: Path) -> Any:
    given = {"estimates": of_one(), "anchor": "AGATAAG"}
    plain = cg.attribute(["ACGT" * 10] * 2, ORACLE, tasks="K562", progress=False)
    text = refusal(at.against_trial, plain, **given)
    assert cure_in(text, r"; give (maps of sequences that have one)")
    return at.against_trial(maps(), **given).sizes["site"] >= 6


@cache
def of_members() -> xr.Dataset:
    arms = {"wt": cg.Untreated(), "out": cg.Ablate((10, 17), fill="uniform")}
    weights = {"out": {"wt": 1, "out": -1}}
    trial = design(null=cg.Genomic(of=SITED), arms=arms, contrasts=weights, n_units=6)
    members = cg.Ensemble({"a": network(0), "b": network(1), "c": third()})
    return cg.estimate(cg.contrast(run(trial, members)))


@case
def estimates_of_several_networks(_folder: Path) -> Any:
    given = {"attributions": maps(), "anchor": "AGATAAG"}
    made = cure_in(
        refusal(at.against_trial, **given, estimates=of_members()),
        r"take one: (\.isel\(model=0\))",
    )
    one = eval(f"estimates{made}", {"estimates": of_members()})
    return at.against_trial(**given, estimates=one) is not None


@case
def a_member_that_was_not_run(_folder: Path) -> Any:
    members = cg.Ensemble({"a": network(0), "d": network(1)})
    given = {"anchor": "AGATAAG", "estimates": of_members()}
    found = cg.attribute(SITED, members, tasks="K562", progress=False)
    text = refusal(at.against_trial, found, **given)
    assert cure_in(text, r"member '(d)' of the maps is not .*; run the same ones")
    members = cg.Ensemble({"a": network(0), "b": network(1)})
    found = cg.attribute(SITED, members, tasks="K562", progress=False)
    return at.against_trial(found, **given) is not None


# ---- interactions


@case
def more_interactions_than_the_most(_folder: Path) -> Any:
    from causalgia.attribution import _interactions

    given = {"sequences": SITED, "predictor": ORACLE, "positions": range(3, 9)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_interactions, "_MOST_NUMBERS", 100)
        text = refusal(at.interactions, **given)
        assert cure_in(text, r"give tasks=, (fewer) positions=, or fewer sequences")
        fewer = [{"positions": [3, 4, 5]}, {"tasks": "K562"}, {"sequences": SITED[:3]}]
        found = [at.interactions(**given | one) for one in fewer]
    return [one.sizes["unit"] for one in found] == [6, 6, 3]


@case
def interactions_about_a_site_that_is_not_there(_folder: Path) -> Any:
    given = {"predictor": ORACLE, "anchor": "AGATAAG", "positions": [0, 1, 2]}
    text = refusal(at.interactions, ["ACGT" * 10] * 2, **given)
    assert cure_in(text, r"give (sequences) that have one")
    return at.interactions(SITED, **given).sizes["contrast"] == 3


@case
def positions_and_pairs(_folder: Path) -> Any:
    given = {"positions": [3, 4, 5], "pairs": [(3, 4)]}
    text = refusal(at.interactions, SITED, predictor=ORACLE, **given)
    assert cure_in(text, r"; give (one of them)")
    found = [at.interactions(SITED, ORACLE, **{k: given[k]}) for k in given]
    return [one.sizes["contrast"] for one in found] == [3, 1]


@case
def too_many_pairs(_folder: Path) -> Any:
    from causalgia.attribution import _interactions

    given = {"sequences": SITED, "predictor": ORACLE}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_interactions, "_MOST_PAIRS", 20)
        text = refusal(at.interactions, **given)
        named = cure_in(text, r"such as .*: (positions=range\(100, 200\)), or pairs=")
        named = named.replace("100, 200", "10, 16")
        found = at.interactions(**given, **arguments(named))
    return found.sizes["contrast"] == 15


# ---- proposals


TABLE = pd.DataFrame({"example_idx": range(6), "start": [10] * 6, "end": [17] * 6})


def propose(**given: Any) -> Any:
    settings = {"attributions": maps(), "predictor": ORACLE, "rng": 0}
    return cg.propose(**settings | given)


@case
def seqlets_beside_another_method(_folder: Path) -> Any:
    given = {"seqlets": TABLE, "method": "kmer"}
    text = refusal(propose, **given)
    assert cure_in(text, r"seqlets= are given, and (method)='kmer'.*leave one of them")
    return [propose(**{k: given[k]}) is not None for k in given]


@case
def windows_that_are_too_wide(_folder: Path) -> Any:
    text = refusal(propose, method="kmer", width=30)
    most = int(
        cure_in(text, r"windows have 4 to (\d+) positions .*; give one of these")
    )
    return propose(method="kmer", width=min(most, 6)) is not None


@case
def seqlets_in_a_list(_folder: Path) -> Any:
    text = refusal(propose, seqlets=TABLE.to_dict("records"))
    columns = cure_in(text, r"give a DataFrame with (.*), such as").split(", ")
    rows = pd.DataFrame(TABLE.to_numpy()[:, : len(columns)], columns=columns)
    return propose(seqlets=rows) is not None


@case
def seqlets_of_a_task_that_has_no_map(_folder: Path) -> Any:
    text = refusal(propose, seqlets=TABLE.assign(task="K56"))
    task = cure_in(text, r"did you mean '(\w+)'")
    return propose(seqlets=TABLE.assign(task=task)) is not None


@case
def records_that_are_left_out_of_no_file(folder: Path) -> Any:
    given = {"sequences": SITED, "skip": "N"}
    text = refusal(as_explained, **given)
    assert cure_in(
        text, r"; (leave those sequences out) of what you give, or read them"
    )
    path = folder / "of.fa"
    path.write_text(
        "".join(f">{k}\n{one}\n" for k, one in enumerate([*SITED, "N" * 40]))
    )
    return (
        len(as_explained(SITED).tokens) == len(as_explained(path, skip="N").tokens) == 6
    )


# ---- motifs


@case
def a_trim_of_3_bits(_folder: Path) -> Any:
    given = {"motifs": {"x": cg.motif("CTCF")}, "database": "JASPAR"}
    text = refusal(at.match, **given, trim=3)
    trim = float(cure_in(text, r"give bits from 0 up to 2, such as ([\d.]+)"))
    return at.match(**given, trim=trim).equals(at.match(**given))


TARGETS = {name: cg.motif(name) for name in ("CTCF", "SP1")}


@case
def no_expected_motif(_folder: Path) -> Any:
    text = refusal(expected_places, [], TARGETS)
    names = eval(cure_in(text, r"such as (\[.*\]), or leave it out"))
    assert expected_places(None, TARGETS) == []
    return expected_places(names[:1], TARGETS) == [0]


@case
def two_motifs_in_one_text(_folder: Path) -> Any:
    named = cure_in(
        refusal(expected_places, "CTCF, SP1", TARGETS),
        r"did you mean a list, (expected=\[.*\])\?",
    )
    return expected_places(**arguments(named), targets=TARGETS) == [0, 1]


# ---- layers


def layered(*layers: Any) -> Any:
    from torch import nn

    return cg.TorchPredictor(nn.Sequential(*layers), tasks=["a"], device="cpu")


@cache
def scanning() -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    return layered(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(108, 1))


@case
def a_function_of_another_shape(_folder: Path) -> Any:
    given = {"predictor": scanning(), "layer": "0", "sequences": SITED}
    text = refusal(at.filters, **given, activation=lambda x: x.mean(1))
    named = cure_in(text, r"such as (activation=lambda x: np.maximum\(x, 0\))")
    return at.filters(**given, **arguments(named)) is not None


@case
def a_function_of_single_numbers(_folder: Path) -> Any:
    given = {"predictor": scanning(), "layer": "0", "sequences": SITED}
    text = refusal(at.filters, **given, activation=lambda x: max(x, 0))
    named = cure_in(text, r"such as (activation=lambda x: np.maximum\(x, 0\))")
    return at.filters(**given, **arguments(named)) is not None


@case
def a_layer_with_two_axes_of_places(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    wide = layered(
        nn.Conv1d(4, 6, 5), nn.Unflatten(1, (2, 3)), nn.Flatten(), nn.Linear(216, 1)
    )
    given = {"predictor": wide, "sequences": SITED}
    text = refusal(at.filters, **given, layer="1")
    assert cure_in(text, r"; take a layer with (\(n, channels, places\))")
    return at.filters(**given, layer="0") is not None


@case
def filters_of_a_network_without_convolutions(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    flat = layered(nn.Flatten(), nn.Linear(160, 1))
    given = {"predictor": flat, "method": ["seqlets", "filters"]}
    text = refusal(propose, **given | {"attributions": None, "sequences": SITED})
    name = cure_in(text, r"leave '(\w+)' out of method=")
    given["method"].remove(name)
    return (
        given["method"] == ["seqlets"] and propose(method=given["method"]) is not None
    )


@case
def values_of_sequences_of_another_length(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    pool = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 1)
    free = layered(nn.Conv1d(4, 3, 5), nn.ReLU(), *pool)
    given = {"predictor": free, "layer": "0", "channels": 0, "ablation": "resample"}

    def predicted(strings: Any) -> Any:
        made = at.Nullified(**given, sequences=strings)
        return made.predict(cg.sequences.encode(SITED))

    text = refusal(predicted, [one[:30] for one in SITED])
    assert cure_in(text, r"; give (sequences of the length of the units)")
    return len(predicted(STRINGS)) == 6


# ---- layers of a network


@cache
def torch_modules() -> Any:
    pytest.importorskip("torch")
    import test_attention_torch

    return test_attention_torch


def attended(kind: str, layer: str) -> Any:
    predictor = cg.TorchPredictor(torch_modules().Crosses(kind), tasks=["t"])
    return at.attention(predictor, layer, SITED)


@case
def a_layer_that_attends_from_some_places(_folder: Path) -> Any:
    text = refusal(attended, "cross", "first")
    assert cure_in(text, r"take a layer whose (queries and keys are the same places)")
    found = attended("one", "first")
    return found.sizes["query"] == found.sizes["key"] == 40


@case
def attention_over_other_places_than_the_first(_folder: Path) -> Any:
    first = cure_in(refusal(attended, "pooled", "second"), r"; take '(\w+)'$")
    return attended("pooled", first).sizes["key"] == 40


@case
def attention_of_places_that_read_everything(_folder: Path) -> Any:
    predictor = cg.TorchPredictor(torch_modules().Crosses("whole"), tasks=["t"])
    text = refusal(at.attention, predictor, "first", SITED)
    call = cure_in(text, r"propose pairs by (cg\.attribution\.interactions) alone")
    found = eval(call, {"cg": cg})(SITED[:2], predictor, pairs=[(10, 16)])
    return "ice" in found


@case
def a_layer_that_answers_with_two_tensors(_folder: Path) -> Any:
    predictor = cg.TorchPredictor(torch_modules().Crosses("one"), tasks=["t"])
    text = refusal(at.filters, predictor, "first", SITED)
    assert cure_in(text, r"; take a layer (before) or after it$")
    return len(at.filters(predictor, "scan", SITED)["maximum"]) == 4


@case
def a_layer_of_windows_at_uneven_places(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn

    class Uneven(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:, :, [0, 1, 2, 5, 9, 14, 20]]

    uneven = layered(nn.Conv1d(4, 3, 5), Uneven(), nn.Flatten(), nn.Linear(21, 1))
    given = {"predictor": uneven, "sequences": SITED}
    text = refusal(at.filters, **given, layer="1")
    assert cure_in(text, r"nearer to the sequence, such as the (first convolution)")
    return len(at.filters(**given, layer="0")["maximum"]) == 3


@case
def modisco_of_short_sequences(_folder: Path) -> Any:
    pytest.importorskip("modiscolite")
    short = cg.attribute([one[:20] for one in SITED], free(), progress=False)
    given = {"attributions": short, "predictor": free(), "rng": 0}
    text = refusal(cg.propose, **given, method="modisco")
    named = cure_in(text, r"use (method='seqlets')")
    return cg.propose(**given, **arguments(named)) is not None


def free() -> Any:
    return cg.FunctionPredictor(
        lambda x: np.abs(x[:, 0, 3:9] - x[:, 2, 4:10]).sum(1)[:, None],
        tasks=["K562"],
        fingerprint="free",
    )


@case
def maps_over_baselines_of_ones_own(_folder: Path) -> Any:
    def made(**given: Any) -> Any:
        options = {"method": "deeplift", "progress": False, "rng": 0} | given
        return cg.attribute(SITED, scanning(), **options)

    text = refusal(
        propose,
        attributions=made(baselines=cg.Uniform(length=40)),
        predictor=scanning(),
    )
    name = cure_in(text, r"leave (\w+)= out of cg\.attribute")
    assert name == "baselines"
    return propose(attributions=made(), predictor=scanning()) is not None


# ---- what is given with maps


@case
def one_baseline(_folder: Path) -> Any:
    given = {"sequences": SITED[:2], "predictor": scanning(), "method": "deeplift"}
    given |= {"rng": 0, "progress": False}
    text = refusal(cg.attribute, **given, n_baselines=1)
    least = int(cure_in(text, r"take (\d+) or more, such as \d+$"))
    return cg.attribute(**given, n_baselines=least).attrs["n_baselines"] == least


@case
def a_null_model_by_its_name(_folder: Path) -> Any:
    text = refusal(propose, null="uniform")
    made = cure_in(text, r"such as (cg\.Uniform\(length=200\)); or leave null= out$")
    null = eval(made.replace("200", "40"), {"cg": cg})
    return [propose(null=null) is not None, propose() is not None]


@case
def scores_that_are_four_by_four(folder: Path) -> Any:
    scores = np.random.default_rng(0).normal(size=(3, 4, 4))
    strings = [one[:4] for one in STRINGS[:3]]
    text = refusal(
        at.read_attributions, saved(folder, scores=scores), sequences=strings
    )
    assert cure_in(text, r"give those of the bases that are there, (\(n, length\))$")
    tokens = cg.sequences.encode(strings)
    there = np.take_along_axis(scores, tokens[:, None].astype(int), 1)[:, 0]
    read = at.read_attributions(saved(folder, scores=there), sequences=strings)
    return read["score"].sizes["position"] == 4


def of_bases(strings: list[str]) -> Any:
    """Return scores (n, 4, length) of the bases that are there."""
    hot = np.moveaxis(np.eye(4)[cg.sequences.encode(strings)], 2, 1)
    return hot * np.random.default_rng(0).uniform(1, 2, (len(strings), 1, 40))


@case
def maps_of_the_sequences_in_another_order(folder: Path) -> Any:
    path = saved(folder, scores=of_bases(STRINGS[:3]))
    text = refusal(at.read_attributions, path, sequences=STRINGS[2::-1])
    name = cure_in(text, r"in the order of the maps, as (\w+)=$")
    read = at.read_attributions(path, **{name: STRINGS[:3]})
    return read["score"].sizes == {"unit": 3, "position": 40, "task": 1}


@case
def scores_without_sequences(folder: Path) -> Any:
    path = saved(folder, scores=of_bases(STRINGS[:3]))
    name = cure_in(refusal(at.read_attributions, path), r"were explained, (\w+)=$")
    return at.read_attributions(path, **{name: STRINGS[:3]})["score"].sizes["unit"] == 3


@case
def other_sequences_than_those_of_the_file(folder: Path) -> Any:
    one_hots = np.moveaxis(np.eye(4)[cg.sequences.encode(STRINGS[:3])], 2, 1)
    path = saved(folder, scores=of_bases(STRINGS[:3]), sequences=one_hots)
    text = refusal(at.read_attributions, path, sequences=STRINGS[3:6])
    name = cure_in(text, r"leave (\w+)= out, or give those that were explained")
    whole = at.read_attributions(path)
    return whole.equals(at.read_attributions(path, **{name: STRINGS[:3]}))


@case
def maps_that_do_not_say_what_a_substitution_changes(_folder: Path) -> Any:
    given = {"tasks": "K562", "progress": False}
    other = cg.attribute(SITED, ORACLE, method="shapley", rng=0, **given)
    text = refusal(cg.attribution.against_trial, other, of_one(), "AGATAAG")
    named = cure_in(text, r"give those of cg\.attribute\(\.\.\., (method='ism')\)$")
    right = cg.attribute(SITED, ORACLE, **arguments(named), **given)
    table = of_one().sel(task=["K562"])
    return "flag" in cg.attribution.against_trial(right, table, "AGATAAG")


@case
def modisco_of_maps_of_observed_bases(_folder: Path) -> Any:
    pytest.importorskip("modiscolite")
    nothing = cg.FunctionPredictor(
        lambda x: np.zeros(len(x)), tasks=["a"], scale="none", fingerprint="nothing"
    )
    long = ["".join(STRINGS[k : k + 3]) for k in range(4)]
    given = {"predictor": nothing, "method": "modisco", "rng": 0}

    def made(**method: Any) -> Any:
        return cg.attribute(long, nothing, progress=False, rng=0, **method)

    text = refusal(cg.propose, made(method="shapley"), **given)
    named = cure_in(text, r"give maps of cg\.attribute\(\.\.\., (method='ism')\)")
    return cg.propose(made(**arguments(named)), **given).sizes["pattern"] == 0


@case
def maps_of_another_predictor(_folder: Path) -> Any:
    known = {one.fingerprint: one for one in (ORACLE, network(1))}
    text = refusal(propose, predictor=network(1))
    right = cure_in(
        text, r"are of the predictor (\w+), .*; give the one that was mapped$"
    )
    return propose(predictor=known[right]) is not None


@case
def interaction_maps_in_place_of_maps(_folder: Path) -> Any:
    site = (10, 17)
    found = cg.attribution.dfim(SITED, scanning(), site, rng=0)
    text = refusal(propose, attributions=found, predictor=scanning())
    call = eval(cure_in(text, r"give maps of (cg\.attribute)$"), {"cg": cg})
    made = call(SITED, scanning(), progress=False)
    return propose(attributions=made, predictor=scanning()) is not None


# ---- networks whose layers cannot be read


def in_torchscript(network: Any) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(network.module)
    return cg.TorchPredictor(scripted, tasks=["a"], device="cpu")


@case
def filters_of_torchscript(_folder: Path) -> Any:
    text = refusal(at.filters, in_torchscript(scanning()), "0", SITED)
    assert cure_in(text, r"give the (torch\.nn\.Module) from which it was made$")
    return len(at.filters(scanning(), "0", SITED)["maximum"]) == 3


@case
def deeplift_of_torchscript(_folder: Path) -> Any:
    given = {"sequences": SITED[:2], "rng": 0, "progress": False, "n_baselines": 2}
    script = in_torchscript(scanning())
    text = refusal(cg.attribute, predictor=script, method="deeplift", **given)
    named = cure_in(text, r"or take (method='integrated_gradients')$")
    assert cure_in(text, r"give (the network from which it was made), or")
    right = cg.attribute(predictor=scanning(), method="deeplift", **given)
    other = cg.attribute(predictor=script, **arguments(named), **given)
    return [right["score"].shape == other["score"].shape]


@case
def filters_of_a_predictor_without_layers(_folder: Path) -> Any:
    text = refusal(propose, method=["kmer", "filters"])
    name = cure_in(text, r"has no layers; leave '(\w+)' out of method=")
    methods = [one for one in ("kmer", "filters") if one != name]
    return propose(method=methods) is not None


@case
def a_layer_that_is_called_twice(_folder: Path) -> Any:
    predictor = cg.TorchPredictor(torch_modules().Crosses("twice"), tasks=["t"])
    text = refusal(at.attention, predictor, "first", SITED)
    assert cure_in(text, r"is called 2 times .*; take a layer that is called (once)$")
    return attended("one", "first").sizes["key"] == 40


@case
def more_instances_than_fit_into_memory(_folder: Path) -> Any:
    from causalgia.attribution import attribution_maps

    both = cg.attribute(SITED, ORACLE, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution_maps, "_MOST_SCORES", 200)
        text = refusal(at.average, both, "AGATAAG")
        one = eval(
            cure_in(text, r"select tasks, (maps\.isel\(task=\[0\]\))"), {"maps": both}
        )
        return at.average(one, "AGATAAG").sizes["task"] == 1


@case
def a_trial_of_one_unit_beside_maps(_folder: Path) -> Any:
    table = of_one().drop_vars(["lower", "upper"]).sel(task=["K562"])
    text = refusal(cg.attribution.against_trial, maps(), table, "AGATAAG")
    assert cure_in(text, r"no intervals \(one unit, .*; run (more units)$")
    right = of_one().sel(task=["K562"])
    return "flag" in cg.attribution.against_trial(maps(), right, "AGATAAG")


@case
def a_layer_that_is_not_called(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn

    class Unused(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv1d(4, 3, 5), nn.Flatten(), nn.Linear(108, 1))
            self.spare = nn.Conv1d(4, 2, 5)

        def forward(self, x: Any) -> Any:
            return self[2](self[1](self[0](x)))

    text = refusal(at.filters, layered(Unused()), "0.spare", SITED)
    assert cure_in(
        text, r"takes no part in the forward pass .*; take a (layer that does)$"
    )
    return len(at.filters(layered(Unused()), "0.0", SITED)["maximum"]) == 3


@case
def weights_that_are_buffers(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Weighted(nn.Module):
        def __init__(self, kind: str) -> None:
            super().__init__()
            w = torch.arange(160.0).reshape(4, 40) / 1000
            if kind == "buffer":
                self.register_buffer("w", w)
            else:
                self.w = eval(kind, {"torch": torch})(w)

        def forward(self, x: Any) -> Any:
            return (x * self.w).sum((1, 2))[:, None]

    text = refusal(at.randomized, layered(Weighted("buffer")), rng=0)
    kind = cure_in(
        text, r"weights are (torch\.nn\.Parameter) \(a buffer is not shuffled"
    )
    both = at.randomized(layered(Weighted(kind)), n_draws=1, rng=0)
    other = cure_in(text, r"or compare with .*: (cg\.Ensemble\(.*\))$")
    own = {"one": layered(Weighted("buffer")), "two": scanning()}
    made = eval(
        other.replace("...", "one", 1).replace("...", "two", 1), {"cg": cg} | own
    )
    return [
        both.models == ("intact", "randomized 1"),
        made.models == ("intact", "other"),
    ]


@case
def weights_that_cannot_be_copied(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def normed(kind: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            first = kind(nn.Conv1d(4, 3, 5))
        network = layered(first, nn.Flatten(), nn.Linear(108, 1))
        network.module(torch.ones(2, 4, 40))  # as while it is trained
        return network

    text = refusal(at.randomized, normed(nn.utils.weight_norm), n_draws=1, rng=0)
    room = cure_in(text, r"that of (torch\.nn\.utils\.parametrizations) can be copied")
    kind = eval(room, {"torch": torch}).weight_norm
    both = at.randomized(normed(kind), n_draws=1, rng=0)
    assert cure_in(
        text, r"(build it anew) and load its weights \(cg\.predict\.load_weights"
    )
    return both.models == ("intact", "randomized 1")


@case
def operations_in_place(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class InPlace(nn.Module):
        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = compile(line, "line", "exec")

        def forward(self, x: Any) -> Any:
            h = torch.exp(x.sum(1))
            y = h * h
            names = {"h": h, "x": 1.0}
            exec(self.line, names)
            return (y + names["h"]).sum(1, keepdim=True)

    given = {"sequences": SITED[:2], "rng": 0, "progress": False}
    given |= {"method": "integrated_gradients", "n_baselines": 2}
    wrong = layered(InPlace("h += x"))
    text = refusal(cg.attribute, predictor=wrong, **given)
    line = cure_in(text, r"such as h \+= x, as (h = h \+ x)")
    right = cg.attribute(predictor=layered(InPlace(line)), **given)
    named = arguments(cure_in(text, r"or take (method='ism'), which"))
    rest = {k: v for k, v in given.items() if k not in ("method", "n_baselines", "rng")}
    other = cg.attribute(predictor=wrong, **rest, **named)
    return np.isfinite(right["score"]).all() and np.isfinite(other["score"]).all()


@case
def layers_that_are_quantized(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")
    whole = scanning()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(
            whole.module, {torch.nn.Linear}, dtype=torch.qint8
        )
    quantized = cg.TorchPredictor(small, tasks=["a"], device="cpu")
    given = {"sequences": SITED[:2], "progress": False}
    deep = {"method": "deeplift", "rng": 0, "n_baselines": 2}
    text = refusal(cg.attribute, predictor=quantized, **given, **deep)
    assert cure_in(text, r"give the network in (float32), or")
    right = cg.attribute(predictor=whole, **given, **deep)
    named = arguments(cure_in(text, r"or take (method='ism'), which"))
    other = cg.attribute(predictor=quantized, **given, **named)
    return np.isfinite(right["score"]).all() and np.isfinite(other["score"]).all()


@case
def few_motifs_without_those_of_jaspar(_folder: Path) -> Any:
    from causalgia.attribution import layer_responses

    def found(package: Any, n: int) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layer_responses, "find_spec", lambda _: package)
            return layer_responses.check_enough_targets(n)

    text = refusal(found, None, 3)
    assert cure_in(text, r"(pip install 'causalgia\[jaspar\]')")
    least = int(cure_in(text, r"or give a database of (\d+) motifs or more$"))
    return [found("installed", 3) is None, found(None, least) is None]


@case
def maps_that_a_plugin_packed(folder: Path) -> Any:
    """The package is absent, and is installed."""
    from causalgia.sequences import pattern_files

    pytest.importorskip("hdf5plugin")
    path = Path(__file__).parent / "reference" / "attribution" / "chrombpnet.h5"
    if not path.is_file():
        path = next(Path(__file__).parent.rglob("chrombpnet.h5"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "hdf5plugin", None)
        text = refusal(pattern_files._check_with_filters, path)
    assert cure_in(text, r"(pip install 'causalgia\[attribution\]')")
    return at.read_attributions(path).sizes["task"] >= 1


@case
def a_pair_of_one_position(_folder: Path) -> Any:
    text = refusal(at.interactions, SITED[:2], ORACLE, positions=[10])
    assert cure_in(text, r"a pair needs two; (give two or more)$")
    found = at.interactions(SITED[:2], ORACLE, positions=[10, 16])
    return found["ice"].equals(
        at.interactions(SITED[:2], ORACLE, pairs=[(10, 16)])["ice"]
    )


@case
def an_average_over_one_instance(_folder: Path) -> Any:
    one = cg.attribute([*SITED[:1], *STRINGS[6:9]], ORACLE, progress=False)
    text = refusal(at.average, one, "AGATAAG")
    assert cure_in(text, r"two or more, of different parents: (give maps of more seq)")
    more = cg.attribute([*SITED, *STRINGS[6:9]], ORACLE, progress=False)
    found, alone = at.average(more, "AGATAAG"), at.average(maps(), "AGATAAG")
    shared = found.sel(contrast=alone["contrast"], task="K562")["ace"]
    return np.allclose(shared, alone["ace"].sel(task="K562"))


@case
def a_channel_by_a_name_that_none_has(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    whole = layered(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(108, 1))
    given = {"predictor": whole, "layer": "0", "channels": "GATA"}
    text = refusal(at.Nullified, **given)
    name, empty = (
        cure_in(text, r"give (names)= as well, one for each channel in their order"),
        cure_in(text, r"in their order, (\"\") for none"),
    )
    by_name = at.Nullified(**given, **{name: [eval(empty), "GATA", "TAL"]})
    assert cure_in(text, r"or (give a number)$")
    by_number = at.Nullified(**given | {"channels": 1})
    tokens = cg.sequences.encode(SITED)
    return np.array_equal(by_name.predict(tokens), by_number.predict(tokens))


@case
def a_backward_that_fails(_folder: Path) -> Any:
    torch = pytest.importorskip("torch")

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            raise KeyError("saved")

    class Corrected(Doubled):
        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    class Net(torch.nn.Module):
        def __init__(self, of: Any) -> None:
            super().__init__()
            self.of, self.last = of, torch.nn.Linear(160, 1)

        def forward(self, x: Any) -> Any:
            return self.last(self.of.apply(x).flatten(1))

    def predictor(of: Any) -> Any:
        torch.manual_seed(0)
        return cg.TorchPredictor(Net(of), tasks=["t"], device="cpu")

    given = {"sequences": SITED[:2], "progress": False}
    text = refusal(
        cg.attribute, predictor=predictor(Doubled), method="gradient", **given
    )
    assert cure_in(text, r"; (correct the backward), the hook or the __getattr__")
    right = cg.attribute(predictor=predictor(Corrected), method="gradient", **given)
    named = arguments(cure_in(text, r"or take (method='ism'), which"))
    other = cg.attribute(predictor=predictor(Doubled), **given, **named)
    score = right["score"] - right["score"].isel(base=0)
    return np.allclose(score, other["score"] - other["score"].isel(base=0), atol=1e-5)


@case
def modisco_of_sequences_that_are_alike(_folder: Path) -> Any:
    pytest.importorskip("modiscolite")
    weights = np.random.default_rng(9).normal(size=(2, 4, 60)) / 3

    def of_sites(x: Any) -> Any:
        one, other = np.tensordot(x, weights, ((1, 2), (1, 2))).T
        return (one**2 - other**2)[:, None]

    predictor = cg.FunctionPredictor(of_sites, tasks=["a"], fingerprint="of sites")
    rows = np.random.default_rng(0).choice(list("ACGT"), (60, 60))
    real = ["".join(row) for row in rows]

    def proposed(sequences: list[str], method: str = "modisco") -> Any:
        made = cg.attribute(sequences, predictor, progress=False)
        return cg.propose(made, predictor=predictor, method=method, rng=0)

    text = refusal(proposed, real[:1] * 60)
    named = arguments(cure_in(text, r"; use (method='seqlets'), or"))
    assert cure_in(text, r"or (give more sequences, which differ)$")
    return [
        proposed(real[:1] * 60, **named).sizes["pattern"] > 0,
        "consensus" in proposed(real),
    ]


@case
def a_filter_as_wide_as_the_sequence(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    wide = layered(
        nn.Conv1d(4, 3, 41, padding=20),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(3, 1),
    )
    text = refusal(at.filters, wide, "0", SITED)
    assert cure_in(text, r"or (give longer sequences)$")
    longer = [one + other for one, other in zip(SITED, STRINGS, strict=False)]
    return at.filters(wide, "0", longer).sizes["motif_position"] == 41


# ---- positions, pairs and sites


def pairs_of(**given: Any) -> Any:
    settings = {"sequences": SITED, "predictor": ORACLE, "progress": False}
    return at.interactions(**settings | given)


@case
def positions_beside_a_motif_that_leave_the_sequence(_folder: Path) -> Any:
    given = {"anchor": "AGATAAG", "positions": [-12, 0, 2]}
    text = refusal(pairs_of, **given)
    least, most = re.search(
        r"have those from (-?\d+) to (\d+): give these", text
    ).groups()
    inside = pairs_of(**given | {"positions": [int(least), 0, int(most)]})
    assert cure_in(text, r"give these, or (longer sequences)$")
    longer = {"sequences": ["CCC" + one for one in SITED], "predictor": free()}
    longer = pairs_of(**given | longer)
    return [
        inside["contrast"].to_numpy().tolist() == ["-10:0", "-10:29", "0:29"],
        longer["contrast"].to_numpy().tolist() == ["-12:0", "-12:2", "0:2"],
    ]


@case
def starts_without_positions(_folder: Path) -> Any:
    text = refusal(pairs_of, anchor=[10] * 6)
    positions = eval(cure_in(text, r"say which, .*: (range\(-10, 20\)), say$"))
    some = pairs_of(anchor=[10] * 6, positions=positions[::15])
    return some["contrast"].to_numpy().tolist() == ["-10:5"]


PAIRS = r"give such as (\[\(.*\)\]), or "


@pytest.mark.parametrize(
    ("wrong", "pattern"),
    [
        ({"pairs": []}, PAIRS + r"positions=$"),
        ({"pairs": "8:28"}, PAIRS + r"(positions=range\(8, 36\))$"),
        ({"pairs": [(8, 28), (28, 8)]}, r"; (give each once)$"),
        ({"positions": [8, 9, 9]}, r"; (give each once)$"),
    ],
)
def test_a_list_of_positions_is_cured(wrong, pattern):
    text = refusal(pairs_of, **wrong)
    named = cure_in(text, pattern)
    if named.startswith("["):
        found = pairs_of(pairs=eval(named))
        assert found["contrast"].to_numpy().tolist()[0] == "8:28"
    else:
        (name,) = wrong
        once = sorted({*map(_sorted, wrong[name])})
        found = pairs_of(**{name: once})
        assert found["contrast"].to_numpy().tolist() in (["8:28"], ["8:9"])
    if "or positions=range" in text:
        positions = arguments(cure_in(text, r"or (positions=range\(8, 36\))$"))
        few = pairs_of(positions=positions["positions"][::14])
        assert few["contrast"].to_numpy().tolist() == ["8:22"]


def _sorted(one: Any) -> Any:
    return tuple(sorted(one)) if isinstance(one, tuple) else one


def of_site(**given: Any) -> Any:
    settings = {"sequences": SITED[:2], "predictor": ORACLE, "progress": False}
    return at.dfim(**settings | given)


@case
def exchanges_that_are_drawn_without_a_seed(_folder: Path) -> Any:
    seed = arguments(cure_in(refusal(of_site, source=(10, 17)), r"give (rng=0), say$"))
    found = of_site(source=(10, 17), **seed)
    return found["score"].shape == (2, 40, 2) and not found["score"][:, 10:17].any()


@pytest.mark.parametrize("source", [[10, 11, 12], "AGATAAG", (16.5, 24)])
def test_a_site_is_cured(source):
    text = refusal(of_site, source=source)
    one = int(cure_in(text, r"give a position such as (\d+), or \(16, 24\)"))
    several = eval(cure_in(text, r"give a position such as 20, or (\(16, 24\))"))
    found = of_site(source=one)
    assert np.array_equal(found["score"], of_site(source=(one, one + 1))["score"])
    assert not of_site(source=several, rng=0)["score"][:, 16:24].any()
    if isinstance(source, list):
        assert cure_in(text, r": (cut sequences around a site that moves), or make one")
        moved = [SITED[0][2:32], SITED[1][:30], SITED[2][4:34]]
        starts = [one.index("AGATAAG") for one in moved]
        text = refusal(of_site, sequences=moved, source=starts)
        assert cure_in(text, r"or (make one call for each place)$")
        cut = [one[k - 6 : k + 20] for one, k in zip(moved, starts, strict=True)]
        base = cg.FunctionPredictor(
            lambda x: x.reshape(len(x), -1)[:, :40] @ np.arange(40.0),
            tasks=["a"],
            fingerprint="of any length",
        )
        whole = of_site(sequences=cut, predictor=base, source=6)
        assert whole["score"].sizes["unit"] == 3
        for one, k in zip(moved, starts, strict=True):
            alone = of_site(sequences=[one], predictor=base, source=k)
            assert alone["score"].sizes["unit"] == 1


# ---- what is proposed from


@case
def all_methods_and_another(_folder: Path) -> Any:
    pytest.importorskip("modiscolite")
    text = refusal(propose, method=["all", "kmer"])
    method = arguments(cure_in(text, r"; give (method='all')$"))
    return propose(**method) is not None


@pytest.mark.parametrize("given", [{}, {"sequences": SITED, "attributions": maps}])
def test_proposals_are_made_from_maps_or_from_sequences(given):
    given = {k: v() if callable(v) else v for k, v in given.items()}
    text = refusal(cg.propose, predictor=ORACLE, rng=0, **given)
    call = cure_in(text, r"give maps, (cg\.propose\(.*?\)), or sequences=, of which")
    call = call.replace("...", "ORACLE, rng=0")
    of_maps = eval(call, {"cg": cg, "ORACLE": ORACLE, "attributions": maps()})
    name = cure_in(text, r", or (sequences)=, of which maps are made")
    made = cg.propose(predictor=ORACLE, rng=0, **{name: SITED})
    assert "pattern" in of_maps.sizes
    assert "pattern" in made.sizes


def read_maps(folder: Path, **given: Any) -> xr.Dataset:
    strings = ["".join(STRINGS[k : k + 3]) for k in range(4)]
    one_hots = np.moveaxis(np.eye(4)[cg.sequences.encode(strings)], 2, 1)
    scores = np.random.default_rng(0).normal(size=one_hots.shape)
    path = saved(folder, scores=scores, sequences=one_hots)
    return at.read_attributions(path, **given)


@cache
def counting() -> Any:
    return cg.FunctionPredictor(
        lambda x: x[:, 2].sum(1), tasks=["a"], scale="none", fingerprint="G"
    )


@case
def null_maps_of_maps_from_a_file(folder: Path) -> Any:
    pytest.importorskip("modiscolite")
    given = {"predictor": counting(), "rng": 0}
    maps = read_maps(folder, task="a")
    text = refusal(cg.propose, maps, **given)
    method = arguments(cure_in(text, r"; use (method='modisco'), or seqlets="))
    name = cure_in(text, r", or (\w+)=, or give sequences= instead of maps$")
    rows = {"example_idx": [0, 1], "start": [3, 9], "end": [9, 15]}
    other = cure_in(text, r"or give (\w+)= instead of maps$")
    return [
        "pattern" in cg.propose(maps, **given, **method).sizes,
        cg.propose(maps, **given, **{name: pd.DataFrame(rows)}).sizes["pattern"] > 0,
        "pattern" in cg.propose(**given, **{other: SITED}).sizes,
    ]


@case
def maps_from_a_file_of_no_task(folder: Path) -> Any:
    rows = pd.DataFrame({"example_idx": [0, 1], "start": [3, 9], "end": [9, 15]})
    given = {"predictor": counting(), "seqlets": rows, "rng": 0}
    text = refusal(cg.propose, read_maps(folder), **given)
    task = cure_in(text, r"the predictor has \['(\w+)'\]; say which by")
    name = cure_in(
        text, r"say which by cg\.attribution\.read_attributions\(\.\.\., (\w+)=\)$"
    )
    return cg.propose(read_maps(folder, **{name: task}), **given).sizes["pattern"] > 0


@case
def a_null_model_of_another_length(_folder: Path) -> Any:
    text = refusal(propose, null=cg.Uniform(length=30))
    n = int(cure_in(text, r"the maps have (\d+); give a null model of that length$"))
    return "pattern" in propose(null=cg.Uniform(length=n)).sizes


@case
def a_share_of_null_windows_above_1(_folder: Path) -> Any:
    text = refusal(propose, null_share=5)
    share = float(cure_in(text, r"a share between 0 and 1, such as ([\d.]+)$"))
    return propose(null_share=share).equals(propose())


@case
def settings_of_windows_that_are_not_called(_folder: Path) -> Any:
    given = {"seqlets": TABLE, "null_share": 0.1}
    found = cured(propose, given, r"; leave (null_share)= out$")
    text = refusal(propose, seqlets=TABLE, width=8)
    assert cure_in(text, r"; leave (width)= out$")
    return found.equals(propose(seqlets=TABLE))


# ---- seqlets


@case
def a_seqlet_of_three_positions(_folder: Path) -> Any:
    few = pd.concat([TABLE, TABLE.iloc[:1].assign(end=13)], ignore_index=True)
    text = refusal(propose, seqlets=few)
    kept = eval(cure_in(text, r"leave it out, (seqlets\[.*\])$"), {"seqlets": few})
    return propose(seqlets=kept).equals(propose(seqlets=TABLE))


@case
def a_seqlet_beyond_the_sequences(_folder: Path) -> Any:
    more = pd.concat([TABLE, TABLE.iloc[:1].assign(example_idx=6)], ignore_index=True)
    text = refusal(propose, seqlets=more)
    row = int(cure_in(text, r"row (\d+) has example_idx 6, .* or leave the row out$"))
    assert cure_in(text, r"; give (the maps on which the seqlets were called), or")
    called = cg.attribute([*SITED, SITED[0]], ORACLE, tasks="K562", progress=False)
    return [
        propose(seqlets=more.drop(row)).equals(propose(seqlets=TABLE)),
        propose(seqlets=more, attributions=called).sizes["pattern"] > 0,
    ]


@case
def seqlets_beside_maps_of_two_tasks(_folder: Path) -> Any:
    both = cg.attribute(SITED, ORACLE, progress=False)
    found = evaluated(
        propose,
        {"seqlets": TABLE, "attributions": both},
        r": (seqlets\.assign\(task='K562'\))$",
    )
    made = propose(seqlets=found, attributions=both)
    return set(made["task"].to_numpy().tolist()) == {"K562", "HepG2"}


@case
def starts_without_a_width(_folder: Path) -> Any:
    given = {"attributions": maps(), "anchor": [10] * 6}
    found = cured(at.average, given, r"such as (width=8)$")
    text = refusal(at.average, **given)
    assert cure_in(text, r"say how many (bases) from each start")
    return found["contrast"].to_numpy().tolist() == [
        f"{k} {base}" for k in range(8) for base in "ACGT"
    ]


@case
def starts_outside_of_the_maps(_folder: Path) -> Any:
    """They were called instances of other sequences."""
    given = {"attributions": maps(), "width": 8}
    starts = [10, 10, 33, 10, -1, 10]
    text = refusal(at.average, **given, anchor=starts)
    assert cure_in(text, r"(2 of 6) starts lie outside the maps, the first 33 of seq")
    first, last = re.search(r"start from (\d+) to (\d+): correct them", text).groups()
    for x in (int(first), int(last)):
        assert at.average(**given, anchor=[x] * 6).sizes["contrast"] == 32
    cure = cure_in(text, r"out of both: (keep = .*)$")
    keep = eval(
        cure_in(cure, r"^keep = (\[.*?\] *for x in starts\]|\[.*?in starts\])"),
        {"starts": starts},
    )
    left, kept = (
        eval(one, {"maps": maps(), "numpy": np, "starts": starts, "keep": keep})
        for one in re.search(r", (maps\..*\)) and (numpy\..*)$", cure).groups()
    )
    found = at.average(left, kept, width=8)
    right = at.average(maps().isel(unit=[0, 1, 3, 5]), [10] * 4, width=8)
    wide = refusal(at.average, maps(), [0] * 6, width=41)
    most = arguments(cure_in(wide, r"give at most (width=\d+)$"))
    return [
        np.allclose(found["ace"], right["ace"]),
        at.average(maps(), [0] * 6, **most).sizes["contrast"] == 160,
    ]


# ---- channels


@pytest.mark.parametrize(
    ("wrong", "pattern"),
    [
        (
            {"names": "GATA"},
            r"give one name for each channel in their order, (\"\") for none$",
        ),
        ({"names": ["GATA"]}, r"in their order, (\"\") for none, and '0' has 3$"),
        ({"channels": [1, 1]}, r"a list of different ones, such as (\[3, 7\])$"),
        ({"channels": -1}, r"give a channel, (0) or more"),
        ({"channels": []}, r"give a channel, (0) or more"),
    ],
)
def test_channels_are_cured(wrong, pattern):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    wide = layered(
        torch.nn.Conv1d(4, 8 if "3, 7" in pattern else 3, 5),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8 if "3, 7" in pattern else 3, 1),
    )
    given = {"predictor": wide, "layer": "0", "channels": "GATA"}
    named = eval(cure_in(refusal(at.Nullified, **given | wrong), pattern))
    number = named
    if named == "":
        by_name, number = {"names": ["GATA", named, named]}, 0
    else:
        by_name = {"channels": named}
    tokens = cg.sequences.encode(SITED)
    found = at.Nullified(**given | by_name)
    right = at.Nullified(**given | {"channels": number})
    assert found.channels == tuple(number if isinstance(number, list) else [number])
    assert np.array_equal(found.predict(tokens), right.predict(tokens))
    assert not np.array_equal(found.predict(tokens), wide.predict(tokens))


@case
def a_layer_that_is_misspelled(_folder: Path) -> Any:
    nn = pytest.importorskip("torch").nn
    made = layered(nn.Conv1d(4, 1, 5), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    text = refusal(at.filters, made, "O", SITED)
    assert "?;" not in text
    listed = cure_in(text, r"[Ii]t has (.*)$").split(", ")
    return at.filters(made, eval(listed[0]), SITED).sizes["motif_position"] == 5


@case.each
def test_the_cure_of_a_map_is_applied_and_succeeds(case, tmp_path):
    assert np.all(case(tmp_path))
