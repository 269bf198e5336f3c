from ._components import components as components
from ._power import PlannedContrast as PlannedContrast, power as power
