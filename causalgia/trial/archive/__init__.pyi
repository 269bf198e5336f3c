from .files import place_of as place_of
from .layout import UNIT as UNIT, Field as Field
from .manifest import open_archive as open_archive, verify as verify
from .writer import Archive as Archive
