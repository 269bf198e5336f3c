"""What `causalgia check` prints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from causalgia.cli.shell_words import in_shell
from causalgia.cli.tables import echo

if TYPE_CHECKING:
    from causalgia.predict import Predictor
    from causalgia.trial_file import TrialSpec


def print_check(spec: TrialSpec, predictor: Predictor) -> int:
    """Print what there is to know of a predictor before the trial of a file is run; return the exit code.

    Returns
    -------
    int
        0, or 1 where something failed.
    """
    from causalgia._check import check

    control = spec.analysis.control
    design = spec.design
    if design.named_contrasts is None and control is not None and str(control) in design.arm_names:
        design = replace(design, contrasts=str(control))
    found = check(predictor, design)
    echo(in_shell(str(found)))
    return 0 if found.ok else 1
