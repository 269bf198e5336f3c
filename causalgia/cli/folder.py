"""Folder of a trial on the command line: its files, and checks against overwriting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from causalgia.attributes import has
from causalgia.cli.command_groups import StoppedError
from causalgia.cli.option_groups import Printed
from causalgia.cli.output import echo
from causalgia.cli.tables import (
    effects_text,
    print_answers,
    stored_sentences,
    with_sentences,
)
from causalgia.errors import (
    DataError,
    DesignError,
    printable,
)
from causalgia.inputs import (
    not_written,
    open_regular_file,
    read_bytes,
    to_csv,
)
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    ESTIMATES,
    EXPERIMENT,
    FOREST,
    MARKS,
    OUTCOMES,
    PAGE,
    REFUTATION,
    SPEC,
    STORE,
    TABLE,
    load_outcomes,
    words_of_trial,
)

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from causalgia.experiments import Answer
    from causalgia.predict import Predictor
    from causalgia.protocol import Protocol
    from causalgia.sequences.skipped_inputs import Skipped
    from causalgia.tell.answers import AnswerParts
    from causalgia.trial_file import TrialSpec


_OF_ANALYSIS = (ESTIMATES, DECISIONS, FOREST, ANSWER, TABLE)
SKIPPED = "skipped.tsv"
_OF_OUTCOMES = (*_OF_ANALYSIS, REFUTATION, PAGE, SKIPPED)
_OF_VERDICTS = ("rope", "error", "largest", "ci_prob", "shrink")
_WRITTEN_BY = "# Written by `causalgia "


def check_folder_free(
    folder: Path, *, spec_file: Path | None = None, force: bool = False
) -> None:
    """Raise if files in a folder would be overwritten, apart from a `trial.toml` of
    ours or `spec_file` itself.

    Raises
    ------
    DataError
        If a file to be written is a folder, or exists (without `force`), or as
        `check_usable`.
    """
    check_usable(folder)
    if (folder / STORE).exists():
        raise DataError(
            f"{folder} holds {STORE}, a trial on disk, which --store resumes"
        )
    for name in (OUTCOMES, *of_outcomes(folder), SPEC):
        path = folder / name
        if path.is_dir():
            raise DataError(f"{path} is a folder")
        if (
            path.exists()
            and not force
            and not (
                name == SPEC
                and (is_written_by_causalgia(path) or _is_same_file(path, spec_file))
            )
        ):
            raise DataError(f"{path} exists already; --force writes over it")


def is_written_by_causalgia(path: Path, command: str = "") -> bool:
    """Return whether a `trial.toml` was written by causalgia (by `command`, if
    given).
    """
    mark = (_WRITTEN_BY + command).encode()
    try:
        with open_regular_file(path, DataError) as file:
            return file.read(len(mark)) == mark
    except DataError:
        return False


def write_outcomes(
    folder: Path,
    outcomes: xr.Dataset,
    spec: TrialSpec,
    *,
    command: str,
    spec_file: Path | None = None,
    rewritten: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Write outcomes and their specification (unless it was read from there), and
    remove outdated results.

    Files in `rewritten` are written again at once, so their removal is not printed.

    Returns
    -------
    tuple of str
        The names of the files written.
    """
    from causalgia import store

    remove_outdated(folder, *of_outcomes(folder), rewritten=rewritten)
    spec_files = write_spec(folder, spec, command=command, spec_file=spec_file)
    store.save(outcomes, folder / OUTCOMES)
    return OUTCOMES, *spec_files


def write_spec(
    folder: Path, spec: TrialSpec, *, command: str, spec_file: Path | None = None
) -> tuple[str, ...]:
    """Write a specification unless it was read from there; return the names of the
    files written.
    """
    if _is_same_file(folder / SPEC, spec_file):
        return ()
    mark = (
        f"{_WRITTEN_BY}{command}`, which may write over it: keep a file of your own under "
        "another name.\n"
    )
    write_text(folder / SPEC, mark + spec.to_toml())
    return (SPEC,)


def load_marked_outcomes(folder: Path) -> xr.Dataset:
    """Return `load_outcomes`, marked if the values are not those that its run under a
    lock recorded: all are read.
    """
    outcomes = load_outcomes(folder)
    if not has(outcomes).protocol:
        return outcomes
    from causalgia.protocol._protocol import digests_of_run

    digests = digests_of_run(outcomes)
    changed = digests is not None and digests[0] != digests[1]
    return outcomes.assign_attrs(protocol_changed="values") if changed else outcomes


def marked_as(outcomes: xr.Dataset | None, result: xr.Dataset) -> xr.Dataset:
    """Return a result with the mark of changed outcomes that lie beside it."""
    changed = outcomes is not None and has(outcomes).protocol_changed
    return result.assign_attrs(protocol_changed="values") if changed else result


