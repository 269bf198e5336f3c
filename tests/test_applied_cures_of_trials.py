"""Errors of `causalgia.trial` and of stores: the cure that each names is taken from its
text and applied to the same call or the same store, and the answer is the right one.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_trial import CALL, ENDS, FIELDS, FRAME, begun, carry_out, in_memory, values
from cures import Cases, arguments, cure_in, cured, number_in, refusal
from foreign_store import origin_of, put_static
from test_applied_cures import ORACLE, STRINGS, answer, design, outcomes, run
from test_archive import damage

import causalgia as cg
from causalgia.errors import CausalgiaError, DamageWarning
from causalgia.trial.archive import Archive, files, layout, open_archive
from causalgia.trial.archive.files import encode_values, read_small_file, seal
from causalgia.trial.archive.layout import CONTROL, Grid
from causalgia.trial.design_notes import overlap_notes

pytestmark = pytest.mark.rotating(6)

case = Cases()
MOVED = r"(move the store away, and run the trial anew)$"


def made_anew(store: Path) -> bool:
    """Move a store away, carry the trial out again, and compare what is read."""
    shutil.move(store, store.with_name("away.zarr"))
    carry_out(store)
    return open_archive(store).load().identical(in_memory())


def stored(folder: Path) -> Path:
    carry_out(folder / "trial.zarr")
    return folder / "trial.zarr"


# ---- stores


@case
def a_store_named_as_a_file(folder: Path) -> Any:
    said = refusal(run, design(), store=folder / "trial.nc")
    name = cure_in(said, r"call it '([\w.]+)' \(shutil.make_archive packs")
    found = run(design(), store=folder / name)
    assert shutil.make_archive(str(folder / "packed"), "zip", folder / name)
    return np.array_equal(found["outcome"], outcomes()["outcome"])


@case
def a_file_that_is_too_long(folder: Path) -> Any:
    store = stored(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_LARGEST_WHOLE_FILE", 10)
        cure_in(refusal(read_small_file, store / "zarr.json"), MOVED)
    return made_anew(store)


@case
def sums_of_another_trial(folder: Path) -> Any:
    store = folder / "trial.zarr"
    given = {"store": store, "keep": "moments"}
    whole = run(design(contrasts="none"), **given).load()
    made = io.BytesIO()
    np.savez(made, thing=np.zeros(3))
    for slot in ("state-0", "state-1"):
        data = b"1\n" + made.getvalue()
        (store / CONTROL / slot).write_bytes(seal(data, origin_of(store)))
    cure_in(refusal(run, design(contrasts="none"), **given), MOVED)
    shutil.move(store, folder / "away.zarr")
    return run(design(contrasts="none"), **given).load().equals(whole)


@case
def sums_over_more_turns_than_there_are(folder: Path) -> Any:
    store = folder / "trial.zarr"
    with begun(store) as archive:
        archive.put_state({"sum": np.ones(2)}, turns=len(ENDS) + 9)
        cure_in(refusal(archive.state), MOVED)
    return made_anew(store)


@case
def a_coordinate_of_dates(folder: Path) -> Any:
    frame = FRAME.assign_coords(when=np.datetime64("2026-01-01"))
    said = refusal(Archive.create, folder / "a.zarr", **CALL | {"frame": frame})
    name = cure_in(said, r"'(\w+)' has dtype .*; make it text or numbers")
    frame[name] = frame[name].astype(str)
    with Archive.create(folder / "a.zarr", **CALL | {"frame": frame}) as archive:
        for turn in range(len(ENDS)):
            archive.put(turn, values(turn))
    return str(open_archive(folder / "a.zarr")[name].item()).startswith("2026-01-01")


@case
def turns_of_unequal_size(folder: Path) -> Any:
    said = refusal(Grid, FIELDS, (4, 8, 11, 15, 17, 30), 2)
    cure_in(said, r"make the plan of (equal turns)$")
    return Grid(FIELDS, (5, 10, 15, 20, 25, 30), 2).n_units == 30


@case
def too_many_files(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_MOST_SLABS", 3)
        said = refusal(Grid, FIELDS, tuple(range(2, 32, 2)), 1)
        cure_in(said, r"make (larger turns), or use fewer models")
        patch.setattr(layout, "_MOST_SLABS", 8)
        return Grid(FIELDS, (15, 30), 1).n_units == 30


@case
def fields_of_other_models(folder: Path) -> Any:
    other = replace(FIELDS[0], name="other", shape=(2, 1, 3))
    said = refusal(Grid, (*FIELDS, other), ENDS, 2)
    n = number_in(said, r"fields of \[(\d+), 3\] models; give all of them the same")
    return Grid((*FIELDS, replace(other, shape=(2, 1, n))), ENDS, 2).models == (
        Grid(FIELDS, ENDS, 2).models
    )


@case
def fields_of_too_many_models(folder: Path) -> Any:
    many = [
        replace(one, shape=(*one.shape[:-1], layout._MOST_SLABS + 1))
        if one.by_model
        else one
        for one in FIELDS
    ]
    said = refusal(Grid, tuple(many), ENDS, 2)
    cure_in(said, r"more than [\d,]+ models; (ask fewer)")
    return Grid(FIELDS, ENDS, 2).models[-1] == 1


@case
def a_static_file_of_another_program(folder: Path) -> Any:
    store = stored(folder)
    put_static(store, "zarr.json", b"[]")
    cure_in(refusal(open_archive, store), MOVED)
    return made_anew(store)


@case
def a_static_file_that_is_damaged(folder: Path) -> Any:
    store = stored(folder)
    damage(store / "arm/zarr.json", "cut")
    cure_in(refusal(open_archive, store), r"(the same cg.run\(\.\.\., store=\)) makes")
    with pytest.warns(DamageWarning):
        carry_out(store)
    return open_archive(store).load().identical(in_memory())


@case
def a_static_file_and_its_copy_that_are_opened(folder: Path) -> Any:
    store = stored(folder)
    damage(store / "arm/zarr.json", "cut")
    damage(store / CONTROL / "copy", "cut")
    cure_in(refusal(open_archive, store), MOVED)
    return made_anew(store)


@case
def a_static_file_and_its_copy_that_are_damaged(folder: Path) -> Any:
    store = stored(folder)
    damage(store / "arm/zarr.json", "cut")
    damage(store / CONTROL / "copy", "cut")
    cure_in(refusal(begun, store), MOVED)
    return made_anew(store)


@case
def a_store_on_another_system(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "fcntl", None)
        found = cured(
            run,
            {"design": design(), "store": folder / "trial.zarr"},
            r"leave out (store)=",
        )
    return np.array_equal(found["outcome"], outcomes()["outcome"])


# ---- designs and analyses of a trial


@case
def a_design_that_cannot_be_read(folder: Path) -> Any:
    from causalgia.trial.attributes import load_design

    broken = outcomes().drop_vars("design", errors="ignore")
    broken = broken.assign_attrs(design="{")
    said = refusal(load_design, broken)
    named = cure_in(said, r"cannot be read .*; give it as (design=)$")
    assert arguments(f"{named}1").keys() == {"design"}
    return load_design(outcomes()).n_units == design().n_units


def factorial(*levels: dict[str, int]) -> cg.Design:
    arms = [
        cg.Arm(
            f"arm {k}",
            cg.Embed("AGATAAG", at=4 + k) if k else cg.Untreated(),
            one,
        )
        for k, one in enumerate(levels)
    ]
    return design(arms=arms)


@case
def a_factor_of_one_level(folder: Path) -> Any:
    analysis = cg.Analysis(interaction=("A", "B"))
    levels: list[dict[str, int]] = [{}, {"A": 1}, {"B": 1}, {"A": 1, "B": 1}]
    said = refusal(run, factorial(*levels), analysis=analysis)
    level = eval(cure_in(said, r"every arm of the factorial, (\{'\w+': \d+\})"))
    filled = [level | {"B": 0} | one for one in levels]
    found = cg.contrast(run(factorial(*filled), analysis=analysis))
    return found.sizes["contrast"] == 1


@case
def covariates_of_a_crossover(folder: Path) -> Any:
    plan = cg.Analysis(control="none", covariates=["gc"])
    said = refusal(run, design(), analysis=plan)
    name = cure_in(said, r"(\w+)= is for assignment=.*: leave it out$")
    plan = replace(plan, **{name: cg.Analysis.__dataclass_fields__[name].default})
    return run(design(), analysis=plan).sizes["unit"] == 60


@case
def covariates_of_a_trial_made_parallel(folder: Path) -> Any:
    plan = cg.Analysis(control="none", covariates=["gc"])
    said = refusal(run, design(), analysis=plan)
    named = cure_in(said, r"is for (assignment='parallel');")
    found = run(design(**arguments(named)), analysis=plan)
    return "arm" not in found["outcome"].dims


@case
def clusters_of_gc(folder: Path) -> Any:
    null = cg.DinucleotideShuffle(of=STRINGS)
    said = refusal(
        run, design(null=null), analysis=cg.Analysis(control="none", cluster="gc")
    )
    cure_in(said, r"give a coordinate of (names) or whole numbers")
    plan = cg.Analysis(control="none", cluster="parent")
    return run(design(null=null), analysis=plan).sizes["unit"] == 60


@case
def parents_of_a_null_without_any(folder: Path) -> Any:
    given = {"design": design(), "predictor": ORACLE}
    said = refusal(overlap_notes, **given, real="parents")
    named = cure_in(said, r"give sequences: (real=\[\.\.\.\])$", {"...": "*STRINGS"})
    found = overlap_notes(**given, **arguments(named, STRINGS=STRINGS))
    return isinstance(found, list)


@case
def more_turns_than_can_be_listed(folder: Path) -> Any:
    from causalgia.trial.turn_plan import plan_turns

    given = {"batch": 1024, "n_tasks": 1}
    said = refusal(plan_turns, design(n_units=10**12), **given)
    most = number_in(said, r"at most ([\d,]+) units; ask for fewer")
    return plan_turns(design(n_units=most), **given).n_units == most


# ---- a store that is continued with another predictor


def continued(folder: Path, kept: str = "outcomes", **given: Any) -> Any:
    """Run a trial, continue its store with another predictor, and go to another path."""
    call = {"design": design(contrasts="none"), "keep": kept}
    store = folder / "trial.zarr"
    run(predictor=given.pop("first", ORACLE), store=store, **call)
    call |= given
    cure = r"give another path as (store=)"
    named = cure_in(refusal(run, store=store, same_answers=True, **call), cure)
    place = arguments(f"{named}folder / 'other.zarr'", folder=folder)
    found = run(**call, **place).load()
    right = run(**call)
    name = "ice_mean" if kept == "moments" else "outcome"
    return np.allclose(found[name], right[name])


def other(change: Callable[[Any], Any], **given: Any) -> cg.FunctionPredictor:
    """Return the network of the cases with changed answers."""
    return cg.FunctionPredictor(
        lambda x: change(answer(x)),
        **{"tasks": ["K562", "HepG2"], "fingerprint": "other"} | given,
    )


@case
def a_predictor_of_other_tasks(folder: Path) -> Any:
    return continued(folder, predictor=other(abs, tasks=["K562", "MCF7"]))


@case
def a_predictor_on_another_scale(folder: Path) -> Any:
    return continued(folder, predictor=other(lambda y: y, scale="count"))


@case
def a_predictor_with_other_answers(folder: Path) -> Any:
    return continued(folder, predictor=other(lambda y: y + 1))


@case
def sums_of_another_predictor(folder: Path) -> Any:
    return continued(folder, "moments", predictor=other(lambda y: y))


# ---- names that cannot be stored


@case
def a_name_of_half_a_letter(folder: Path) -> Any:
    names = np.array(["a", "b\ud800"])
    name = cure_in(refusal(encode_values, names), r"^('.*') holds half .*; rename it$")
    renamed = np.where(names == eval(name), "b", names)
    return len(encode_values(renamed)) > 0


@case
def a_variable_named_as_a_file_of_zarr(folder: Path) -> Any:
    name = cure_in(refusal(layout.node, "zarr.json"), r"as '(.*)'; rename the factor$")
    return layout.node(f"{name} of the arm") == "zarr.json%20of%20the%20arm"


@case
def a_variable_of_half_a_letter(folder: Path) -> Any:
    name = cure_in(refusal(layout.node, "b\ud800"), r"as ('.*'); rename the factor$")
    return layout.node(eval(name)[:-1]) == "b"


@case
def a_screen_without_its_design(folder: Path) -> Any:
    screen = run(design(contrasts="none"))
    bare = screen.drop_vars("design", errors="ignore")
    bare.attrs = {k: v for k, v in bare.attrs.items() if k != "design"}
    given = {"predictor": ORACLE, "select": ["GATA"], "rng": 5}
    named = cure_in(
        refusal(cg.confirm, bare, **given),
        r"give the design of the screen as (design=)",
    )
    place = arguments(f"{named}plan", plan=design(contrasts="none"))
    return "GATA" in cg.confirm(bare, **given, **place)["arm"]


class FailedMachineError(Exception):
    """The machine failed while a predictor worked."""


def failing(x: Any) -> Any:
    if len(x) > 100:
        raise FailedMachineError
    return answer(x).astype(np.float32)


def begun_store(folder: Path, **given: Any) -> Path:
    """Begin a trial whose predictor fails before a block of units is complete."""
    first = cg.FunctionPredictor(
        failing, tasks=["K562", "HepG2"], fingerprint="failing", batch_size=4096
    )
    with pytest.raises((FailedMachineError, CausalgiaError)):
        run(store=folder / "trial.zarr", predictor=first, **given)
    return folder / "trial.zarr"


@case
def a_store_without_a_complete_block(folder: Path) -> Any:
    call = {"design": design(contrasts="none"), "keep": "outcomes"}
    store = begun_store(folder, **call)
    call |= {"predictor": other(lambda y: y.astype(np.float32))}
    text = refusal(run, store=store, same_answers=True, **call)
    assert "no complete block of predictions" in text
    named = cure_in(text, r"give another path as (store=)")
    place = arguments(f"{named}folder / 'other.zarr'", folder=folder)
    return np.allclose(run(**call, **place).load()["outcome"], run(**call)["outcome"])


@case
def a_store_of_shorter_numbers(folder: Path) -> Any:
    call = {"design": design(contrasts="none"), "keep": "outcomes"}
    store = begun_store(folder, **call)
    call |= {"predictor": other(lambda y: y)}
    text = refusal(run, store=store, same_answers=True, **call)
    assert "float32, which cannot hold the predictor's float64" in text
    named = cure_in(text, r"give another path as (store=)")
    place = arguments(f"{named}folder / 'other.zarr'", folder=folder)
    return run(**call, **place)["outcome"].dtype == np.float64


@case
def a_store_of_other_units(folder: Path) -> Any:
    def altered(archive: Archive, turn: int) -> Any:
        values = values_of(archive, turn)
        return values | {"gc": values["gc"] + 0.1}

    values_of = Archive.values_of
    call = {"design": design(contrasts="none"), "keep": "outcomes"}
    store = folder / "trial.zarr"
    run(store=store, predictor=ORACLE, **call)
    call |= {"predictor": other(lambda y: y)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "values_of", altered)
        text = refusal(run, store=store, same_answers=True, **call)
    assert cure_in(text, r"gc of units .* differ; (give another path)$")
    found = run(store=folder / "other.zarr", **call).load()
    return np.allclose(found["outcome"], outcomes()["outcome"])


# ---- plans that do not fit their arms


@case
def blocks_of_a_crossover(folder: Path) -> Any:
    null = cg.DinucleotideShuffle(of=STRINGS)
    given = {"control": "none", "block": "parent"}
    text = refusal(run, design(null=null), analysis=cg.Analysis(**given))
    name = cure_in(text, r"(\w+)= is for assignment='parallel'.*: leave it out$")
    del given[name]
    found = run(design(null=null), analysis=cg.Analysis(**given))
    return found.sizes["unit"] == 60


@case
def a_factorial_of_three_arms(folder: Path) -> Any:
    plan = cg.Analysis(interaction=("left", "right"))
    levels = [{"left": a, "right": b} for a, b in ((0, 0), (0, 1), (1, 0))]

    text = refusal(run, factorial(*levels), analysis=plan)
    n = number_in(text, r"one arm for each combination of levels, 2\^(\d) in all")
    cell = cure_in(text, r"no arm has the levels (.*?);").split(", ")
    levels.append({name: int(x) for name, x in (one.split(" = ") for one in cell)})
    return run(factorial(*levels), analysis=plan).sizes["arm"] == 2**n == len(levels)


@case.each
def test_the_cure_of_a_store_or_a_plan_is_applied_and_succeeds(case, tmp_path):
    assert np.all(case(tmp_path))
