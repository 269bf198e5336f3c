"""Results of an experiment: verdicts, findings beyond single contrasts, as text, and as
files of variants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import product
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.choices import Rows, requested_parts
from causalgia.errors import DataError, quoted
from causalgia.inputs import not_written, to_csv
from causalgia.notes import ReportText, Statement
from causalgia.sequences.variant_files import (
    InfoField,
    Variant,
    annotated_vcf,
    info_name,
)
from causalgia.tell import figures


@dataclass(frozen=True, eq=False)
class Reading:
    """Results beyond single contrasts: derived Datasets, and what answers the question.

    Attributes
    ----------
    datasets
        Name -> Dataset, such as a fitted line, a logo or the posterior of a period.
    states
        The answer in values: a statement for each task.
    further
        What is stated on request.

    Examples
    --------
    >>> import causalgia as cg
    >>> reading = Reading(states=("The period is 10.5 bp.",))
    >>> reading.states, dict(reading.datasets)
    (('The period is 10.5 bp.',), {})
    """

    datasets: Mapping[str, xr.Dataset] = field(default_factory=dict)
    states: tuple[Statement | str, ...] = ()
    further: tuple[Statement | str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Answer:
    """The answer to an experiment's question; printed, it is the answer in sentences
    and the table of contrasts.

    Attributes
    ----------
    question
        The question, in a sentence.
    estimates, decisions
        Every named contrast: ``ace, se, df, p``, and
        ``ace, lower, upper, verdict, ...`` (contrast, task), with the experiment's
        coordinates.
    findings
        Datasets of the results beyond single contrasts, by name.
    states, further
        The answer in values, a statement for each task, and what ``report(notes=True)``
        says besides; as text, `sentences` and `details`.
    motifs
        The motifs that its arms embed, which pictures have in their titles.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.position(
    ...     cg.Uniform(length=60), "AGATAAG", at=[26, 40]
    ... )
    >>> oracle = cg.zoo.oracle("gata1_like")
    >>> answer = experiment.analyze(cg.run(experiment, oracle, rng=0))
    >>> print(answer.sentences[0])
    Task K562: AGATAAG raises the outcome at all 2 places tried, 26 to 40 (+1.04).
    >>> answer.decisions["ace"].dims
    ('contrast', 'task')
    """

    question: str
    estimates: xr.Dataset
    decisions: xr.Dataset
    findings: Mapping[str, xr.Dataset]
    states: tuple[Statement | str, ...]
    further: tuple[Statement | str, ...] = ()
    figure: Callable[[Answer], figures.Axes] | None = None
    motifs: str = ""

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The answer as text: a sentence for each task."""
        from causalgia.tell.statements import said

        return tuple(map(said, self.states))

    @cached_property
    def details(self) -> tuple[str, ...]:
        """Further sentences, which ``report(notes=True)`` prints."""
        from causalgia.tell.statements import said

        return tuple(map(said, self.further))

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        """Return the question, the answer and the table of contrasts, for notebooks."""
        from causalgia.inputs import as_html

        html = self.report()._repr_html_()
        return f"<p><b>{as_html(self.question)}</b></p>\n{html}"

    def report(
        self,
        *,
        rows: Rows = "summary",
        task: str | Sequence[str] | None = None,
        order: str = "size",
        arms: bool = False,
        sentences: bool = False,
        notes: bool = False,
    ) -> ReportText:
        """Return the answer as text: its sentences, on three tasks at most, the table
        of contrasts, and at most three lines under it.

        Parameters
        ----------
        rows, task, order, arms, sentences, notes
            As in `causalgia.report`.
        """
        from causalgia.tell.answers import answer_parts

        requested = requested_parts(arms=arms, sentences=sentences, notes=notes)
        parts = answer_parts(
            self.decisions,
            rows=rows,
            task=task,
            order=order,
            requested=requested,
            answer=self.sentences,
            details=self.details,
        )
        return ReportText(parts.text(), parts.html())

    def __repr__(self) -> str:
        return (
            f"<Answer to {self.question!r}: {self.decisions.sizes['contrast']:,} "
            "contrasts>"
        )

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return [str(task) for task in self.decisions["task"].to_numpy()]

    @property
    def clearest_task(self) -> str:
        """The task with the largest effect; its figure is drawn by default."""
        size = _effect_size(self.decisions)
        return self.tasks[
            int(
                size.max([dim for dim in size.dims if dim != "task"])
                .to_numpy()
                .argmax()
            )
        ]

    def draw(self, *, task: str | Sequence[str] | None = None) -> figures.Axes:
        """Draw the figure of the experiment, of one task; a forest plot of several.

        Parameters
        ----------
        task
            Names or patterns of tasks, such as ``"DNASE:*"``; None: the one with the
            largest effect where the experiment has a figure of its own, else all.

        Raises
        ------
        EstimateError
            If there is no such task.
        """
        from causalgia.effect_table import selected_tasks
        from causalgia.tell.figures import forest

        own = self.figure is not None
        asked = self.clearest_task if task is None and own else task
        chosen = self.tasks if asked is None else selected_tasks(self.tasks, asked)
        titled = {"name": self.motifs, "question": self.question}
        if self.figure is None or len(chosen) > 1:
            return forest(self.decisions.assign_attrs(titled), task=chosen)
        if task is None and len(self.tasks) > 1:
            titled["shown"] = f"the largest effects of {len(self.tasks):,} tasks"
        findings = {
            name: _select_task(dataset, chosen[0])
            for name, dataset in self.findings.items()
        }
        estimates, decisions = (
            _select_task(table, chosen[0]) for table in (self.estimates, self.decisions)
        )
        one = replace(
            self,
            findings=findings,
            estimates=estimates,
            decisions=decisions.assign_attrs(titled),
        )
        return self.figure(one)

    def save(
        self, path: str | Path, *, task: str | Sequence[str] | None = None
    ) -> Path:
        """Save the figure of one task as PNG, PDF or SVG (by the file name).

        Parameters
        ----------
        path
            File to write.
        task
            As in `draw`.

        Raises
        ------
        EstimateError
            If there is no such task.
        DataError
            If the file cannot be written.
        """
        from causalgia.tell.figures.style import save_figure

        return save_figure(self.draw(task=task), path)


