from ._methods import methods as methods
from ._report import checklist as checklist, report as report
from ._write_bigwig import write_bigwig as write_bigwig
from .effect_tables import View as View, table as table, tidy as tidy