def figure_file(number: int) -> str:
    """Return the file name of an experiment's figure for a task: experiment.png,
    experiment_2.png, ...

    Examples
    --------
    >>> figure_file(0), figure_file(1)
    ('experiment.png', 'experiment_2.png')
    """
    return EXPERIMENT if number == 0 else f"experiment_{number + 1}.png"


def numbered_figures(folder: Path, stem: str = "experiment") -> tuple[str, ...]:
    """Return the names of figures in a folder, ``stem.png, stem_2.png, ...``, with the
    first one in any case.
    """
    found = [
        p.name
        for p in folder.glob(f"{stem}_*.png")
        if p.stem.removeprefix(f"{stem}_").isdecimal()
    ]
    return f"{stem}.png", *sorted(found)


def finding_file(finding: str) -> str:
    """Return the file name of a finding of an answer.

    Examples
    --------
    >>> finding_file("of each sequence")
    'finding_of_each_sequence.csv'
    """
    return f"finding_{finding.replace(' ', '_')}.csv"


def finding_tables(folder: Path) -> tuple[str, ...]:
    """Return the names of the tables of findings in a folder."""
    return tuple(sorted(p.name for p in folder.glob("finding_*.csv")))


def write_skipped(folder: Path, skipped: Sequence[Skipped]) -> None:
    """Write the table of what was left out, in the order of the file."""
    import pandas as pd

    from causalgia.sequences.skipped_inputs import skipped_table

    in_order = sorted(skipped, key=lambda x: x.line)
    rows = pd.DataFrame(skipped_table(in_order))
    write_text(folder / SKIPPED, to_csv(rows, index=False, tabs=True))


def account_for_skipped(folder: Path, null: object) -> tuple[str, ...]:
    """Print how many sequences of a null model were left out of its file, write which,
    and return the name of that table; nothing where none was.
    """
    from causalgia.sequences.fasta import Sequences
    from causalgia.sequences.skipped_inputs import skip_sentence

    of = getattr(null, "of", None)
    if not isinstance(of, Sequences) or not of.skipped:
        return ()
    echo(f"{skip_sentence(of.skipped, len(of), 'sequences')}.")
    write_skipped(folder, of.skipped)
    return (SKIPPED,)


