from . import figures as figures
from ._report import methods as methods, report as report, table as table
from .effect_tables import tidy as tidy
