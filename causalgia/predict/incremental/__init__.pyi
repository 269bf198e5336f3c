from .incremental_session import Incremental as Incremental, WidthResult as WidthResult
