"""Counts and side tables in the layouts of other pipelines, written as these write them:
MPRAsnakeflow 28f8e0c, BCalm d64a21a, MPRAflow 87d8b4c.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_shell import invoke

import causalgia as cg
from causalgia.errors import DataError

SIDE = pd.DataFrame(
    {"oligo_name": ["a", "b"], "element": "u1", "arm": ["ref", "alt"], "group": "test"}
)
BARCODES = ["AACCGGTT", "CCGGTTAA", "GGTTAACC", "TTAACCGG"]
OLIGOS = ["a", "a", "b", "b"]
DNA = [[10, 12], [4, np.nan], [7, 20], [9, 6]]
RNA = [[20, 15], [0, np.nan], [9, 30], [5, 8]]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith("gz") else data)
    return path


def wide(header: str, separator: str = "\t", barcodes=BARCODES) -> str:
    rows = [
        separator.join(
            [
                barcode,
                oligo,
                *(
                    "" if x != x else f"{x:g}"
                    for x in np.ravel(np.column_stack([dna, rna]))
                ),
            ]
        )
        for barcode, oligo, dna, rna in zip(barcodes, OLIGOS, DNA, RNA, strict=True)
    ]
    return "\n".join([header, *rows]) + "\n"


def read(folder: Path, text: str, name: str = "counts.tsv", side=SIDE, **settings):
    return cg.mpra.read_counts(write(folder, name, text), side_table=side, **settings)


def is_whole(counts) -> bool:
    order = np.argsort(counts["barcode"].values)
    return (
        counts["barcode"].values[order].tolist() == BARCODES
        and (counts["dna"].values[order] == np.nan_to_num(DNA)).all()
        and (counts["rna"].values[order] == np.nan_to_num(RNA)).all()
        and (counts["dna_observed"].values[order] == ~np.isnan(DNA)).all()
    )


PLAIN = "barcode\toligo_name\tdna_count_1\trna_count_1\tdna_count_2\trna_count_2"
BCALM = PLAIN.replace("barcode\toligo_name", "Barcode\tname")


class TestBarcodes:
    def test_of_igvf_and_mpra_snakeflow(self, tmp_path):
        counts = read(tmp_path, wide(PLAIN), "counts.tsv.gz")
        assert is_whole(counts)

    @pytest.mark.parametrize(
        ("header", "separator"),
        [
            (BCALM, "\t"),
            (PLAIN.upper(), "\t"),
            (PLAIN.replace("\t", ","), ","),
            (PLAIN.replace("\t", ";"), ";"),
            ("BC\tOligo\tDNA1\tRNA1\tDNA2\tRNA2", "\t"),
            ("bc\toligo\trep1_DNA\trep1_RNA\trep2_DNA\trep2_RNA", "\t"),
            (
                "barcode\tlabel\tDNA(condition X, replicate 1)\tRNA(condition X, replicate "
                "1)\tDNA(condition X, replicate 2)\tRNA(condition X, replicate 2)",
                "\t",
            ),
        ],
        ids=["BCalm", "upper", "csv", "semicolons", "short", "prefix", "MPRAnalyze"],
    )
    def test_under_other_headers(self, tmp_path, header, separator):
        counts = read(tmp_path, wide(header, separator))
        assert is_whole(counts)

    def test_with_quotes_and_names_of_rows_as_r_writes_them(self, tmp_path):
        quoted = wide('"' + PLAIN.replace("\t", '"\t"') + '"')
        assert is_whole(read(tmp_path, quoted))

    @pytest.mark.parametrize("header", [PLAIN, BCALM], ids=["IGVF", "BCalm"])
    def test_in_lower_case(self, tmp_path, header):
        text = wide(header, barcodes=[one.lower() for one in BARCODES])
        assert is_whole(read(tmp_path, text))


class TestSums:
    def test_of_igvf_reporter_experiment(self, tmp_path):
        text = (
            "replicate\toligo_name\tdna_counts\trna_counts\tdna_normalized\t"
            "rna_normalized\tlog2FoldChange\tn_bc\n"
            "1\ta\t100\t200\t1.5\t3.1\t1.04\t12\n2\ta\t110\t190\t1.5\t3.1\t1.04\t11\n"
            "1\tb\t300\t200\t1.5\t3.1\t1.04\t12\n2\tb\t310\t290\t1.5\t3.1\t1.04\t13\n"
        )
        counts = read(tmp_path, text)
        assert counts["dna"].values.tolist() == [[100, 110], [300, 310]]
        assert counts["rna"].values.tolist() == [[200, 190], [200, 290]]
        assert counts["barcode"].values.tolist() == ["a", "b"]

    def test_of_a_row_an_oligo(self, tmp_path):
        text = "Oligo,DNA_1,RNA_1,DNA_2,RNA_2\na,100,200,110,190\nb,300,200,310,290\n"
        counts = read(tmp_path, text)
        assert counts["rna"].values.tolist() == [[200, 190], [200, 290]]


LETTERS = ["ACGTACGTAA", "ACGTACGTCC"]
OF_SEQUENCES = SIDE.assign(oligo_name=LETTERS)
SUMS = "{}\tDNA_1\tRNA_1\tDNA_2\tRNA_2\n{}\t10\t20\t12\t15\n{}\t7\t9\t20\t30\n"


class TestColumnsUnderAnyName:
    """The names of public tables: what a column holds says what it is."""

    @pytest.mark.parametrize("name", ["SNP", "CRE", "variant_id", "Tile ID", "element"])
    def test_the_column_of_text_is_the_oligo(self, tmp_path, name):
        counts = read(tmp_path, SUMS.format(name, "a", "b"))
        assert counts["oligo"].values.tolist() == ["a", "b"]
        assert counts["rna"].values.tolist() == [[20, 15], [9, 30]]
        assert f"'{name}' read as the oligo" in counts.attrs["table_format"]

    @pytest.mark.parametrize("name", ["seq", "sequence", "insert"])
    def test_letters_are_the_oligos_of_sums(self, tmp_path, name):
        counts = read(tmp_path, SUMS.format(name, *LETTERS), side=OF_SEQUENCES)
        assert counts["oligo"].values.tolist() == LETTERS

    def test_columns_of_text_that_do_not_tell_rows_apart_are_no_oligos(self, tmp_path):
        text = SUMS.format("chr\tSNP\tclass", "X\ta\tnew", "X\tb\tnew")
        assert read(tmp_path, text)["oligo"].values.tolist() == ["a", "b"]

    @pytest.mark.parametrize(
        "keys", ["barcode\tSNP", "tag_seq\toligo_name", "bc7\tCRE"]
    )
    def test_letters_are_the_barcodes_of_oligos_with_several(self, tmp_path, keys):
        text = wide(PLAIN.replace("barcode\toligo_name", keys))
        assert is_whole(read(tmp_path, text))

    def test_letters_are_the_barcodes_of_an_assignment(self, tmp_path):
        text = wide(PLAIN.replace("barcode", "tag_seq"))
        text = "\n".join(
            line.replace("\ta", "").replace("\tb", "") for line in text.split("\n")
        )
        text = text.replace("\toligo_name", "")
        pairs = pd.DataFrame({"barcode": BARCODES, "oligo": OLIGOS})
        assert is_whole(read(tmp_path, text, assignment=pairs))

    def test_the_side_table_too(self, tmp_path):
        side = SIDE.rename(columns={"oligo_name": "SNP"}).assign(chr="chr1")
        assert is_whole(read(tmp_path, wide(PLAIN), side=side))

    def test_without_a_side_table_each_oligo_is_an_element(self, tmp_path):
        counts = read(tmp_path, wide(PLAIN), side=None)
        assert counts["element"].values.tolist() == ["a", "b"]


class TestPlasmidPools:
    @pytest.mark.parametrize(
        ("dna", "rna"),
        [
            (["DNA1", "DNA2"], ["RNA1", "RNA2", "RNA3"]),
            (["plasmid_1", "plasmid_2"], ["RNA_1", "RNA_2", "RNA_3"]),
            (["Input1", "Input2", "Input3"], ["Output1", "Output2"]),
            (["DNA_a", "DNA_b"], ["RNA_1", "RNA_2", "RNA_3"]),
        ],
    )
    def test_dna_that_pairs_with_no_rna_is_summed_and_said(self, tmp_path, dna, rna):
        reads = np.arange(1, 1 + 2 * len(dna + rna)).reshape(2, -1)
        table = pd.DataFrame(reads, columns=dna + rna).assign(oligo=["a", "b"])
        table.to_csv(tmp_path / "sums.tsv", sep="\t", index=False)
        counts = cg.mpra.read_counts(tmp_path / "sums.tsv", side_table=SIDE)
        assert counts["dna"].values.tolist() == table[dna].sum(axis=1).tolist()
        assert counts["rna"].values.tolist() == table[rna].values.tolist()
        assert "summed to one pool" in counts.attrs["table_format"]


class TestFilesOfReplicates:
    def files(self, folder: Path, header: str = "") -> dict[str, Path]:
        found = {}
        for r in range(2):
            rows = [
                f"{barcode}{'' if not header else chr(9) + oligo}\t{dna[r]:g}\t{rna[r]:g}"
                for barcode, oligo, dna, rna in zip(
                    BARCODES, OLIGOS, DNA, RNA, strict=True
                )
                if dna[r] == dna[r]
            ]
            text = "\n".join([header] * bool(header) + rows) + "\n"
            found[f"{r + 1}"] = write(folder, f"HepG2_{r + 1}_counts.tsv.gz", text)
        return found

    def test_of_mpra_flow_with_an_assignment(self, tmp_path):
        assigned = "".join(f"{b}\t{o}\n" for b, o in zip(BARCODES, OLIGOS, strict=True))
        files = self.files(tmp_path)
        path = write(tmp_path, "barcodes.tsv.gz", assigned)
        counts = cg.mpra.read_counts(files, side_table=SIDE, assignment=path)
        assert is_whole(counts)

    def test_barcodes_without_an_oligo_are_counted_and_left_out(self, tmp_path):
        table = pd.DataFrame({"barcode": BARCODES[:3], "oligo": OLIGOS[:3]})
        counts = cg.mpra.read_counts(
            self.files(tmp_path), side_table=SIDE, assignment=table
        )
        assert counts.sizes["barcode"] == 3

    def test_of_mpra_snakeflow(self, tmp_path):
        header = "barcode\toligo_name\tdna_count\trna_count"
        assert is_whole(
            cg.mpra.read_counts(self.files(tmp_path, header), side_table=SIDE)
        )

    def test_in_a_list_are_named_by_what_differs_between_their_names(self, tmp_path):
        header = "barcode\toligo_name\tdna_count\trna_count"
        files = [*self.files(tmp_path, header).values()]
        counts = cg.mpra.read_counts(files, side_table=SIDE)
        assert is_whole(counts)
        assert counts["replicate"].values.tolist() == ["1", "2"]
        assert is_whole(cg.mpra.read_counts([*map(str, files)], side_table=SIDE))

    def test_whose_columns_name_their_own_replicate_are_joined(self, tmp_path):
        files = []
        for r, one in self.files(tmp_path, "barcode\toligo_name\tdna\trna").items():
            text = gzip.decompress(one.read_bytes()).decode()
            text = text.replace("dna\trna", f"dna_count_{r}\trna_count_{r}")
            files.append(write(tmp_path, f"rep{r}.tsv", text))
        assert is_whole(cg.mpra.read_counts(files, side_table=SIDE))

    def test_a_wrong_cell_is_named_by_its_file_and_line(self, tmp_path):
        files = self.files(tmp_path, "barcode\toligo_name\tdna_count\trna_count")
        text = gzip.decompress(files["2"].read_bytes()).replace(b"\t30\n", b"\t3.5\n")
        files["2"].write_bytes(gzip.compress(text, mtime=0))
        with pytest.raises(DataError):
            cg.mpra.read_counts(files, side_table=SIDE)


VARIANTS = (
    "AACCGGTT \nCCGGTTAA,CCGGTTAC \nGGTTAACC TERT:20:C>G\n"
    "TTAACCGG TERT:20:C>G TERT:7:GCC>GC\nAAAACCCC TERT:9:A>.\n"
)


class TestSaturationMutagenesis:
    """MPRAflow's ``variants.txt``: the barcode, a space, and its variants."""

    def files(self, folder: Path) -> list[Path]:
        return [
            write(
                folder,
                f"TERT-GBM_{r + 1}_counts.tsv.gz",
                "".join(
                    f"{barcode}\t{dna[r]:g}\t{rna[r]:g}\n"
                    for barcode, dna, rna in zip(
                        [*BARCODES, "CCGGTTAC"],
                        np.nan_to_num([*DNA, [3, 2]]),
                        np.nan_to_num([*RNA, [1, 8]]),
                        strict=True,
                    )
                ),
            )
            for r in range(2)
        ]

    def read(self, folder: Path, text: str = VARIANTS, **settings):
        path = write(folder, "TERT.variants.txt.gz", text)
        settings = {"side_table": path, "assignment": path} | settings
        return cg.mpra.read_counts(self.files(folder), **settings)

    def test_the_variants_of_each_barcode_are_kept(self, tmp_path):
        counts = self.read(tmp_path)
        assert counts["element"].values.tolist() == ["TERT"] * 3
        assert counts["arm"].values.tolist() == ["reference", "several", "20:C>G"]
        of = dict(zip(counts["barcode"].values, counts["dna"].values, strict=True))
        assert {name: row.tolist() for name, row in of.items()} == {
            "AACCGGTT": [10, 12],
            "CCGGTTAA": [7, 2],  # and CCGGTTAC, which was taken for it
            "GGTTAACC": [7, 20],
            "TTAACCGG": counts["dna"].sel(barcode="TTAACCGG").values.tolist(),
        }
        assert counts["variant"].values.tolist() == ["7:GCC>GC", "20:C>G"]
        index = counts["variant_index"].sel(
            barcode=["AACCGGTT", "GGTTAACC", "TTAACCGG"]
        )
        assert [sorted(row) for row in index.values.tolist()] == [
            [-1, -1],
            [-1, 1],
            [0, 1],
        ]

    def test_one_variant_at_most_is_an_ordinary_library(self, tmp_path):
        lines = [line for line in VARIANTS.split("\n") if line.count("TERT") < 2]
        counts = self.read(tmp_path, "\n".join(lines))
        assert counts["arm"].values.tolist() == ["reference", "20:C>G"]
        assert "variant_index" not in counts


