from .incremental_session import Incremental as Incremental, WidthResult as WidthResult
from .work import MOST_SHARE as MOST_SHARE
