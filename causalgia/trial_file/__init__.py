"""Trial files: `trial.toml` to a frozen `TrialSpec` and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.trial_file._starter import (
        example_files,
        settings_of,
        starter,
        starter_files,
        toml_value,
    )
    from causalgia.trial_file.trial_spec import (
        PredictorSpec,
        TrialSpec,
        check_device,
        parse_spec,
        read_analysis,
        read_experiment_design,
        read_library_spec,
        read_predictor_spec,
        read_spec,
    )
    from causalgia.trial_file.trial_tables import ExperimentSpec, LibrarySpec
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "ExperimentSpec",
    "LibrarySpec",
    "PredictorSpec",
    "TrialSpec",
    "check_device",
    "example_files",
    "parse_spec",
    "read_analysis",
    "read_experiment_design",
    "read_library_spec",
    "read_predictor_spec",
    "read_spec",
    "settings_of",
    "starter",
    "starter_files",
    "toml_value",
]
