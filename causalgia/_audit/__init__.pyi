from ._account import Account as Account, account as account
from ._audit import (
    Audit as Audit,
    audit as audit,
)
from .compared import Comparison as Comparison
