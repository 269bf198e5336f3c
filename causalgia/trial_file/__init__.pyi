from ._starter import (
    settings_of as settings_of,
    starter as starter,
    starter_files as starter_files,
    toml_value as toml_value,
)
from .trial_spec import (
    PredictorSpec as PredictorSpec,
    TrialSpec as TrialSpec,
    check_device as check_device,
    has_predictor_alone as has_predictor_alone,
    parse_spec as parse_spec,
    read_analysis as read_analysis,
    read_experiment_design as read_experiment_design,
    read_library_spec as read_library_spec,
    read_predictor_spec as read_predictor_spec,
    read_spec as read_spec,
)
