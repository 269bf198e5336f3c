from ._refute import (
    CHECKS as CHECKS,
    predictions_needed as predictions_needed,
    refute as refute,
)
from .claim import Claim as Claim
