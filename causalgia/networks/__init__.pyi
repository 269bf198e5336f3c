from .deposits import fetch as fetch, list as list
from .published import load as load
