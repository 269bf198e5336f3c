"""What a command asks of the outcomes: the analysis in the folder's file; options of the command line win."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia.cli.folder import SPEC
from causalgia.errors import DesignError

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.analysis import Analysis
    from causalgia.experiments import Experiment


def analysis_of(folder: Path, outcomes: xr.Dataset) -> Analysis:
    """Return the analysis in the folder's trial.toml, or where there is no such file the one kept with the outcomes.

    Where neither says which contrasts, they are those that the design names.
    """
    from causalgia.analysis import Analysis, kept_analysis
    from causalgia.long_text import question_of
    from causalgia.trial_file import read_analysis

    kept = kept_analysis(outcomes)
    if not (folder / SPEC).is_file():
        return kept or Analysis()
    return read_analysis(folder / SPEC, kept=kept).asking(question_of(outcomes))


def experiment_of(folder: Path) -> Experiment | None:
    """Return the experiment that the folder's trial.toml is of, or None where it is of arms, or there is no file."""
    from causalgia.experiments import Experiment
    from causalgia.trial_file import is_of_experiment, read_spec

    if not (folder / SPEC).is_file() or not is_of_experiment(folder / SPEC):
        return None
    design = read_spec(folder / SPEC).design
    return design if isinstance(design, Experiment) else None


def chosen(analysis: Analysis, given: dict[str, Any]) -> Analysis:
    """Return the analysis with the options of the command line in the place of what the file says."""
    from causalgia.analysis import ANALYSIS
    from causalgia.checks import check_value

    options = {key: value for key, value in given.items() if value is not None}
    plain = analysis.to_dict()
    if "control" in options:
        plain = {key: value for key, value in plain.items() if key not in ("contrasts", "interaction")}
    for key, value in options.items():
        check_value(value, ANALYSIS, key, said=f"--{key.replace('_', '-')}")
    found = analysis.from_dict({**plain, **options})
    if found.control is None and found.contrasts is None and found.interaction is None:
        raise DesignError("which arm is the control? give --control NAME, or control = in [analysis] of the trial.toml")
    return found


def rope_of(text: str | None) -> Any:
    """Return what ``--rope`` says as the file would say it: ``-0.1,0.1`` is two numbers, ``0`` is a number.

    Examples
    --------
    >>> [rope_of(text) for text in ("-0.1,0.1", "-0.1 0.1", "0", "placebo", "0.2 sd", None)]
    [[-0.1, 0.1], [-0.1, 0.1], 0.0, 'placebo', '0.2 sd', None]
    """
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers


def share_of(text: str | None) -> Any:
    """Return what ``--rare`` says as the file would say it: a number, or a word.

    Examples
    --------
    >>> [share_of(text) for text in ("0.01", "none", None)]
    [0.01, 'none', None]
    """
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def seed_of(outcomes: xr.Dataset, rng: int | None) -> int:
    """Return the seed that is given, or the one of the trial where it was a number."""
    if rng is not None:
        return rng
    seed = str(outcomes.attrs.get("rng", ""))
    if not (seed.isdecimal() and len(seed) <= 78):  # 2^256 has as many digits
        raise DesignError("the outcomes have no numeric seed; give --rng 0 (or any other)")
    return int(seed)
