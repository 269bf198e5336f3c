"""`dose_contrasts`, which another room makes, in this one."""

from causalgia.effects.contrast_weights import dose_contrasts as dose_contrasts
