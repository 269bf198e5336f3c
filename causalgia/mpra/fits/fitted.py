"""What every method of a fit answers: effects of elements as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.types import Array


@dataclass(frozen=True)
class Fitted:
    """Effects of E elements in K contrasts.

    Attributes
    ----------
    ace, se, df
        Effect on log2, its standard error and degrees of freedom (``inf`` is normal), shape ``(E, K)`` each.
    variables
        What else the method knows: name -> (dims, values), with dims out of ``element, contrast, arm, replicate``.
    attrs
        What else holds for all elements: numbers and text.
    kept
        Which elements of the question these are, where the method could not answer for all, a mask; None: all.
    """

    ace: Array
    se: Array
    df: Array
    variables: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(default_factory=dict)
    attrs: Mapping[str, float | int | str] = field(default_factory=dict)
    kept: NDArray[np.bool_] | None = None
