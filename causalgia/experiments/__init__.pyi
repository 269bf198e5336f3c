from ._across_predictors import (
    across_predictors as across_predictors,
    share_of_predictors as share_of_predictors,
)
from ._affinity import affinity as affinity
from ._composition import composition as composition
from ._context_swap import context_swap as context_swap
from ._copies import copies as copies
from ._flanks import flanks as flanks
from ._hairpin import hairpin as hairpin
from ._kmer_screen import kmer_screen as kmer_screen
from ._knock_in import knock_in as knock_in
from ._motif import motif as motif
from ._motif_mutagenesis import motif_mutagenesis as motif_mutagenesis
from ._motif_screen import motif_screen as motif_screen
from ._necessity import necessity as necessity, sufficiency as sufficiency
from ._null_models import agreement as agreement, null_models as null_models
from ._pair import pair as pair, pairs as pairs, spacing as spacing
from ._position import position as position
from ._proposals import proposals as proposals
from ._saturation import saturation as saturation
from ._site_pairs import site_pairs as site_pairs
from ._tile_search import tile_search as tile_search
from ._tiles import tiles as tiles
from ._tiling import tiling as tiling
from ._variants import variants as variants
from .kit.answer import (
    Answer as Answer,
    Reading as Reading,
    variant_frame as variant_frame,
    write_variants as write_variants,
)
from .kit.experiment import Entry as Entry, Experiment as Experiment, entries as entries
from .kit.trial import Trial as Trial, Weights as Weights
