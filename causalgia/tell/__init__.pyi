from . import figures as figures
from ._curve_report import write_bigwig as write_bigwig
from ._methods import methods as methods
from ._report import checklist as checklist, report as report
from .effect_tables import View as View, table as table, tidy as tidy
