"""Folder of a trial on the command line: what a command may write over, and what it
writes there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from causalgia.attributes import has
from causalgia.cli.output import echo
from causalgia.cli.tables import effects_text, print_written, stored_sentences
from causalgia.errors import CausalgiaError, DataError, DesignError, printable
from causalgia.inputs import (
    check_usable as check_usable,
    open_regular_file,
    output_folder as output_folder,
    to_csv,
    write_text as write_text,
    written_whole as written_whole,
)
from causalgia.results_folder import (
    ANSWER,
    DECISIONS,
    ESTIMATES,
    FOREST,
    PAGE,
    REFUTATION,
    SPEC,
    TABLE,
    load_outcomes,
)

if TYPE_CHECKING:
    from typing import Any

    import xarray as xr

    from causalgia.sequences.skipped_inputs import Skipped
    from causalgia.tell.answers import AnswerParts
    from causalgia.trial_file import TrialSpec

SKIPPED = "skipped.tsv"
_WRITTEN_BY = "# Written by `causalgia "
EVERY_ROW, NOTED = f"causalgia show --all, {TABLE}", "causalgia show --notes"
"""How answer.txt, which is read beside a shell, points to all rows and notes."""


def check_free(
    folder: Path, *names: str, spec_file: Path | None = None, force: bool = False
) -> None:
    """Raise DataError if a file of these names would be written over, apart from a
    `trial.toml` of ours or `spec_file` itself; or as `check_usable`.
    """
    check_usable(folder)
    for path in (folder / name for name in names):
        if path.is_dir():
            raise DataError(f"{path} is a folder")
        ours = path.name == SPEC and (is_ours(path) or _is_same(path, spec_file))
        if path.exists() and not force and not ours:
            raise DataError(f"{path} exists already; --force writes over it")


def is_ours(path: Path, command: str = "") -> bool:
    """Return whether a `trial.toml` was written by causalgia (by `command`, if
    given).
    """
    mark = (_WRITTEN_BY + command).encode()
    try:
        with open_regular_file(path, DataError) as file:
            return file.read(len(mark)) == mark
    except DataError:
        return False


def _is_same(path: Path, other: Path | None) -> bool:
    return other is not None and path.exists() and path.samefile(other)


def write_spec(
    folder: Path,
    spec: TrialSpec,
    *,
    command: str,
    spec_file: Path | None = None,
    at: Path | None = None,
) -> tuple[str, ...]:
    """Write a specification to a folder (or to `at`, from where it is moved there)
    unless it was read from there; return the names of the files written.
    """
    if _is_same(folder / SPEC, spec_file):
        return ()
    mark = (
        f"{_WRITTEN_BY}{command}`, which may write over it: keep a file of your own under "
        "another name.\n"
    )
    write_text((at or folder) / SPEC, mark + spec.to_toml())
    return (SPEC,)


def of_analysis(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that another analysis of the same outcomes
    replaces, apart from the page.
    """
    drawn = figures_of_experiment(folder)
    found = [path.name for path in folder.glob("finding_*.csv")]
    return ESTIMATES, DECISIONS, FOREST, ANSWER, TABLE, *drawn, *found


def figures_of_experiment(folder: Path) -> list[str]:
    """Return the names of an experiment's figures in a folder, one for each task:
    experiment.png, experiment_2.png, ...
    """
    found = [path.name for path in folder.glob("experiment*.png")]
    numbers = {name: name[len("experiment") : -4].lstrip("_") for name in found}
    return sorted(name for name, x in numbers.items() if not x or x.isdecimal())


def of_outcomes(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that are of the outcomes in a folder."""
    return *of_analysis(folder), REFUTATION, PAGE, SKIPPED


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


def load_effects(folder: Path, outcomes: xr.Dataset | None) -> xr.Dataset | None:
    """Return the verdicts in a folder, or its estimates, with the mark of changed
    outcomes; None without either.

    Raises
    ------
    DataError
        If they are of other outcomes.
    """
    from causalgia import store
    from causalgia.tell._trial_report import check_same_trial

    for name, kind in ((DECISIONS, "decisions"), (ESTIMATES, "estimates")):
        if (folder / name).is_file():
            found = store.load(folder / name, kind)  # type: ignore[arg-type]
            again = f"make these anew: causalgia analyze {quote(str(folder))}"
            check_same_trial(f"{folder}: outcomes", outcomes, found, cure=again)
            changed = outcomes is not None and has(outcomes).protocol_changed
            return found.assign_attrs(protocol_changed="values") if changed else found
    return None


def write_skipped(folder: Path, skipped: Sequence[Skipped]) -> None:
    """Write the table of what was left out, in the order of the file."""
    import pandas as pd

    from causalgia.sequences.skipped_inputs import skipped_table

    rows = pd.DataFrame(skipped_table(sorted(skipped, key=lambda x: x.line)))
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


@contextmanager
def skipped_listed(folder: Path) -> Iterator[None]:
    """Write what was left out to skipped.tsv also where an error follows."""
    from causalgia.sequences.skipped_inputs import listing_skipped

    with listing_skipped() as skipped:
        try:
            yield
        except CausalgiaError:
            if skipped:
                with output_folder(folder):
                    write_skipped(folder, list(skipped))
                print_written(folder, SKIPPED)
            raise


def words_of_option(text: str) -> tuple[str, ...]:
    """Return the words of an option that takes several, separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def refuse_options(options: dict[str, Any], reason: str) -> None:
    """Raise DesignError for the first option that is given."""
    for name, value in options.items():
        if value is not None:
            raise DesignError(f"--{name.replace('_', '-')} {reason}")
