from ._confidence_sequence import confidence_sequence as confidence_sequence
from .stopping_rules import Decided as Decided
