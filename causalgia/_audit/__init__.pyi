from ._audit import (
    Audit as Audit,
    audit as audit,
)
from .compared import Comparison as Comparison
