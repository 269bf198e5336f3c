from ._audit import (
    Audit as Audit,
    audit as audit,
)
