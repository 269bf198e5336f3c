from ._library import library as library
