"""The bench: a library to order, its virtual trial, plans, and counts that came back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from causalgia.analysis import Analysis, analysis_in_attrs
from causalgia.attributes import about, attributes
from causalgia.choices import requested_parts
from causalgia.cli.folder import (
    EVERY_ROW,
    NOTED,
    check_free,
    of_outcomes,
    write_text,
    written_whole,
)
from causalgia.cli.output import echo, record, records
from causalgia.cli.shell import (
    All,
    Device,
    Force,
    Notes,
    Sentences,
    Whole,
    options_of,
)
from causalgia.cli.tables import (
    effects_frame,
    effects_text,
    print_parts,
    print_written,
    terminal_width,
)
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    printable,
    quoted,
)
from causalgia.inputs import from_column, to_csv
from causalgia.mpra.counts.noise import NoiseModel
from causalgia.results_folder import (
    ACTIVITY,
    ANSWER,
    CONCORDANCE,
    DECISIONS,
    ESTIMATES,
    FIT,
    OUTCOMES,
    PAGE,
    TABLE,
    load_outcomes,
    words_of_trial,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_COMPARISON = "comparison.csv"
_PUBLISHED = {"sd_barcode": 0.6, "sd_replicate": 0.15, "tau": 0.5}
_MISSING = ("", "NA", "N/A", "<NA>", "nan", "NaN", "null", "None")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reading:
    """How files of counts are read.

    Parameters
    ----------
    replicates
        Read only these, separated by commas: those of one cell type.
    assignment
        Table of barcodes and their oligos, if the counts do not name oligos; or
        MPRAflow's variants.txt, to be given as --design as well.
    batch
        Table with columns replicate batch: the replicates of a batch (a transfection, a
        day) share noise of each oligo, and are summed.
    drop_unknown
        Leave out oligos that the design lacks.
    """

    replicates: str | None = None
    assignment: Path | None = None
    batch: Path | None = None
    drop_unknown: bool = False

    def read(self, files: Sequence[str], design: Path | None) -> xr.Dataset:
        """Return the counts of some files, FILE, or NAME=FILE of a replicate or condition.

        Raises
        ------
        DataError
            If some are named and some are not, or there is none.
        """
        from causalgia import mpra

        named: dict[str, Any] = {}
        plain = []
        for one in files:
            name, sign, place = one.partition("=")
            if sign and name and place and not Path(one).exists():
                named.setdefault(name, []).append(place)
            else:
                plain.append(one)
        if bool(named) == bool(plain):
            raise DataError(
                "counts are FILE, or NAME=FILE for each; given are "
                f"{', '.join(files) or 'none'}"
            )
        return mpra.read_counts(
            plain or {name: of if of[1:] else of[0] for name, of in named.items()},
            side_table=mpra.read_library(design)
            if design is not None and design.is_dir()
            else design,
            replicates=_names(self.replicates),
            assignment=self.assignment,
            batch=self.batch,
            drop_unknown=self.drop_unknown,
        )


Noise = options_of(
    NoiseModel, *(one.name for one in fields(NoiseModel) if one.name != "plasmid")
)
Verdicts = options_of(Analysis, "error", "ci_prob")


def design(
    spec_file: Path,
    /,
    *,
    out: Path,
    pools: int | None = None,
    bridge: int | None = None,
    force: Force = False,
) -> None:
    """Make the oligo library of a trial, check it, and write the files for the order
    and for the pipeline.

    Example:   causalgia mpra design trial.toml --out library

    Parameters
    ----------
    spec_file
        Trial file with an [mpra] table.
    out
        Output folder; created if missing.
    pools
        Pools over which the elements are dealt, each in a folder of its own; default:
        those of the file.
    bridge
        Elements that every pool has, beside the controls; default: a tenth.
    """
    from causalgia import mpra, report
    from causalgia.mpra.formats.orders import library_files
    from causalgia.trial_file import read_library_spec

    spec = read_library_spec(spec_file)
    dealt = {"pools": pools, "bridge": bridge}
    options = spec.options | {k: n for k, n in dealt.items() if n is not None}
    names = library_files(out)
    check_free(out, *names, force=force)
    library = mpra.library(spec.design, rng=spec.rng, **options)
    library = library.assign_attrs(name=spec.name, analysis=spec.analysis.to_json())
    with written_whole(out, (*names, PAGE)) as new:
        written = mpra.write_library(library, new)
    echo(report(library))
    echo()
    print_written(out, *(str(path.relative_to(new)) for path in written))
    echo(
        f"Next: causalgia mpra predict {quote(str(spec_file))} --design "
        f"{quote(str(out))} --out virtual"
    )


def predict(
    spec_file: Path,
    /,
    *,
    design: Path,
    out: Path,
    flanks: str = ",",
    device: Device = None,
    force: Force = False,
) -> None:
    """Predict exactly the inserts of a library: the virtual counterpart of the measured
    trial.

    Example:   causalgia mpra predict trial.toml --design library --out virtual

    Parameters
    ----------
    spec_file
        Trial file with a [predictor], or a file with this table alone.
    design
        Folder of `mpra design`, or library of an audit, which has the inserts.
    out
        Output folder; created if missing.
    flanks
        Bases around each insert for the predictor: LEFT,RIGHT.
    """
    from causalgia import mpra, store
    from causalgia.cli.options import load_predictor_spec
    from causalgia.trial_file import (
        has_predictor_alone,
        read_predictor_spec,
        read_spec,
    )

    left, comma, right = flanks.partition(",")
    if not comma or "," in right:
        raise DesignError(f"--flanks {quoted(flanks)} must be LEFT,RIGHT")
    spec = None if has_predictor_alone(spec_file) else read_spec(spec_file)
    network = read_predictor_spec(spec_file) if spec is None else spec.predictor
    library = mpra.read_library(design)
    folder = out.absolute()  # a predictor may change the working folder
    check_free(out, *_of_trial(out), force=force)
    outcomes = mpra.virtual_trial(
        library,
        load_predictor_spec(network, spec_file, device),
        flanks=(left.strip(), right.strip()),
    )
    same, words = True, {"predictor": network.describe()}
    if spec is not None:
        same = about(library, None).design_fingerprint == spec.design.fingerprint
        words = spec.attrs if same else words_of_trial(spec)
    name = outcomes.attrs.get("name", design.name) if spec is None else spec.name
    outcomes = outcomes.assign_attrs({"name": name} | words)
    with written_whole(folder, _of_trial(folder)) as new:
        store.save(outcomes, new / OUTCOMES)
    if not same:
        echo(
            f"The library is of another design than {name}: its own arms are predicted."
        )
    echo(f"{name}: {outcomes.sizes['unit']:,} elements of {design} predicted.")
    print_written(out, OUTCOMES)


def power(
    *counts: str,
    true_effect: str = "0.5",
    n_barcodes: str = "5,10,20,50",
    n_replicates: str = "3,4,6",
    n_backgrounds: str | None = None,
    depth: str | None = None,
    alpha: float | None = None,
    q: float | None = None,
    share_true: float | None = None,
    noise: Noise = Noise(),  # type: ignore[valid-type]  # noqa: B008
    design: Path | None = None,
    control: str | None = None,
    arm_names: str | None = None,
    reading: Reading = Reading(),
    all_rows: All = False,
    notes: Notes = False,
) -> None:
    """Find which designs of a grid have the power to find a log2 effect, with their
    standard errors and half widths.

    Noise and losses that are not given are those of the pilot; without one, --depth is
    100, --sd-barcode 0.6, --sd-replicate 0.15 and --tau 0.5, as in published libraries.

    Example:   causalgia mpra power --true-effect 0.5 --n-barcodes 10,20,50

    Example:   causalgia mpra power --true-effect 0.3 --n-backgrounds 12,30,100

    Example:   causalgia mpra power pilot.tsv --design library --control untreated

    Parameters
    ----------
    counts
        Counts of a pilot, whose noise is planned with: FILE, or one for each replicate,
        FILE or NAME=FILE.
    true_effect
        True log2 effects: 0.5 or 0.25,0.5,1.
    n_barcodes
        Barcodes of each oligo.
    n_replicates
        Replicates.
    n_backgrounds
        Backgrounds, for the power of their average effect; default: one element.
    depth
        Mean reads of a barcode in one library.
    alpha
        Error rate of the two-sided test; default: 0.05.
    q
        False discovery rate, instead of --alpha; takes --share-true.
    share_true
        Share of the elements that have the effect, from 0 to 1.
    design
        The pilot's library, or side table.
    control
        The pilot's control arm; default: that of its library.
    arm_names
        Treatments of the pilot that are used, separated by commas; default: all.
    all_rows
        Print more than 20 designs.
    """
    from causalgia import mpra
    from causalgia.tell.plan_answers import power_parts

    given = _given(noise)
    pilot = None
    if counts:
        if design is None:
            raise DataError("the counts of a pilot take --design")
        found = reading.read(counts, design)
        pilot = mpra.components(found, control=control, arm_names=_names(arm_names))
    elif (design, control, arm_names, reading) != (None, None, None, Reading()):
        raise DataError("--design, --control and how counts are read are of a pilot")
    else:
        given = _PUBLISHED | given
        depth = depth or (None if "sd_count" in given else "100")
    found = mpra.power(
        _numbers(true_effect, "--true-effect"),
        n_barcodes=_numbers(n_barcodes, "--n-barcodes"),
        n_replicates=_numbers(n_replicates, "--n-replicates"),
        n_backgrounds=_numbers(n_backgrounds, "--n-backgrounds"),
        depth=_numbers(depth, "--depth"),
        contrast=mpra.PlannedContrast(alpha=alpha, q=q, share_true=share_true),
        noise=NoiseModel(**given),
        pilot=pilot,
    )
    record(power=lambda: records(found))
    requested = requested_parts(notes=notes)
    print_parts(
        power_parts(
            found, requested=requested, every=all_rows, pointer="--all", noted="--notes"
        )
    )


def quality(
    *counts: str,
    design: Path | None = None,
    reading: Reading = Reading(),
    all_rows: All = False,
) -> None:
    """Check counts for six faults: depth, copies, swaps, truncation, jackpots,
    misassigned barcodes.

    Example:   causalgia mpra quality counts.tsv --design library

    Parameters
    ----------
    counts
        Counts of barcodes, or sums of oligos: FILE, or one for each replicate, FILE or
        NAME=FILE.
    design
        Folder of `mpra design`, or the side table: oligo_name element arm group.
        Without it each oligo is an element.
    all_rows
        Print a line for each column and pair.
    """
    from causalgia import mpra
    from causalgia.tell.count_answers import quality_parts

    found = mpra.quality(reading.read(counts, design))
    names = ["check", "where", "value", "threshold", "found", "at"]
    record(quality=lambda: records(found[names].reset_coords(drop=True).to_dataframe()))
    print_parts(quality_parts(found, every=all_rows))


def analyze(
    *counts: str,
    design: Path,
    out: Path = Path("measured"),
    reading: Reading = Reading(),
    control: str | None = None,
    arm_names: str | None = None,
    contrasts: list[str] | None = None,
    method: Literal["hierarchical", "two_way", "additive"] | None = None,
    sd_barcode: float | None = None,
    min_dna: float | None = None,
    min_barcodes: Whole | None = None,
    rope: str | None = None,
    verdicts: Verdicts = Verdicts(),  # type: ignore[valid-type]  # noqa: B008
    force: Force = False,
    all_rows: All = False,
    sentences: Sentences = False,
    notes: Notes = False,
) -> None:
    """Find the elements whose activity each arm changes, and the average change, from
    barcode counts; of several conditions, how each differs from the first.

    Writes answer.txt, which is the report, effects.tsv, a row for each effect,
    decisions.nc, fit.nc, outcomes.nc (of one condition, where elements have every arm)
    and report.html.

    Example:   causalgia mpra analyze counts.tsv --design library

    Example:   causalgia mpra analyze rep1.tsv rep2.tsv --design arms.tsv --control WT

    Example:   causalgia mpra analyze rest=A.tsv stim=B.tsv --design arms.tsv

    Example:   causalgia mpra analyze counts.tsv --design library --contrasts "(AB - A) - (B - none)"

    Parameters
    ----------
    counts
        Counts of barcodes, or sums of oligos: FILE, or one for each replicate, FILE or
        NAME=FILE; or for each condition (cell type, treatment), NAME=FILE.
    design
        Folder of `mpra design`, or the side table: oligo_name element arm group.
    out
        Output folder; created if missing.
    control
        Arm subtracted from every other arm; default: the library's.
    arm_names
        Treatments, separated by commas; default: all. A name with a comma stands in
        quotation marks.
    contrasts
        Instead of --control: a contrast of arms, '(AB - A) - (B - none)'; may be
        repeated.
    method
        How effects are fitted; default: additive where barcodes carry several variants,
        else hierarchical.
    sd_barcode
        Of one sum an oligo, with n_bc: sd of log2 between barcodes of an oligo (0.5,
        say), so that errors are those of other barcodes.
    min_dna
        Leave out barcodes with fewer DNA reads (mean).
    min_barcodes
        Leave out oligos that have fewer barcodes; default: 1.
    rope
        Region of practical equivalence on log2: -0.1,0.1 (or --rope -0.1 0.1), or 0 for
        direction alone; default: 0.
    all_rows
        Print a line for each element.
    """
    from causalgia import contrast, decide, estimate, mpra, store
    from causalgia.cli.report_command import page_parts
    from causalgia.effects.contrast_weights import weights_as_given
    from causalgia.mpra.counts._activity import parallel_oligos
    from causalgia.mpra.counts.variant_haplotypes import arms_compared
    from causalgia.ropes import Rope
    from causalgia.tell.bench_answers import fit_question, measured_parts
    from causalgia.tell.count_answers import parallel_parts
    from causalgia.tell.html_page import write_page

    region = Rope.parse(rope or "0", fixed=True)
    judged = _given(verdicts)
    level = {name: judged[name] for name in ("ci_prob",) if name in judged}
    check_free(out, *_of_trial(out), force=force)
    found = reading.read(counts, design)
    arms = _names(arm_names)
    known = arms_compared(found)
    weights = weights_as_given(contrasts, known) if contrasts else None
    how = {"method": method, "sd_barcode": sd_barcode}
    asked: dict[str, Any] = {"arm_names": arms, "contrasts": weights, **how}
    least: dict[str, Any] = {"min_dna": min_dna, "min_barcodes": min_barcodes}
    saved: dict[str, xr.Dataset] = {}
    fitted, lacking = None, ""
    if "condition" in found.coords:
        _refuse(asked | least, "several conditions")
        before = str(found["condition"].values[0])
        fitted = mpra.conditions(found, control=before, arm_control=control, **level)
    else:
        least["min_barcodes"] = 1 if min_barcodes is None else min_barcodes
        found = mpra.filter(found, **least)
        plan = analysis_in_attrs(found.attrs)
        if control or weights:
            plan = Analysis(control=control, contrasts=weights)
        of_arms = [arm for row in (weights or {}).values() for arm in row]
        if arms and plan.control:
            of_arms = [str(plan.control), *arms]
        used = [*dict.fromkeys(of_arms)] or None
        if parallel_oligos(found, used) is None:
            fitted = mpra.fit(found, control=control, **asked, **level)
            of_fit = {*fitted["arm"].to_numpy().tolist()}
            compared = [arm for arm in known if arm in of_fit]
            used = None if "variant" in found.coords else compared
        try:
            outcomes = mpra.outcomes(found, arm_names=used)
        except DataError as error:
            if fitted is None:
                raise
            lacking = str(error)
        else:
            if outcomes.sizes.get("model", 1) > 1:
                plan = replace(plan, target="population x replicates")
            saved[OUTCOMES] = outcomes = outcomes.assign_attrs(
                attributes(analysis=plan.to_json(), rng="0")
            )
    if fitted is None:
        beside = how | {"rope": rope, "error": judged.get("error")}
        _refuse(beside, "a parallel library, one arm an element")
        result = saved[ESTIMATES] = estimate(contrast(outcomes), **level)
    else:
        result = decide(fitted, rope=region, **judged)

    def answer(**shown: Any) -> Any:
        if fitted is None:
            return parallel_parts(result, found, **shown)
        return measured_parts(fitted, result, found, **shown)

    if fitted is not None:
        said = "\n".join(answer().sentences)
        result = result.assign_attrs(answer=said, question=fit_question(fitted))
        saved |= {FIT: fitted, DECISIONS: result}
    in_file = answer(every=EVERY_ROW, noted=NOTED).text()
    with written_whole(out, _of_trial(out)) as new:
        for name, one in saved.items():
            store.save(one, new / name)
        write_text(new / ANSWER, printable(in_file).rstrip("\n") + "\n")
        write_text(new / TABLE, effects_text(result))
        write_page(new / PAGE, page_parts(new))
    record(effects=lambda: records(effects_frame(result, all_columns=True)))
    print_parts(
        answer(
            rows="all" if all_rows else "summary",
            requested=requested_parts(sentences=sentences, notes=notes),
            width=terminal_width(),
            every="--all",
            noted="--notes",
        )
    )
    print_written(out, *saved, ANSWER, TABLE, PAGE)
    if lacking:
        echo(f"{OUTCOMES}, for averages over elements, is not written: {lacking}.")


def activity(
    *counts: str,
    design: Path | None = None,
    out: Path | None = None,
    reading: Reading = Reading(),
    above: float | None = None,
    negative: str = "negative",
    q: float = 0.05,
    force: Force = False,
    all_rows: All = False,
    notes: Notes = False,
) -> None:
    """Estimate the activity of each oligo, and find those above a quantile of the
    negative controls.

    Writes activity.tsv, a row for each oligo, with --out.

    Example:   causalgia mpra activity counts.tsv --design library

    Example:   causalgia mpra activity counts.tsv --design arms.tsv --above 0.95 --out active

    Parameters
    ----------
    counts
        Counts of barcodes, or sums of oligos: FILE, or one for each replicate, FILE or
        NAME=FILE.
    design
        Folder of `mpra design`, or the side table: oligo_name element arm group.
        Without it each oligo is an element.
    out
        Folder for the table of all oligos; created if missing.
    above
        Quantile of the negative controls; default: 0.975.
    negative
        Group of the negative controls.
    q
        False discovery rate of active oligos.
    all_rows
        Print a line for each oligo.
    """
    from causalgia import mpra
    from causalgia.tell.activity_answers import activity_parts, activity_table

    if out is not None:
        check_free(out, ACTIVITY, force=force)
    found = mpra.activity(
        reading.read(counts, design),
        above=0.975 if above is None else above,
        negative=negative,
    )
    if above is not None and "p" not in found:
        raise DataError(
            f"--above {above:g} is a quantile of the negative controls, and no oligo is "
            f"of the group {quoted(negative)}"
        )
    table = activity_table(found)
    requested = requested_parts(notes=notes)
    parts = activity_parts(
        found,
        q=q,
        every_row=all_rows,
        requested=requested,
        every="--all",
        noted="--notes",
    )
    if out is not None:
        with written_whole(out) as new:
            write_text(new / ACTIVITY, to_csv(table, index=False, tabs=True))
    record(activity=lambda: records(table))
    print_parts(parts)
    if out is not None:
        print_written(out, ACTIVITY)


def compare(
    virtual: Path,
    measured: Path,
    /,
    *,
    task: str | None = None,
    contrast: list[str] | None = None,
    out: Path | None = None,
    notes: Notes = False,
) -> None:
    """Compare virtual with measured effects: correlation, slope (corrected for noise in
    both), discordant elements.

    Example:   causalgia mpra compare virtual measured --out compared

    Parameters
    ----------
    virtual
        Folder with outcomes, or a table with columns element effect se.
    measured
        Folder of `mpra analyze`, or a table with columns element effect se.
    task
        Task that was measured, if the predictor has several.
    contrast
        A measured contrast to compare; may be repeated. Default: all.
    out
        Folder for table and figures; created if missing.
    """
    from causalgia import mpra, plot, store
    from causalgia.tell.bench_answers import concordance_parts
    from causalgia.tell.figures.style import save_figure

    if virtual.resolve() == measured.resolve():
        raise DataError(f"{virtual} is given for both trials")
    if out is not None:
        check_free(out)
    of_bench = read_effects(measured)
    found = mpra.concordance(
        read_effects(virtual, of_bench),
        of_bench,
        pairs={name: name for name in contrast} if contrast else None,
        task=task,
    )
    by_element, by_contrast = (
        found[[name for name, v in found.data_vars.items() if {*v.dims} == dims]]
        for dims in ({"element", "contrast"}, {"contrast"})
    )
    figures = [
        f"concordance_{i + 1}.png" if i else "concordance.png"
        for i in range(found.sizes["contrast"])
    ]
    files = (_COMPARISON, CONCORDANCE, *figures)
    if out is not None:
        with written_whole(out, _of_comparison(out)) as new:
            write_text(new / _COMPARISON, to_csv(by_element.to_dataframe()))
            store.save(found, new / CONCORDANCE)
            for i, name in enumerate(figures):
                save_figure(plot.scatter(found.isel(contrast=[i])), new / name)
    record(
        comparison=lambda: records(by_contrast), elements=lambda: records(by_element)
    )
    requested = requested_parts(notes=notes)
    print_parts(concordance_parts(found, requested=requested, noted="--notes"))
    if out is not None:
        print_written(out, *files)


def read_effects(
    place: Path, measured: xr.Dataset | pd.DataFrame | None = None
) -> xr.Dataset | pd.DataFrame:
    """Return effects to compare: those of a fit in a folder, of a table, or for the
    `measured` ones those of outcomes, in the same contrasts.

    A folder of `mpra analyze` has both the fit and activities of units. Differences of
    these are noisy and have no standard errors, so that slopes on them shrink; the
    effects of the fit, with their errors, are the side to compare.
    """
    import xarray as xr

    from causalgia import contrast, store

    if not place.is_dir():
        return read_table(place)
    if measured is None or (place / FIT).is_file():
        if not (place / FIT).is_file():
            raise DataError(f"{place} holds no {FIT}")
        return store.read_netcdf(place / FIT)
    outcomes = load_outcomes(place)
    if not isinstance(measured, xr.Dataset):
        return contrast(outcomes)
    rows = measured["weight"].transpose("contrast", "arm").to_pandas()
    weights = {str(name): row[row != 0].to_dict() for name, row in rows.iterrows()}
    return contrast(outcomes, contrasts=weights)  # type: ignore[arg-type]


def read_table(path: Path, text: str | None = None) -> pd.DataFrame:
    """Return a table of effects, in which names are text: NA is a name."""
    import pandas as pd

    from causalgia.estimation.effect_columns import COLUMN_NAMES
    from causalgia.mpra.counts.count_tables import read_frame

    table = read_frame(path, text).cells
    table.columns = table.columns.map(str)
    kinds = ("effect", "se", "variance", "df", "lower", "upper", "level")
    known = {name for kind in kinds for name in COLUMN_NAMES[kind]}
    for name in [one for one in table if one in known | {"p", "q"}]:
        cells = table[name].where(~table[name].isin(_MISSING))
        table[name] = pd.to_numeric(cells, errors="coerce")
        if (wrong := cells.notna() & table[name].isna()).any():
            raise DataError(
                f"{path}, line {cells.index[wrong][0]}: {name} "
                f"{quoted(cells[wrong].iloc[0])} is no number"
            )
    for name in {*COLUMN_NAMES["statistic"], *COLUMN_NAMES["p"]} - {"p"}:
        if name not in table:
            continue
        table[name] = pd.to_numeric(table[name], errors="coerce")  # "<2e-16" is none
    return table.apply(from_column)


def _of_trial(folder: Path) -> tuple[str, ...]:
    return OUTCOMES, FIT, *of_outcomes(folder)


def _of_comparison(folder: Path) -> list[str]:
    return [PAGE, *(path.name for path in folder.glob("concordance*.png"))]


def _refuse(options: dict[str, Any], what: str) -> None:
    """Raise EstimateError where an option is given."""
    for name, value in options.items():
        if value is not None:
            raise EstimateError(f"--{name.replace('_', '-')} does not go with {what}")


def _given(options: object) -> dict[str, Any]:
    return {name: x for name, x in vars(options).items() if x is not None}


def _names(text: str | None) -> list[str] | None:
    """Return names between commas; quotation marks keep a comma in a name."""
    return None if text is None else next(csv.reader([text], skipinitialspace=True))


def _numbers(text: str | None, option: str) -> Any:
    """Return one number, or a list of numbers separated by commas."""
    if text is None:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise DataError(
            f"{option} {quoted(text)} must be a number, or several: 5,10,20"
        ) from None
    return found[0] if len(found) == 1 else found
