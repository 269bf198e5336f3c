from ._check import check as check
from .findings import Check as Check
