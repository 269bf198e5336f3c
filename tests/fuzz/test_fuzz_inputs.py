"""Mutated files, texts and tables are read, or end in errors of ours, in 500 MB each."""

from __future__ import annotations

import pytest
from input_limits import examples, run_limited

READERS = ("fasta", "bed", "vcf", "motifs", "counts", "effects_file")


GROUPS = {
    "readers": (*READERS,),
    "texts": ("toml", "plain", "lock"),
    "tables": ("frame", "effects"),
    "netcdf": ("netcdf_ours",),
    "formats": ("variants", "patterns", "sequences", "tasks"),
}


pytest.importorskip("resource", reason="limits of a process are those of POSIX")


@pytest.mark.simulation
@pytest.mark.parametrize("group", GROUPS)
def test_inputs_end_in_errors_of_ours(group):
    run_limited(examples(40), *GROUPS[group])
