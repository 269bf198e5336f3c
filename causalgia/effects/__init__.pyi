from ._contrast import contrast as contrast
from ._contrast_models import contrast_models as contrast_models