def one_file_each(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """Write three replicates as MPRAflow does, one oligo more than the side table has;
    return the files, and the options that read them.
    """
    n = 12
    truth = pd.DataFrame(
        {
            "element": np.repeat([f"e{i}" for i in range(n)], 2),
            "arm": ["ref", "alt"] * n,
            "log2": [0.0, 1.0] * n,
        }
    )
    counts = cg.mpra.simulate(truth, n_barcodes=6, n_replicates=3, p_missing=0, rng=0)
    rng = np.random.default_rng(1)
    letters = ["".join(rng.choice(list("ACGT"), 15)) for _ in counts["barcode"]]
    oligos = counts["oligo"].values[counts["oligo_index"].values]
    write(
        folder,
        "assigned.tsv",
        "".join(f"{a}\t{b}\n" for a, b in zip(letters, oligos, strict=True)),
    )
    side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
    side.iloc[2:].to_csv(folder / "side.tsv", sep="\t")
    files = []
    for r in range(3):
        rows = zip(
            letters,
            counts["dna"].values[:, r].astype(int),
            counts["rna"].values[:, r].astype(int),
            strict=True,
        )
        text = "".join(f"{a}\t{b}\t{c}\n" for a, b, c in rows)
        files.append(str(write(folder, name.format(r + 1), text)))
    return files, ["--design", str(folder / "side.tsv"), "--control", "ref"]


def in_bench(*words: str):
    found = invoke("mpra", *words, env={"COLUMNS": "300"})
    return found.exit_code, " ".join(found.output.split())


class TestFilesOfReplicatesInTheShell:
    @pytest.mark.simulation
    def test_are_read_as_in_python(self, tmp_path):
        files, options = one_file_each(tmp_path, "K562_{}_counts.tsv.gz")
        options += ["--out", str(tmp_path / "out"), "--drop-unknown", "--notes"]
        assigned = ["--assignment", str(tmp_path / "assigned.tsv")]
        code, text = in_bench("analyze", *files, *assigned, *options)
        assert code == 0, text
        named = [f"{name}={one}" for name, one in zip("cab", files, strict=True)]
        code, text = in_bench("analyze", *named, *assigned, *options, "--force")
        assert code == 0, text

    def test_of_a_pilot_give_the_noise(self, tmp_path):
        files, options = one_file_each(tmp_path, "K562_{}_counts.tsv.gz")
        assigned = ["--assignment", str(tmp_path / "assigned.tsv")]
        code, text = in_bench("power", *files, *options, *assigned)
        assert code != 0
        code, text = in_bench("power", *files, *options, *assigned, "--drop-unknown")
        assert code == 0, text
        code, text = in_bench("power", *assigned)
        assert code != 0


class TestSideTables:
    def test_labels_without_a_header(self, tmp_path):
        labels = write(tmp_path, "labels.tsv", "a\tHNF4A\nb\tneg_control\n")
        counts = read(tmp_path, wide(PLAIN), side=labels)
        assert counts["element"].values.tolist() == ["a", "b"]
        assert counts["arm"].values.tolist() == ["HNF4A", "neg_control"]
        assert counts["group"].values.tolist() == ["test", "negative"]

    @pytest.mark.parametrize("separator", ["\t", ","])
    def test_the_variants_of_bcalm(self, tmp_path, separator):
        text = "ID\tREF\tALT\nrs1\ta\tb\nrs2\tc\td\nrs3\tc\te\n"
        side = write(tmp_path, "map.txt", text.replace("\t", separator))
        rows = zip(("ACACAC", "AGAGAG", "ATATAT"), "cde", strict=True)
        more = "".join(f"{barcode}\t{oligo}\t1\t2\t3\t4\n" for barcode, oligo in rows)
        counts = read(tmp_path, wide(BCALM) + more, side=side)
        assert counts["element"].values.tolist() == ["rs1"] * 2 + ["rs2;rs3"] * 3
        assert counts["arm"].values.tolist() == ["ref", "alt", "ref", "alt", "alt2"]

    def test_in_any_case_and_with_commas(self, tmp_path):
        side = write(
            tmp_path, "side.csv", "Oligo_Name,Element,Arm\na,u1,ref\nb,u1,alt\n"
        )
        assert is_whole(read(tmp_path, wide(PLAIN), side=side))


class TestOligosBeyondTheSideTable:
    def test_are_refused_or_left_out_and_counted(self, tmp_path):
        text = wide(PLAIN) + "ACACACAC\tz\t1\t2\t3\t4\n"
        counts = read(tmp_path, text, drop_unknown=True)
        assert is_whole(counts)

    @pytest.mark.simulation
    def test_are_counted_by_the_command_line(self, tmp_path):
        truth = pd.DataFrame(
            {
                "element": np.repeat([f"e{i}" for i in range(12)], 2),
                "arm": ["ref", "alt"] * 12,
                "log2": [0.0, 1.0] * 12,
            }
        )
        counts = cg.mpra.simulate(truth, n_barcodes=6, n_replicates=3, rng=0)
        path = cg.mpra.to_igvf(
            counts, tmp_path / "c.tsv", "reporter_experiment_barcode"
        )
        side = counts[["element", "arm"]].to_dataframe().rename_axis("oligo_name")
        side.iloc[2:].to_csv(tmp_path / "side.tsv", sep="\t")
        command = ["mpra", "analyze", str(path), "--design", str(tmp_path / "side.tsv")]
        command += ["--control", "ref", "--out", str(tmp_path / "out")]
        found = invoke(*command)
        assert found.exit_code != 0
        found = invoke(*command, "--drop-unknown", "--notes")
        assert found.exit_code == 0, found.output


@pytest.mark.real
class TestPublicTables:
    """Excerpts of public data, as published."""

    def test_of_bcalm(self, shared):
        folder = shared / "data" / "mpra_public"
        counts = cg.mpra.read_counts(
            folder / "bcalm12_counts.tsv", side_table=folder / "bcalm12_side.tsv"
        )
        assert dict(counts.sizes) == {"barcode": 262, "replicate": 3, "oligo": 24}

    def test_of_sums_without_their_invented_barcodes(self, shared, tmp_path):
        folder = shared / "data" / "mpra_public"
        table = pd.read_csv(folder / "tewhey60_sums.tsv", sep="\t")
        table.drop(columns="barcode").to_csv(tmp_path / "sums.csv", index=False)
        side = folder / "tewhey60_side.tsv"
        sums = cg.mpra.read_counts(tmp_path / "sums.csv", side_table=side)
        plain = cg.mpra.read_counts(folder / "tewhey60_sums.tsv", side_table=side)
        np.testing.assert_array_equal(sums["rna"], plain["rna"])
        fits = [cg.mpra.fit(one, control="A") for one in (sums, plain)]
        np.testing.assert_array_equal(fits[0]["se"], fits[1]["se"])

    @pytest.mark.simulation
    def test_of_a_plasmid_pool_as_published(self, shared):
        folder = shared / "data" / "mpra" / "crx_rho_library1"
        labels = pd.read_csv(folder / "barcode_counts.tsv.gz", sep="\t")["label"]
        parts = labels.drop_duplicates().str.rsplit("_", n=1)
        side = pd.DataFrame(
            {
                "oligo_name": labels.drop_duplicates(),
                "element": parts.str[0],
                "arm": parts.str[-1],
            }
        )
        counts = cg.mpra.read_counts(folder / "barcode_counts.tsv.gz", side_table=side)
        assert counts["dna"].dims == ("barcode",)
        assert counts["replicate"].values.tolist() == ["1", "2", "3"]
