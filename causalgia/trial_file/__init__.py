"""Trial files: `trial.toml` to a frozen `TrialSpec` and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.trial_file._starter import (
        settings_of as settings_of,
        starter as starter,
        starter_files as starter_files,
        toml_value as toml_value,
    )
    from causalgia.trial_file.trial_spec import (
        PredictorSpec as PredictorSpec,
        TrialSpec as TrialSpec,
        check_device as check_device,
        parse_spec as parse_spec,
        read_analysis as read_analysis,
        read_experiment_design as read_experiment_design,
        read_library_spec as read_library_spec,
        read_predictor_spec as read_predictor_spec,
        read_spec as read_spec,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__: list[str] = []
