"""Matrices without positions, and the groups of factors of TRANSFAC (CIS-BP writes the names of
columns alone for matrices that it may not give; universalmotif's read_transfac: HC is a family).
"""

import pytest

from causalgia.errors import CausalgiaWarning
from causalgia.sequences import read_motifs

ONE = "A [ 4 0 9 1 ]\nC [ 0 1 0 1 ]\nG [ 0 3 0 7 ]\nT [ 0 0 0 0 ]\n"
BARE = "A [ ]\nC [ ]\nG [ ]\nT [ ]\n"
ROWS = "1 4 0 0 1\n2 0 0 9 1\n"
FILES = {
    "jaspar": (f">M1 GATA1\n{ONE}", f">M3 bare\n{BARE}"),
    "jaspar, a name alone": (f">M1 GATA1\n{ONE}", ">M3 bare\n"),
    "homer": (
        ">AGATAA\tGATA\t6.1\n.9\t.05\t.03\t.02\n.1\t.1\t.7\t.1\n",
        ">NNN\tbare\t5.0\n",
    ),
    "transfac": (
        f"AC M1\nID one\nPO A C G T\n{ROWS}XX\n//\n",
        "AC M2\nID bare\nPO A C G T\nXX\n//\n",
    ),
    "transfac, no matrix": (
        f"AC M1\nID one\nPO A C G T\n{ROWS}XX\n//\n",
        "AC M2\nNA bare\nXX\n//\n",
    ),
    "cisbp": (
        f"TF\tGATA1\nMotif\tM1_2\nPos\tA\tC\tG\tT\n{ROWS}\n",
        "TF\tX\nMotif\tbare\nPos\tA\tC\tG\tT\n\n",
    ),
    "meme": (
        "MEME version 4\n\nMOTIF a\nletter-probability matrix: w= 1\n.7 .1 .1 .1\n",
        "MOTIF bare\nletter-probability matrix: w= 0\n",
    ),
}


@pytest.mark.parametrize("form", FILES)
def test_a_matrix_without_positions_is_left_out_and_counted(tmp_path, form):
    filled, empty = FILES[form]
    path = tmp_path / "m.txt"
    path.write_text(filled)
    whole = read_motifs(path)
    path.write_text(filled + empty)
    with pytest.warns(CausalgiaWarning):
        assert read_motifs(path) == whole


@pytest.mark.parametrize("where", ["above", "below"])
def test_groups_of_transfac(tmp_path, where):
    groups = "HP  T00001; Basic domain.\nXX\nHC  T00204; Jun.\nHC  T00999; Fos.\n"
    rows = f"PO A C G T\n{ROWS}XX\n"
    first = groups + rows if where == "above" else rows + groups
    path = tmp_path / "m.transfac"
    path.write_text(f"AC M1\n{first}//\nAC M2\nHC GATA\n{rows}//\nAC M3\n{rows}//\n")
    found = [(x.tf_class, x.tf_family) for x in read_motifs(path).values()]
    assert found == [("Basic domain", "Jun::Fos"), ("", "GATA"), ("", "")]
