"""Mutated files, texts, tables and command lines end in errors of ours, within 2 s and
500 MB each.
"""

from __future__ import annotations

import pytest
from input_limits import examples, run_limited

READERS = ("fasta", "bed", "vcf", "motifs", "counts", "igvf", "effects_file", "prices")
GROUPS = {
    "readers": (*READERS,),
    "texts": ("toml", "plain", "lock"),
    "tables": ("frame", "effects"),
    "netcdf": ("netcdf_ours",),
    "formats": ("variants", "patterns", "sequences", "tasks", "h5ad"),
}
pytest.importorskip("resource", reason="limits of a process are those of POSIX")


@pytest.mark.rotating
@pytest.mark.parametrize("group", GROUPS)
def test_inputs_end_in_errors_of_ours(group):
    run_limited(examples(40), *GROUPS[group])


@pytest.mark.rotating
def test_commands_end_in_errors_of_ours():
    run_limited(examples(200), "command_line")


@pytest.mark.rotating
def test_foreign_netcdf_ends_in_errors_of_ours():
    run_limited(examples(60), "netcdf_foreign")


@pytest.mark.rotating
def test_files_of_other_tools_in_hdf5_end_in_errors_of_ours():
    pytest.importorskip("torch")
    run_limited(examples(40), "modisco", "keras")