def of_analysis(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that another analysis of the same outcomes
    outdates, apart from the page.
    """
    return *_OF_ANALYSIS, *numbered_figures(folder), *finding_tables(folder)


def of_outcomes(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that other outcomes outdate."""
    return *_OF_OUTCOMES, *numbered_figures(folder), *finding_tables(folder)


@contextmanager
def results_of_page(folder: Path, *names: str) -> Iterator[None]:
    """Move the page of a folder aside, and print so, if the body of the context changes
    one of these results.
    """
    if not (folder / PAGE).exists():
        yield
        return
    before = [_as_read(folder / name) for name in names]
    try:
        yield
    finally:  # also where a second result could not be written
        after = [_as_read(folder / name) for name in names]
        pairs = zip(before, after, strict=True)
        if not all(
            a is b or (a is not None and b is not None and a.identical(b))
            for a, b in pairs
        ):
            remove_outdated(folder, PAGE)


def _as_read(path: Path) -> xr.Dataset | None:
    """Return a result in a file; None without one, or if it is damaged."""
    from causalgia import store

    with suppress(DataError):
        return store.read_netcdf(path) if path.is_file() else None
    return None


def remove_outdated(folder: Path, *names: str, rewritten: tuple[str, ...] = ()) -> None:
    """Remove outdated results and print their names, apart from those `rewritten` at
    once; a page is moved aside.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_text(folder / "decisions.nc", "")
    >>> remove_outdated(folder, "decisions.nc", "effects.tsv")
    Removed decisions.nc: not of these results.
    """
    found = [name for name in names if (folder / name).exists()]
    if PAGE in found:
        found.remove(PAGE)
        page = _moved_aside(folder / PAGE)
        echo(f"Moved {PAGE} to {page.name}: it is of other results.")
    for name in found:
        (folder / name).unlink()
    if gone := [name for name in found if name not in rewritten]:
        echo(f"Removed {', '.join(gone)}: not of these results.")


def _moved_aside(page: Path) -> Path:
    """Move a file to the first free name of its kind, and return it: report.1.html."""
    number = 1
    while (aside := page.with_name(f"{page.stem}.{number}{page.suffix}")).exists():
        number += 1
    return page.rename(aside)


EVERY_ROW, NOTED = f"causalgia show --all, {TABLE}", "causalgia show --notes"
"""How answer.txt, which is read beside a shell, points to all rows and notes."""


def write_effects(
    folder: Path,
    effects: xr.Dataset,
    *,
    parts: AnswerParts | None = None,
    all_columns: bool = False,
) -> tuple[str, ...]:
    """Write effects as a table and their answer as text; return the names of the files.

    `parts` is the answer where it is not that of the effects and of the sentences that
    are stored with them.
    """
    from causalgia.effect_table import has_positions
    from causalgia.tell import report
    from causalgia.tell.answers import answer_parts

    if has_positions(effects):
        text: str = report(effects)
    else:
        of_effects = parts or answer_parts(
            effects,
            answer=stored_sentences(effects, "answer") or None,
            details=stored_sentences(effects, "details"),
            every=EVERY_ROW,
            noted=NOTED,
        )
        text = of_effects.text()
    write_text(folder / ANSWER, printable(text).rstrip("\n") + "\n")
    write_text(folder / TABLE, effects_text(effects, all_columns=all_columns))
    return ANSWER, TABLE


def other_analysis(estimates: xr.Dataset, decisions: xr.Dataset) -> str:
    """Return how the analysis of decisions differs from that of estimates, apart from
    settings of verdicts, or "".
    """
    from causalgia.analysis import analysis_in_attrs

    fields = analysis_in_attrs(decisions.attrs).differs(
        analysis_in_attrs(estimates.attrs)
    )
    if fields := tuple(field for field in fields if field not in _OF_VERDICTS):
        return f"they differ in {', '.join(fields)}"
    known = set(estimates["contrast"].to_numpy().tolist())
    return (
        ""
        if known.issuperset(decisions["contrast"].to_numpy().tolist())
        else "they have other contrasts"
    )


def show_all_command(folder: Path) -> str:
    """Return the command that prints every row of a folder, and the file that has it."""
    return f"causalgia show {quote(str(folder))} --all, {TABLE}"


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Create a folder for the body of the context; on an error, remove created folders
    that are still empty.
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield make_folder(folder)
    except BaseException:
        with suppress(OSError):  # not empty
            for place in new:
                place.rmdir()
        raise


def check_usable(folder: Path) -> None:
    """Raise if a folder cannot be created or written to; leaves no trace.

    Raises
    ------
    DataError
        If a file is at the path, it has the name of a file, its name is too
        long, or it is not writable.

    Examples
    --------
    >>> check_usable(Path("/dev/null"))
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: /dev/null: no folder to write to (Not a directory)
    """
    from tempfile import TemporaryDirectory

    try:
        there = next(
            place for place in (folder, *folder.absolute().parents) if place.exists()
        )
        with TemporaryDirectory(prefix=".causalgia-", dir=there):
            pass
    except OSError as error:
        raise DataError(
            f"{folder}: no folder to write to ({error.strerror})"
        ) from error


def make_folder(folder: Path) -> Path:
    """Create a folder after `check_usable`, and return it."""
    check_usable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_text(path: Path, text: str | bytes) -> None:
    """Write a text file, from its text or the bytes that were read from it."""
    try:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    except OSError as error:
        raise not_written(path, error, DataError) from error


def _is_same_file(path: Path, other: Path | None) -> bool:
    return other is not None and path.exists() and path.samefile(other)


class Keep(StrEnum):
    """Dataset stored by a trial on disk."""

    outcomes = "outcomes"
    effects = "effects"
    moments = "moments"


StoreOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--store",
        help=f"Keep the trial in {STORE} as it runs; the same command resumes it.",
    ),
]
SameAnswersOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--same-answers",
        help=(
            "Resume a store of another predictor if a sample of its stored answers "
            "agrees with this one's."
        ),
    ),
]
KeepOption: TypeAlias = Annotated[
    Keep, typer.Option("--keep", help="What --store keeps.")
]


