from .comparisons import (
    concordance as concordance,
    prediction_powered as prediction_powered,
    virtual_trial as virtual_trial,
)
from .counts import (
    NoiseModel as NoiseModel,
    counts_of as counts_of,
    filter as filter,
    outcomes as outcomes,
    quality as quality,
    read_counts as read_counts,
    simulate as simulate,
)
from .fits import (
    activity as activity,
    average as average,
    conditions as conditions,
    fit as fit,
)
from .formats import (
    igvf_table as igvf_table,
    read_library as read_library,
    to_fasta as to_fasta,
    to_igvf as to_igvf,
    variant_tiles as variant_tiles,
    write_library as write_library,
)
from .libraries import library as library
from .libraries.barcode_sets import BarcodeRules as BarcodeRules
from .libraries.order_plan import Controls as Controls
from .libraries.rules import OligoRules as OligoRules
from .planning import (
    PlannedContrast as PlannedContrast,
    components as components,
    power as power,
)
