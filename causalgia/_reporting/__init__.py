"""Reports of estimates and outcomes as text and tables: effect size first, then the
interval, p last.

`rows` and `cells` make the table that reports and the command line print; numbers are
formatted in `causalgia._reporting.table_formats` only.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