def check_run_folder(
    out: Path,
    spec_file: Path,
    *,
    stored: bool,
    keep: Keep,
    force: bool,
    same_answers: bool,
) -> None:
    """Raise if files would be overwritten, or options of a store are given without
    ``--store``.

    Raises
    ------
    DesignError
        If ``--keep`` or ``--same-answers`` is given without a store.
    DataError
        If the folder has files that would be overwritten.
    StoreError
        If something else is at the path of the store.
    """
    if not stored and keep is not Keep.outcomes:
        raise DesignError(f"--keep {keep.value} is for a trial on disk, --store")
    if not stored and same_answers:
        raise DesignError("--same-answers is for a trial on disk, --store")
    if stored:
        from causalgia.trial.archive import Archive

        check_usable(out)
        Archive.exists(out / STORE)
        for name in (OUTCOMES, SPEC):
            path = out / name
            if path.exists() and not (
                name == SPEC
                and (is_written_by_causalgia(path) or _is_same_file(path, spec_file))
            ):
                raise DataError(f"{path} exists already")
        for name in (
            of_outcomes(out) if not (out / STORE).exists() and not force else ()
        ):
            if (out / name).exists():
                raise DataError(f"{out / name} exists already; --force removes it")
    else:
        check_folder_free(out, spec_file=spec_file, force=force)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep a second run out of a folder while the first writes to it.

    Raises
    ------
    StoreError
        If another run has it.
    """
    from causalgia.trial.archive import locked

    lock = locked(folder, ".lock")
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def run_in_folder(
    folder: Path,
    spec: TrialSpec,
    predictor: Predictor,
    *,
    spec_file: Path,
    stored: bool,
    keep: Keep,
    client: Client | None,
    same_answers: bool,
    protocol: Protocol | None = None,
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Run a trial, under its lock if there is one; return its Dataset and the names of
    the files written.

    Outcomes of a lock keep the locked analysis, whatever the trial file asks.
    """
    from causalgia._run import run
    from causalgia.protocol.lock_file import machine_attrs
    from causalgia.trial.archive import OtherTrialError

    analysis = spec.analysis.asking(spec.design.analysis_fields)
    verb = partial(run, analysis=analysis) if protocol is None else protocol.run
    if not stored:
        outcomes = verb(spec.design, predictor, rng=spec.rng, client=client)
        outcomes = outcomes.assign_attrs(
            machine_attrs() | spec.attrs if protocol is None else words_of_trial(spec)
        )
        return outcomes, write_outcomes(
            folder, outcomes, spec, command="run", spec_file=spec_file
        )
    store, trial_file = folder / STORE, folder / SPEC
    if protocol is None and not store.exists():
        (folder / MARKS).unlink(missing_ok=True)  # of a trial that is gone
    if not store.exists():
        remove_outdated(folder, *of_outcomes(folder))
    is_ours = store.exists() and is_written_by_causalgia(trial_file)
    before = read_bytes(trial_file, DataError) if is_ours else None
    spec_files = write_spec(folder, spec, command="run", spec_file=spec_file)
    try:
        found = verb(
            spec.design,
            predictor,
            rng=spec.rng,
            store=store,
            same_answers=same_answers,
            keep=keep.value,
            client=client,
        )
    except KeyboardInterrupt as error:
        raise StoppedError(str(error) or "interrupted") from error
    except OtherTrialError:
        if before is not None and spec_files:
            write_text(trial_file, before)  # that of the trial that is there
        raise
    marks = () if protocol is None else (MARKS,)
    return found.assign_attrs(
        spec.attrs if protocol is None else words_of_trial(spec)
    ), (
        STORE,
        *marks,
        *spec_files,
    )


def write_answer(
    answer: Answer,
    folder: Path,
    *,
    printed: Printed = Printed(),  # noqa: B008 - frozen
) -> tuple[str, ...]:
    """Print an answer, write its tables and findings, and draw it for each task, first
    that of the largest effect.

    Of more than 12 tasks only that one is drawn. A failing figure does not suppress the
    tables.

    Returns
    -------
    tuple of str
        The names of the files written.
    """
    from causalgia import store

    decisions = with_sentences(answer.decisions, answer)
    store.save(answer.estimates, folder / ESTIMATES)
    store.save(decisions, folder / DECISIONS)
    tables = {
        finding_file(name): to_csv(table.to_dataframe())
        for name, table in answer.findings.items()
    }
    for name, text in tables.items():
        write_text(folder / name, text)
    write_effects(folder, decisions, all_columns=printed.all_columns)
    try:
        print_answers(
            answer.estimates,
            decisions,
            printed=printed,
            command=show_all_command(folder),
        )
    finally:
        for name, of in _task_by_figure(answer).items():
            answer.save(
                folder / name, task=of if len(answer.tasks) <= _MOST_FIGURES else None
            )
    return answer_files(answer)


_MOST_FIGURES = 12


def answer_files(answer: Answer) -> tuple[str, ...]:
    """Return the names of the files that `write_answer` writes."""
    return (
        ESTIMATES,
        DECISIONS,
        ANSWER,
        TABLE,
        *map(finding_file, answer.findings),
        *_task_by_figure(answer),
    )


def _task_by_figure(answer: Answer) -> dict[str, str]:
    """Return the tasks by figure: file name -> task, that of the largest effect first;
    of many tasks it alone.
    """
    tasks = dict.fromkeys(
        [
            answer.clearest_task,
            *(answer.tasks if len(answer.tasks) <= _MOST_FIGURES else ()),
        ]
    )
    return {figure_file(number): task for number, task in enumerate(tasks)}
