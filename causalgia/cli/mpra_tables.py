"""Input and output of the MPRA commands: options, folders, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from causalgia.attributes import About, about
from causalgia.cli.folder import check_usable
from causalgia.cli.option_groups import OptionGroup
from causalgia.cli.output import echo
from causalgia.cli.tables import terminal_width
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    comma_list,
    quoted,
)
from causalgia.inputs import from_column, read_text
from causalgia.results_folder import FIT, load_outcomes

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from causalgia.analysis import Analysis
    from causalgia.mpra import NoiseModel
    from causalgia.tell.answers import AnswerParts
    from causalgia.trial_file import TrialSpec

_PUBLISHED = {"sd_barcode": 0.6, "sd_replicate": 0.15, "tau": 0.5}
COMPARISON = "comparison.csv"
_MISSING = ("", "NA", "N/A", "<NA>", "nan", "NaN", "null", "None")


def parse_numbers(text: str, option: str) -> list[float] | float:
    """Return one number, or a list of numbers separated by commas."""
    parts = text.replace(",", " ").split()
    try:
        found = [float(part) for part in parts]
    except ValueError:
        found = []
    if not found:
        raise DataError(
            f"{option} {quoted(text)} must be a number, or several: 5,10,20"
        )
    return found[0] if len(found) == 1 else found


def parse_flanks(text: str | None) -> tuple[str, str]:
    """Return the left and right flanks of an insert."""
    parts = (text or ",").split(",")
    if len(parts) != 2:
        raise DesignError(f"--flanks {quoted(text)} must be LEFT,RIGHT")
    return parts[0].strip(), parts[1].strip()


def virtual_attrs(spec: TrialSpec, library: xr.Dataset) -> dict[str, str]:
    """Return the attrs of virtual outcomes; with the trial's analysis only if the
    library is of its design.
    """
    attrs = spec.attrs
    if about(library, None).design_fingerprint == spec.design.fingerprint:
        return attrs
    echo(
        f"The library is of another design than {spec.name}: its own arms are "
        "predicted."
    )
    del attrs[About.analysis.name]
    return attrs | {
        name: str(library.attrs[name])
        for name in ("analysis",)
        if name in library.attrs
    }


def read_library_or_side_table(place: Path) -> Path | xr.Dataset:
    """Return the library in a folder, or the path of a side table."""
    from causalgia import mpra

    return mpra.read_library(place) if place.is_dir() else place


@dataclass(frozen=True)
class CountsQuestion:
    """Contrasts of counts: every arm (or `arms`) against `control`, or weights of arms
    by contrast.
    """

    control: str | None = None
    arm_names: list[str] | None = None
    contrasts: dict[str, dict[str, float]] | None = None

    @property
    def used(self) -> list[str] | None:
        """The arms in the contrasts; None: all."""
        if self.contrasts is not None:
            return list(
                dict.fromkeys(arm for row in self.contrasts.values() for arm in row)
            )
        return None if self.arm_names is None else [str(self.control), *self.arm_names]

    @property
    def contrast(self) -> dict[str, Any]:
        """Arguments of `causalgia.contrast`."""
        return (
            {"control": self.control}
            if self.contrasts is None
            else {"contrasts": self.contrasts}
        )


def counts_question(
    side: Path | xr.Dataset,
    counts: xr.Dataset,
    *,
    control: str | None,
    arms: str | None,
    contrasts: list[str] | None,
) -> CountsQuestion:
    """Return the contrasts of the command line, else those of the trial that the
    library was made of.

    Raises
    ------
    EstimateError
        If there is none, or two are given.
    """
    from causalgia.effects.contrast_weights import as_control, requested_weights
    from causalgia.mpra.counts.variant_haplotypes import arms_compared

    known = arms_compared(counts)
    if contrasts:
        if control is not None or arms is not None:
            raise EstimateError(
                "--contrasts names the arms itself, beside --control or --arms"
            )
        return CountsQuestion(
            contrasts=requested_weights(counts, known, None, contrasts, None)
        )
    if control is None and not isinstance(side, Path):
        analysis, factors = _library_question(side)
        if arms is None and (
            analysis.contrasts is not None or analysis.interaction is not None
        ):
            of_design = (
                factors["arm"].to_numpy().astype(str).tolist()
                if "arm" in factors
                else known
            )
            return CountsQuestion(
                contrasts=requested_weights(
                    factors,
                    of_design,
                    None,
                    dict(analysis.weights_by_contrast) or None,
                    analysis.interaction,
                )
            )
        control = None if analysis.control is None else str(analysis.control)
    if control is None:
        raise EstimateError(
            f"--control is not given, and the library has none; the arms are "
            f"{comma_list(known)}"
        )
    control = as_control(control, known)
    if arms is None and "variant" in counts.coords:
        return CountsQuestion(control)
    if arms is None:
        return CountsQuestion(control, _arms_beside_control(counts, known, control))
    given = [arm for arm in split_names(arms, known) or [] if arm != control]
    _check_arms("--arms", given, known)
    return CountsQuestion(control, given)


def _check_arms(option: str, given: list[str], known: list[str]) -> None:
    from causalgia.checks import check_arm

    for arm in given:
        check_arm(arm, known, option)


def _arms_beside_control(
    counts: xr.Dataset, arms: list[str], control: str
) -> list[str] | None:
    """Return the arms that share an element with the control; None if all do."""
    import pandas as pd

    from causalgia.mpra.counts.counts_table import CONTROLS

    names = ("element", "arm", "group")
    rows = pd.DataFrame(
        {name: counts[name].to_numpy().astype(str) for name in names}
    ).drop_duplicates(names[:2])
    controlled = set(rows.loc[rows["arm"] == control, "element"])
    found = {
        str(arm)
        for arm, of in rows.groupby("arm")["element"]
        if not controlled.isdisjoint(of)
    }
    beside = [arm for arm in arms if arm in found and arm != control]
    if (
        not beside
        and rows.loc[~rows["group"].isin(CONTROLS), "element"].duplicated().any()
    ):
        raise EstimateError(
            f"--control: no element has {quoted(control)} and another arm beside it"
        )
    return beside if 0 < len(beside) < len(arms) - 1 else None


def _library_question(library: xr.Dataset) -> tuple[Analysis, xr.Dataset]:
    """Return the analysis stored with a library (or the contrasts of its design), and
    the factors of the arms.
    """
    import xarray as xr

    from causalgia.analysis import analysis_in_attrs
    from causalgia.mpra.comparisons._virtual_trial import design_arms
    from causalgia.notes import design_question
    from causalgia.trial.attributes import arm_coordinates

    analysis = analysis_in_attrs(library.attrs).asking(design_question(library))
    return analysis, xr.Dataset(coords=arm_coordinates(design_arms(library)))


def count_files(
    given: Sequence[Path], conditions: Sequence[str] = ()
) -> Path | list[Path] | dict[str, Path | list[Path]]:
    """Return the counts that arguments ``FILE`` or ``NAME=FILE`` name, and those of
    conditions, ``CONDITION=FILE``.

    Raises
    ------
    DataError
        If some are named and some are not, or there is none.

    Examples
    --------
    >>> count_files([Path("A=x/1.tsv")], ["stim=2.tsv", "stim=3.tsv"])["stim"]
    [PosixPath('2.tsv'), PosixPath('3.tsv')]
    >>> len(count_files([Path("K562_1_counts.tsv"), Path("K562_2_counts.tsv")]))
    2
    """
    named: dict[str, list[Path]] = {}
    plain = []
    for one in (*map(str, given), *conditions):
        name, sign, place = one.partition("=")
        if sign and name and place and not Path(one).exists():
            named.setdefault(name, []).append(Path(place))
        else:
            plain.append(Path(one))
    if bool(named) == bool(plain):
        raise DataError(
            "counts are COUNTS.TSV, or NAME=FILE for each; given are "
            f"{comma_list([*map(str, given), *conditions]) or 'none'}"
        )
    if named:
        return {name: of if len(of) > 1 else of[0] for name, of in named.items()}
    return plain if len(plain) > 1 else plain[0]


def split_names(text: str | None, known: Iterable[str] = ()) -> list[str] | None:
    """Return names separated by commas; known names may hold commas themselves.

    Examples
    --------
    >>> split_names("GATA1, core broken, CTCF", ["GATA1", "GATA1, core broken", "CTCF"])
    ['GATA1, core broken', 'CTCF']
    """
    if text is None:
        return None
    given = [name.strip() for name in text.split(",") if name.strip()]
    with_commas = {name for name in known if "," in name}
    names = []
    while given:
        n = next(
            (
                n
                for n in range(len(given), 1, -1)
                if ", ".join(given[:n]) in with_commas
            ),
            1,
        )
        names.append(", ".join(given[:n]))
        given = given[n:]
    return names


@dataclass(frozen=True, kw_only=True)
class NoiseOptions(OptionGroup):
    """Options of the noise that a library is planned for."""

    sd_barcode: Annotated[
        float | None,
        typer.Option(
            metavar="SD",
            help="sd of log2 between barcodes of an oligo; default: the pilot's, or 0.6.",
        ),
    ] = None
    sd_replicate: Annotated[
        float | None,
        typer.Option(
            metavar="SD",
            help="sd between replicates of an oligo; default: the pilot's, or 0.15.",
        ),
    ] = None
    tau: Annotated[
        float | None,
        typer.Option(
            metavar="SD",
            help="sd of the effect between backgrounds; default: the pilot's, or 0.5.",
        ),
    ] = None
    recovery: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the planned barcodes that remains; default: the pilot's, or 1.",
        ),
    ] = None
    missing: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of barcodes missing from a replicate; default: the pilot's, or 0.",
        ),
    ] = None
    p_silent: Annotated[
        float | None,
        typer.Option(
            "--silent",
            metavar="SHARE",
            help="Share of barcodes without RNA in a replicate, whatever their depth.",
        ),
    ] = None
    outliers: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of barcodes whose activity has a further sd of 2.",
        ),
    ] = None
    sd_shared: Annotated[
        float | None,
        typer.Option(
            "--shared-error",
            metavar="SD",
            help="sd of an arm between replicates, shared by its elements; default: the "
            "pilot's, or 0.",
        ),
    ] = None
    barcode_dispersion: Annotated[
        float | None,
        typer.Option(
            "--random-barcodes",
            metavar="DISPERSION",
            help=(
                "Barcodes are random: their numbers vary between oligos, variance m + "
                "DISPERSION m^2, 0 for Poisson; default: synthesized, as many as planned."
            ),
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PilotOptions(OptionGroup):
    """Options of a pilot: its files of counts, how they are read, and its arms."""

    pilot: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Counts of a pilot, from which the noise is estimated; needs --design. May "
                "be repeated: a file for each replicate, FILE or REPLICATE=FILE."
            ),
        ),
    ] = None
    library_folder: Annotated[
        Path | None,
        typer.Option(
            "--design", metavar="LIB", help="The pilot's library, or side table."
        ),
    ] = None
    control: Annotated[
        str | None, typer.Option(metavar="ARM", help="The pilot's control arm.")
    ] = None
    pilot_arms: Annotated[
        str | None,
        typer.Option(
            metavar="ARM,...",
            help="Treatments of the pilot that are used, separated by commas; default: all.",
        ),
    ] = None
    pilot_replicates: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help=(
                "Read only these replicates of the pilot, separated by commas: those of "
                "one cell type."
            ),
        ),
    ] = None
    pilot_assignment: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table of the pilot's barcodes and their oligos, if its counts do not "
            "name oligos.",
        ),
    ] = None
    pilot_conditions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Table that says of each column of the pilot whether it is DNA, or its "
            "cell type (MPRAmodel).",
        ),
    ] = None
    pilot_drop_unknown: Annotated[
        bool,
        typer.Option(
            "--pilot-drop-unknown",
            help="Leave out oligos that the pilot's design lacks.",
        ),
    ] = False


CountsArgument: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="COUNTS.TSV",
        help=(
            "Counts of barcodes, or sums of oligos, in the format of a pipeline; or "
            "a file for each replicate, FILE or REPLICATE=FILE."
        ),
    ),
]


@dataclass(frozen=True, kw_only=True)
class CountsOptions(OptionGroup):
    """How files of counts are read."""

    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help=(
                "Counts of a condition (cell type, treatment), in place of COUNTS.TSV; "
                "may be repeated."
            ),
        ),
    ] = None
    replicates: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help=(
                "Read only these replicates, separated by commas: those of one cell "
                "type."
            ),
        ),
    ] = None
    assignment: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Table of barcodes and their oligos, if the counts do not name oligos; "
                "or MPRAflow's variants.txt, to be given as --design as well."
            ),
        ),
    ] = None
    conditions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Table that says of each column whether it is DNA, or its cell type, "
                "if names do not show it (MPRAmodel)."
            ),
        ),
    ] = None
    drop_unknown: Annotated[
        bool,
        typer.Option("--drop-unknown", help="Leave out oligos that the design lacks."),
    ] = False

    def read(
        self,
        files: Sequence[Path] | None,
        side_table: xr.Dataset | pd.DataFrame | Path,
    ) -> xr.Dataset:
        """Return the counts of some files, of the oligos of a library or side table."""
        from causalgia import mpra

        return mpra.read_counts(
            count_files(files or (), self.condition or ()),
            side_table=side_table,
            replicates=split_names(self.replicates),
            assignment=self.assignment,
            conditions=self.conditions,
            drop_unknown=self.drop_unknown,
        )


def planning_noise(
    planned: NoiseOptions, options: PilotOptions
) -> tuple[NoiseModel, xr.Dataset | None]:
    """Return the noise of the options, and the components of a pilot if its counts are
    given.

    Without a pilot, noise that no option gives is that of published libraries.
    """
    from causalgia import mpra

    given = {name: value for name, value in vars(planned).items() if value is not None}
    if not options.pilot:
        of_pilot = {
            "--pilot-replicates": options.pilot_replicates,
            "--pilot-arms": options.pilot_arms,
            "--pilot-assignment": options.pilot_assignment,
            "--pilot-conditions": options.pilot_conditions,
            "--pilot-drop-unknown": options.pilot_drop_unknown or None,
            "--control": options.control,
            "--design": options.library_folder,
        }
        for option, given_for in of_pilot.items():
            if given_for is not None:
                raise DataError(f"{option} is about a pilot, and --pilot is not given")
        return mpra.NoiseModel(**(_PUBLISHED | given)), None
    if options.library_folder is None or options.control is None:
        raise DataError("--pilot takes --design and --control")
    side = read_library_or_side_table(options.library_folder)
    reading = CountsOptions(
        replicates=options.pilot_replicates,
        assignment=options.pilot_assignment,
        conditions=options.pilot_conditions,
        drop_unknown=options.pilot_drop_unknown,
    )
    counts = reading.read(options.pilot, side)
    known = list(dict.fromkeys(counts["arm"].to_numpy().astype(str).tolist()))
    chosen = split_names(options.pilot_arms, known)
    _check_arms("--pilot-arms", chosen or [], known)
    found = mpra.components(counts, control=options.control, arm_names=chosen)
    return mpra.NoiseModel(**given), found


def check_files_free(folder: Path, force: bool, *names: str) -> None:
    """Raise if files would be overwritten or the folder is not writable."""
    check_usable(folder)
    for name in names:
        if (folder / name).exists() and not force:
            raise DataError(f"{folder / name} exists already; --force writes over it")


def concordance_figures(found: xr.Dataset) -> tuple[str, ...]:
    """Return the names of the figures of `draw_concordance`, one for each contrast."""
    return tuple(
        f"concordance_{i}.png" if i > 1 else "concordance.png"
        for i in range(1, found.sizes["contrast"] + 1)
    )


def draw_concordance(found: xr.Dataset, folder: Path) -> None:
    """Draw measured against virtual effects, one figure per contrast."""
    from causalgia import plot
    from causalgia.tell.figures.style import save_figure

    for at, name in enumerate(concordance_figures(found)):
        save_figure(plot.scatter(found.isel(contrast=[at])), folder / name)


def effects_table(fitted: xr.Dataset, decisions: xr.Dataset) -> pd.DataFrame:
    """Return a table by element and contrast: group of the element, effect, error, p,
    and the verdict with its q, beside the hierarchical size.
    """
    import pandas as pd

    from causalgia.tell.effect_rows import rows_of

    decided = pd.DataFrame([dict(row) for row in rows_of(decisions)])
    beside = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr")
    own = ("verdict", "p_verdict", "q", *beside)
    decided = decided[[c for c in ("contrast", "task", *own) if c in decided]]
    rows = [dict(row) for row in rows_of(fitted.drop_vars("q", errors="ignore"))]
    table = pd.DataFrame(rows).merge(decided, on=["contrast", "task"])
    table = table.drop(
        columns=[c for c in ("do", "is_placebo", "is_helper") if c in table]
    )
    table = table.rename(columns={"contrast": "element", "task": "contrast"})
    groups = dict(
        zip(
            *(fitted[name].to_numpy().astype(str) for name in ("element", "group")),
            strict=True,
        )
    )
    table.insert(1, "group", [groups[element] for element in table["element"]])
    return table


def measured_answer(
    fitted: xr.Dataset,
    decisions: xr.Dataset,
    counts: xr.Dataset,
    requested: Sequence[str],
    *,
    every_row: bool = False,
    every: str = "--all",
    noted: str = "--notes",
) -> AnswerParts:
    """Return the answer on the elements of a crossover."""
    from causalgia.mpra.text_reports import measured_parts

    return measured_parts(
        fitted,
        decisions,
        counts,
        rows="all" if every_row else "summary",
        requested=requested,
        width=terminal_width(),
        every=every,
        noted=noted,
    )


def parallel_answer(
    estimates: xr.Dataset,
    counts: xr.Dataset,
    requested: Sequence[str],
    *,
    every_row: bool = False,
    every: str = "--all",
    noted: str = "--notes",
) -> AnswerParts:
    """Return the answer of a parallel library: averages over elements, which have no
    effects of their own.
    """
    from causalgia.tell.answers import answer_parts
    from causalgia.tell.count_answers import counts_in_words

    return answer_parts(
        estimates,
        rows="all" if every_row else "summary",
        requested=requested,
        width=terminal_width(),
        every=every,
        noted=noted,
        foot=[
            "Each element has one arm (a parallel library), so none has an effect of its "
            "own.",
            counts_in_words(counts),
        ],
    )


def _read_effects_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    text = read_text(path, DataError)
    try:
        header = next(line for line in text.split("\n") if line.strip())
        separator = max(",\t; |", key=header.count)
        lines = pd.read_csv(
            StringIO(text),
            sep=separator,
            engine="python",
            dtype=str,
            keep_default_na=False,
            header=None,
        )
    except Exception as error:  # the python engine raises whatever csv does
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    # names are text: no number and no missing value
    table = lines.iloc[1:].set_axis(lines.iloc[0].to_numpy(), axis=1)
    table = table.rename(
        columns={"ace": "effect"} if "effect" not in table.columns else {}
    )
    if not {"element", "effect"} <= set(table.columns):
        has = ", ".join(map(str, table.columns))
        raise DataError(
            f"{path}: has columns {has}; a table of effects has element, effect and se"
        )
    numbers = [
        name for name in ("effect", "se", "df", "p", "q") if name in table.columns
    ]
    used = [
        "element",
        *numbers,
        *(name for name in ("contrast", "parent", "group") if name in table.columns),
    ]
    table = table[used]
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(f"{path}: has the column {quoted(twice)} twice")
    table[numbers] = table[numbers].mask(table[numbers].isin(_MISSING))
    return table.apply(from_column)


def measured_effects(place: Path) -> xr.Dataset | pd.DataFrame:
    """Return measured effects: the fit in a folder, or a table."""
    from causalgia import store

    if not place.is_dir():
        return _read_effects_table(place)
    if not (place / FIT).is_file():
        raise DataError(f"{place} holds no {FIT}")
    return store.read_netcdf(place / FIT)


def virtual_effects(
    place: Path, control: str | None, measured: xr.Dataset | pd.DataFrame
) -> xr.Dataset | pd.DataFrame:
    """Return virtual effects: the measured contrasts of the outcomes in a folder, the
    effects of a fit, or a table.

    A folder of `mpra analyze` has both the fit and activities of units. Differences of
    these are noisy and have no standard errors, so that slopes on them shrink; the
    effects of the fit, with their errors, are the side to compare.
    """
    import xarray as xr

    from causalgia import store
    from causalgia.effects import contrast

    if not place.is_dir():
        if control is not None:
            raise EstimateError(
                f"{place} has effects, whose control is chosen already, and not "
                f"{quoted(control)}"
            )
        return _read_effects_table(place)
    if (place / FIT).is_file():
        fitted = store.read_netcdf(place / FIT)
        if control not in (None, about(fitted, None).control):
            raise EstimateError(
                f"{place} has a fit with the control "
                f"{quoted(about(fitted, 'chosen already').control)}, not "
                f"{quoted(control)}"
            )
        return fitted
    outcomes = load_outcomes(place)
    if control is not None:
        return contrast(outcomes, control=control)
    if not isinstance(measured, xr.Dataset):
        return contrast(outcomes)
    rows = measured["weight"].transpose("contrast", "arm").to_pandas().iterrows()
    weights = {
        str(name): {str(arm): float(w) for arm, w in row.items() if w}
        for name, row in rows
    }
    return contrast(outcomes, contrasts=weights)
