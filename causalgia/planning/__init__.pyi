from ._sample_size import (
    minimal_detectable_effect as minimal_detectable_effect,
    power as power,
    sample_size as sample_size,
)
