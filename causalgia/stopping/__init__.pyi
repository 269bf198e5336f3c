from .stopping_rules import Decided as Decided
