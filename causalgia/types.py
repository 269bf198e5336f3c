"""Type aliases of arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: numbers
Array: TypeAlias = NDArray[np.float64]
#: counts, positions and other whole numbers
Ints: TypeAlias = NDArray[np.int64]
#: indices into another array
Codes: TypeAlias = NDArray[np.intp]
#: selected elements
Mask: TypeAlias = NDArray[np.bool_]
#: letters of sequences: 0 to 3 are A, C, G and T
Tokens: TypeAlias = NDArray[np.uint8]
#: identities of units
Units: TypeAlias = NDArray[np.uint64]
