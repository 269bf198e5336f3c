"""A trial as a file: `trial.toml` in, a frozen `TrialSpec` out, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.spec.bench import LibrarySpec, library_options
    from causalgia.spec.catalogued import ExperimentSpec
    from causalgia.spec.choices import PredictorSpec, check_device
    from causalgia.spec.reading import (
        TrialSpec,
        is_of_experiment,
        parse_spec,
        read_analysis,
        read_library_spec,
        read_spec,
    )
    from causalgia.spec.starting import beginning, beside, settings_of, starter, toml_value
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "ExperimentSpec",
    "LibrarySpec",
    "PredictorSpec",
    "TrialSpec",
    "beginning",
    "beside",
    "check_device",
    "is_of_experiment",
    "library_options",
    "parse_spec",
    "read_analysis",
    "read_library_spec",
    "read_spec",
    "settings_of",
    "starter",
    "toml_value",
]
