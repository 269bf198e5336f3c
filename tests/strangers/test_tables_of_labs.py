"""Tables of kircherlab/MPRAlib, jgockley62/Sample_MPRA_Data (GSE31982), shendurelab/MPRAflow,
WangLabTHU/esMPRA and kmattioli/2018__lncRNA_promoter_MPRA: names of columns, lines of
comments, and files that name others.

The tables are written here with the names and layouts of these repositories.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.errors import DataError

SIDE = pd.DataFrame({"oligo_name": ["a", "b"], "element": "u", "arm": ["ref", "alt"]})
BARCODES = ["AACCGGTT", "CCGGTTAA", "GGTTAACC", "TTAACCGG"]
OLIGOS = "aabb"
ASSIGNMENT = pd.DataFrame({"barcode": BARCODES, "oligo": list(OLIGOS)})
KEYS = ["barcode", "oligo_name"]


def table(columns: list[str], keys: list[str] = KEYS, barcodes=BARCODES) -> str:
    """Return a table whose column j has 10 (j + 1) + i in row i."""
    rows = ["\t".join([*keys, *columns])]
    for i, (barcode, oligo) in enumerate(zip(barcodes, OLIGOS, strict=True)):
        cells = [str(10 * (j + 1) + i) for j in range(len(columns))]
        rows.append("\t".join([barcode, oligo, *cells]))
    return "\n".join(rows) + "\n"


def read(folder: Path, text: str, side=SIDE, **settings):
    path = folder / "counts.tsv"
    path.write_text(text)
    return cg.mpra.read_counts(path, side_table=side, **settings)


def first_row(counts) -> tuple[list[int], list[int]]:
    return counts["dna"].values[0].tolist(), counts["rna"].values[0].tolist()


class TestNamesOfColumns:
    @pytest.mark.parametrize(
        "columns",
        [
            ["plasmid_1", "plasmid_2", "cDNA_1", "cDNA_2"],
            ["pDNA_1", "pDNA_2", "mRNA_1", "mRNA_2"],
            ["plasmid_DNA_1", "plasmid_DNA_2", "cDNA_1", "cDNA_2"],
            ["input_1", "input_2", "output_1", "output_2"],
            ["InputCount_rep1", "InputCount_rep2", "RNA_rep1", "RNA_rep2"],
            ["gDNA1", "gDNA2", "cDNA1", "cDNA2"],
            ["dnaCount1", "dnaCount2", "rnaCount1", "rnaCount2"],
            ["DNAcount_1", "DNAcount_2", "RNAcount_1", "RNAcount_2"],
            ["DNA_1", "DNA_2", "RNA_rep1", "RNA_rep2"],
            ["DNA Rep 1", "DNA Rep 2", "RNA_R1", "RNA_R2"],
            ["DNA.1", "DNA.2", "RNA.1", "RNA.2"],
            ["DNA", "DNA.1", "RNA", "RNA.1"],
            ["R1_DNA", "R2_DNA", "R1_RNA", "R2_RNA"],
        ],
        ids="".join,
    )
    def test_pair_dna_and_rna_of_a_replicate(self, tmp_path, columns):
        assert first_row(read(tmp_path, table(columns))) == ([10, 20], [30, 40])

    def test_of_plasmids_that_are_not_replicates_are_one_pool(self, tmp_path):
        columns = ["plasmid_1", "plasmid_2", "plasmid_3", "cDNA_1", "cDNA_2"]
        counts = read(tmp_path, table(columns))
        assert counts["dna"].values[0] == 60
        assert counts["rna"].values[0].tolist() == [40, 50]
        assert read(tmp_path, table(["Input", "RNA_1", "RNA_2"]))["dna"].ndim == 1

    def test_of_cell_types_are_no_replicates(self, tmp_path):
        columns = ["plasmid", "RNA_K562_rep1", "RNA_HepG2_rep1"]
        counts = read(tmp_path, table(columns))
        assert counts["condition"].values.tolist() == ["K562", "HepG2"]
        counts = read(tmp_path, table(columns), replicates=["K562_rep1"])
        assert counts["rna"].values[0].tolist() == [20]


class TestNumbersInPlaceOfBarcodes:
    def test_are_those_of_their_oligos(self, tmp_path):
        text = table(["mRNA_Counts", "pDNA_Counts"], ["Tag", "Name"], "1212")
        counts = read(tmp_path, text)
        assert counts["barcode"].values.tolist() == ["a:1", "a:2", "b:1", "b:2"]

    def test_or_names(self, tmp_path):
        names = ["BC0", "BC1", "BC2", "BC3"]
        counts = read(tmp_path, table(["DNA", "RNA"], barcodes=names))
        assert counts["barcode"].values.tolist() == names
        one_wrong = [*BARCODES[:3], "BC3"]
        with pytest.raises(DataError):
            read(tmp_path, table(["DNA", "RNA"], barcodes=one_wrong))


class TestComments:
    TEXT = table(["dna_count_1", "rna_count_1"])

    @pytest.mark.parametrize(
        "above",
        ["# one\n# two\n", "##\n#a\tb\tc\td\n", "# one\n#"],
        ids=["two", "with tabs", "header"],
    )
    def test_above_the_header_are_refused(self, tmp_path, above):
        with pytest.raises(DataError):
            read(tmp_path, above + self.TEXT)

    def test_names_that_begin_with_the_sign_are_no_comments(self, tmp_path):
        text = table(["DNA", "RNA"], ["oligo_name", "label"]).replace("\tlabel", "")
        rows = [line.split("\t") for line in text.splitlines()]
        names = ["oligo_name", "#1", "#2", "#3", "#4"]
        sums = "".join(
            "\t".join([name, *row[-2:]]) + "\n"
            for name, row in zip(names, rows, strict=True)
        )
        side = pd.DataFrame(
            {"oligo_name": names[1:], "element": "u", "arm": list("wxyz")}
        )
        assert read(tmp_path, sums, side)["oligo"].values.tolist() == names[1:]


class TestExperimentFiles:
    """MPRAflow's and MPRAsnakeflow's ``experiment.csv``."""

    def files(self, folder: Path, header: str, lines: list[str]) -> Path:
        path = folder / "experiment.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    def counted(self, folder: Path, name: str, add: int = 0) -> str:
        rows = [f"{b}\t{10 + i + add}\t{20 + i}\n" for i, b in enumerate(BARCODES)]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(rows))
        return name

    def test_of_files_of_counts(self, tmp_path):
        lines = [
            f"{cell},{r},{self.counted(tmp_path, f'{cell}_{r}.tsv', r)}"
            for cell in ("GBM", "HEK")
            for r in (1, 2)
        ]
        path = self.files(tmp_path, "Condition,Replicate,COUNTS", lines)
        settings = {"side_table": SIDE, "assignment": ASSIGNMENT}
        counts = cg.mpra.read_counts(path, **settings)
        assert counts["replicate"].values.tolist() == [
            "GBM_1",
            "GBM_2",
            "HEK_1",
            "HEK_2",
        ]
        assert counts["condition"].values.tolist() == ["GBM", "GBM", "HEK", "HEK"]
        chosen = ["GBM_1", "GBM_2"]
        counts = cg.mpra.read_counts(path, replicates=chosen, **settings)
        assert counts["replicate"].values.tolist() == chosen
        assert first_row(counts) == ([11, 12], [20, 20])
        path = self.files(tmp_path, "Condition,Replicate,COUNTS", lines[:2])
        counts = cg.mpra.read_counts(path, **settings)
        assert counts["replicate"].values.tolist() == ["1", "2"]
        (tmp_path / "GBM_2.tsv").unlink()
        with pytest.raises(DataError):
            cg.mpra.read_counts(path, **settings)

    def test_of_dna_and_rna_apart(self, tmp_path):
        for name, n in (("d1", 3), ("d2", 4), ("r1", 4), ("r2", 2)):
            rows = [f"{b}\t{10 + i}\n" for i, b in enumerate(BARCODES[:n])]
            header = "Tags\tCounts\n" if name in ("d1", "r1") else ""
            (tmp_path / f"{name}.tsv").write_text(header + "".join(rows))
        lines = ["HEK,1,d1.tsv,r1.tsv", "HEK,2,d2.tsv,r2.tsv"]
        path = self.files(tmp_path, "condition,replicate,dna,rna", lines)
        counts = cg.mpra.read_counts(path, side_table=SIDE, assignment=ASSIGNMENT)
        assert counts["dna"].values.tolist() == [[10, 10], [11, 11], [12, 12], [0, 13]]
        assert counts["rna"].values.tolist() == [[10, 10], [11, 11], [12, 0], [13, 0]]
        lines = ["HEK,1,d2.tsv,r1.tsv", "HEK,2,d2.tsv,r2.tsv"]
        path = self.files(tmp_path, "condition,replicate,dna,rna", lines)
        counts = cg.mpra.read_counts(path, side_table=SIDE, assignment=ASSIGNMENT)
        assert counts["dna"].values.tolist() == [10, 11, 12, 13]
        with pytest.raises(DataError):
            cg.mpra.read_counts(tmp_path / "r1.tsv", side_table=SIDE)
        with pytest.raises(DataError):
            cg.mpra.read_counts(tmp_path / "r2.tsv", side_table=SIDE)
        with pytest.raises(DataError):
            cg.mpra.read_counts(path, side_table=SIDE)

    def test_of_reads_that_were_not_counted(self, tmp_path):
        header = "Condition,Replicate,DNA_BC_F,DNA_UMI,RNA_BC_F,RNA_UMI"
        lines = ["HepG2,1,d1.fastq.gz,u.fastq.gz,r1.fastq.gz,v.fastq.gz"]
        path = self.files(tmp_path, header, lines)
        with pytest.raises(DataError):
            cg.mpra.read_counts(path, side_table=SIDE, assignment=ASSIGNMENT)

    @pytest.mark.simulation
    def test_from_the_shell(self, tmp_path):
        rng = np.random.default_rng(0)
        names = [f"{e}{arm}" for e in range(20) for arm in "ra"]
        letters = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(400)]
        side, assigned = tmp_path / "side.tsv", tmp_path / "barcodes.tsv"
        pd.DataFrame(
            {
                "oligo_name": names,
                "element": [n[:-1] for n in names],
                "arm": [n[-1] for n in names],
            }
        ).to_csv(side, sep="\t", index=False)
        pd.DataFrame({"barcode": letters, "oligo": np.repeat(names, 10)}).to_csv(
            assigned, sep="\t", index=False
        )
        for name in ("1.tsv", "2.tsv", "3.tsv"):
            rows = [f"{b}\t{rng.poisson(50)}\t{rng.poisson(60)}\n" for b in letters]
            (tmp_path / name).write_text("".join(rows))
        path = self.files(
            tmp_path,
            "Condition,Replicate,COUNTS",
            [f"A,{r},{r}.tsv" for r in (1, 2, 3)],
        )
        options = ["--design", side, "--assignment", assigned, "--control", "r"]
        options += ["--out", tmp_path / "out"]
        done = invoke("mpra", "analyze", path, *options)
        assert done.exit_code == 0, done.output
