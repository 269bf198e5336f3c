from ._refute import (
    CHECKS as CHECKS,
    null_and_real as null_and_real,
    predictions_needed as predictions_needed,
    refute as refute,
)
from .claim import Claim as Claim