def largest_contrasts(table: xr.Dataset, *, most: int = 30, n: int = 20) -> xr.Dataset:
    """Return the contrasts with the largest effects, the largest first; a short table
    is returned unchanged.

    Of what is left out ``attrs["shown"]`` says how much there is;
    `causalgia.plot.forest` puts it into the title.

    Parameters
    ----------
    table
        Estimates or decisions. The size of an effect is its largest distance from no
        effect (0, or 1 for ratios) in any task or model.
    most
        Tables of up to this many contrasts are returned unchanged.
    n
        Contrasts returned of longer tables; fewer, but at least three, where tasks and
        models would give 60 rows.

    Examples
    --------
    >>> import xarray as xr
    >>> names = {"contrast": ["a", "b", "c"], "task": ["K562"]}
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[0.1], [-2.0], [1.0]])}, coords=names
    ... )
    >>> largest_contrasts(table, most=2, n=2)["contrast"].values.tolist()
    ['b', 'c']
    """
    if table.sizes["contrast"] <= most:
        return table
    size = _effect_size(table)
    largest = size.max([dim for dim in size.dims if dim != "contrast"]).to_numpy()
    n = (
        min(n, max(3, 60 * size.sizes["contrast"] // size.size))
        if n < size.sizes["contrast"]
        else n
    )
    pairs = [
        name
        for name, variable in table.variables.items()
        if "contrast_" in variable.dims
    ]
    cut = table.drop_vars(pairs).isel(contrast=np.argsort(-largest, kind="stable")[:n])
    return (
        cut.assign_attrs(shown=f"the {n} largest of {table.sizes['contrast']:,}")
        if n < len(largest)
        else cut
    )


def _effect_size(table: xr.Dataset) -> xr.DataArray:
    """Return the distance of each effect from no effect."""
    return abs(table["ace"] - float(about(table, 0.0).null_value))


def _select_task(dataset: xr.Dataset, task: str) -> xr.Dataset:
    """Return one task of a Dataset, kept as a dim; a Dataset without tasks is returned
    unchanged.
    """
    import xarray as xr

    if (
        not isinstance(dataset, xr.Dataset)
        or "task" not in dataset.dims
        or "task" not in dataset.coords
    ):
        return dataset
    return dataset.isel(
        task=[[str(name) for name in dataset["task"].to_numpy()].index(task)]
    )


def profile_along(
    along: str, *, by: str | None = None
) -> Callable[[Answer], figures.Axes]:
    """Return a function that draws the contrasts of one task along a coordinate, by
    `causalgia.plot.curve`.

    Examples
    --------
    >>> profile_along("copies").keywords
    {'along': 'copies', 'by': None}
    """
    return partial(_draw_profile, along=along, by=by)


def _draw_profile(answer: Answer, *, along: str, by: str | None) -> figures.Axes:
    from causalgia.tell.figures import curve

    return curve(answer.decisions, x=along, by=by)


def mean_over_models(table: xr.Dataset) -> xr.Dataset:
    """Return the mean over the models of an ensemble, with task names that say so.

    Parameters
    ----------
    table
        ``ace (..., task[, model])``; variables that are not floats are dropped. A table
        without models is unchanged.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task", "model"), [[[1.0, 2.0]]])},
    ...     coords={"task": ["K562"]},
    ... )
    >>> (
    ...     mean_over_models(table)["ace"].values.ravel(),
    ...     mean_over_models(table)["task"].values,
    ... )
    (array([1.5]), array(['K562, mean over 2 models'], dtype='<U24'))
    """
    if "model" not in table.dims:
        return table
    names = [
        f"{task}, mean over {table.sizes['model']} models"
        for task in table["task"].to_numpy()
    ]
    floats = [
        name for name, values in table.data_vars.items() if values.dtype.kind == "f"
    ]
    return (
        table[floats].mean("model", keep_attrs=True).assign_coords(task=("task", names))
    )


_INFO_FIELDS: dict[str, tuple[str, Literal["Float", "Integer", "String"], str]] = {
    "effect": ("effect", "Float", "Y(alternate) - Y(reference)"),
    "peak": (
        "peak",
        "Integer",
        "position of the track where the effect is the largest, in bp",
    ),
    "p_matched": ("p", "Float", "rank p among matched null variants"),
    "q_matched": (
        "q",
        "Float",
        "p adjusted by Benjamini-Hochberg over the family of the analysis",
    ),
    "n_matched": ("n", "Integer", "matched null variants of the stratum"),
    "tail_p": (
        "tail_p",
        "Float",
        "p extrapolated by a law of the largest null effects: a model",
    ),
    "tail_by": (
        "tail_by",
        "String",
        "origin of tail_p: rank, tail (the model) or no fit (by rank)",
    ),
    "lfdr_matched": ("lfdr", "Float", "local false discovery rate by two groups"),
    "q": ("q", "Float", "q of the verdict, over all variants and tasks open to it"),
    "verdict": (
        "verdict",
        "String",
        "increases, decreases or undecided; inside of matched variants within, of a "
        "stated region negligible",
    ),
}
_FIRST_COLUMNS = (
    "variant",
    "chromosome",
    "position",
    "reference",
    "alternate",
    "task",
    "model",
)


def variant_frame(answer: Answer) -> pd.DataFrame:
    r"""Return the answer of an experiment on variants as a tidy table: a row for each
    variant, task and model.

    Columns ``variant, task, chromosome, position`` (counted from 1, as in a VCF),
    ``reference, alternate`` and the variables of the finding ``"variants"``.

    Raises
    ------
    DataError
        If the answer is of another experiment.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pathlib, tempfile
    >>> genome = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = genome.write_text(">chr1\n" + "ACGT" * 20 + "AGATAAG" + "ACGT" * 20 + "\n")
    >>> variants = ["chr1:83:A:C", "chr1:102:G:T"]  # the first breaks AGATAAG
    >>> experiment = cg.experiments.variants(variants, genome, length=60)
    >>> oracle = cg.zoo.oracle("gata1_like")
    >>> answer = experiment.analyze(cg.run(experiment, oracle, rng=0))
    >>> variant_frame(answer)[["variant", "task", "position", "effect"]]
            variant   task  position    effect
    0   chr1:83:A:C   K562        83 -1.049750
    1   chr1:83:A:C  HepG2        83 -0.129975
    2  chr1:102:G:T   K562       102  0.000000
    3  chr1:102:G:T  HepG2       102  0.000000
    """
    if "variants" not in answer.findings:
        raise DataError(
            "the answer has no finding 'variants': it is that of "
            "cg.experiments.variants"
        )
    table = answer.findings["variants"]
    frame = table.to_dataframe().reset_index()
    frame["position"] += 1
    named = [name for name in _FIRST_COLUMNS if name in frame]
    return frame[[*named, *(name for name in frame if name not in named)]]


def write_variants(
    answer: Answer,
    path: str | PathLike[str],
    *,
    like: str | PathLike[str] | None = None,
) -> Path:
    r"""Write the answer about variants as a table (``.tsv``, ``.csv``) or as an
    annotated VCF (``.vcf``).

    Parameters
    ----------
    answer
        From ``experiment.analyze`` of `causalgia.experiments.variants`.
    path
        File to write; its ending says what. In a VCF each task has fields such as ``CG_K562_effect``
        and ``CG_K562_q``, one value for each alternate allele, declared in the header.
    like
        For a VCF: the VCF file that the variants were read from, whose lines, columns
        and header are kept.

    Raises
    ------
    DataError
        If the ending is not one of these, the answer has no rows for variants, or the
        file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(
    ...     ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    ... )
    >>> _ = (folder / "two.vcf").write_text(
    ...     "chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n"
    ... )
    >>> experiment = cg.experiments.variants(
    ...     folder / "two.vcf", folder / "genome.fa", length=40
    ... )
    >>> answer = experiment.analyze(
    ...     cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    ... )
    >>> path = cg.experiments.write_variants(
    ...     answer, folder / "found.vcf", like=folder / "two.vcf"
    ... )
    >>> path.read_text().splitlines()[-1].split("\t")[-1]
    'CG_K562_effect=0;CG_K562_verdict=negligible;CG_HepG2_effect=0;CG_HepG2_verdict=negligible'
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in (".tsv", ".csv", ".vcf"):
        raise DataError(
            f"{target}: {quoted(ending)} is not an extension of a file of variants; "
            "say .tsv, .csv or .vcf"
        )
    if like is not None and ending != ".vcf":
        raise DataError(
            f"like={quoted(str(like))} is for a VCF file, and {target} is a table; "
            "leave it out"
        )
    frame = variant_frame(answer)
    if ending == ".vcf":
        text = annotated_vcf(
            _variants_of(answer), _fields(answer.findings["variants"]), like=like
        )
    else:
        text = to_csv(frame, index=False, tabs=ending == ".tsv")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise not_written(target, error, DataError) from error
    return target


def _variants_of(answer: Answer) -> list[Variant]:
    table = answer.findings["variants"]
    columns = (
        table[name].to_numpy().tolist()
        for name in ("chromosome", "position", "reference", "alternate", "variant")
    )
    return [Variant(*row) for row in zip(*columns, strict=True)]


def _fields(table: xr.Dataset) -> list[InfoField]:
    """Return the INFO fields of every task, or task and model."""
    over = [str(dim) for dim in table["effect"].dims if dim != "variant"]
    levels = list(product(*(table[dim].to_numpy().tolist() for dim in over)))
    prefixes = [info_name("_".join(("CG", *map(str, level)))) for level in levels]
    fields = []
    for number, (level, prefix) in enumerate(zip(levels, prefixes, strict=True)):
        unique = prefix if prefixes.count(prefix) == 1 else f"{prefix}_{number + 1}"
        place = dict(zip(over, level, strict=True))
        where = ", ".join(f"{dim} {name}" for dim, name in place.items())
        for column, (ending, kind, meaning) in _INFO_FIELDS.items():
            if column in table:
                values = table[column].sel(place).to_numpy().tolist()
                fields.append(
                    InfoField(f"{unique}_{ending}", kind, f"{meaning}; {where}", values)
                )
    return fields
