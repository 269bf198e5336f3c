"""The command `causalgia discover`: a network and sequences in; the words that it reads, and others, out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from causalgia.cli.folder import DECISIONS, check_usable, output_folder, write_text
from causalgia.cli.one_line_errors import in_shell
from causalgia.cli.options import load_predictor_spec
from causalgia.cli.tables import echo, print_written
from causalgia.errors import OutcomesError
from causalgia.spreadsheet import to_csv

WORDS, PAIRS, SITES, PROPOSALS = "words.csv", "pairs.csv", "sites.bed", "proposals.nc"
UNFINISHED = "discovery"


def discover_words(
    network: Annotated[
        Path, typer.Argument(metavar="NET.TOML", help="A file with the table [predictor], as in a trial.toml.")
    ],
    sequences: Annotated[
        Path, typer.Option("--sequences", metavar="FASTA", help="Sequences of one length, 40 or more, such as peaks.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder; created if missing.")],
    motifs: Annotated[
        Path | None,
        typer.Option("--motifs", metavar="MEME", help="File of motifs to name words by; or JASPAR, its vertebrates'."),
    ] = None,
    n_units: Annotated[int, typer.Option(min=2, help="Backgrounds of each trial.")] = 200,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="What proposes words: seqlets, modisco, filters, kmer; once for each. All that can, if left out."
        ),
    ] = None,
    rng: Annotated[int, typer.Option(min=0, help="Seed of null sequences and backgrounds.")] = 0,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, mps; overrides the file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files, and start anew.")] = False,
) -> None:
    """Find the words that a network reads: proposed on half of the sequences, tested on the other half.

    Maps of one half propose words; each is embedded in shuffles of the other half and compared with placebo words. If
    the file lists several weights, words are tested in each retraining, and hold where they do in more than half.

    Writes a table of all words (words.csv), those that did not hold included, how pairs of the largest read together
    (pairs.csv), and where words that hold occur (sites.bed). The same command resumes a run that was stopped.

    Example:   causalgia discover net.toml --sequences peaks.fa --out words

    Example:   causalgia discover net.toml --sequences peaks.fa --motifs JASPAR --out words
    """
    from causalgia import store
    from causalgia._discover import discover
    from causalgia.trial_file import read_predictor_spec

    check_usable(out)
    _check_files(out, sequences, None if motifs == Path("JASPAR") else motifs, force=force)
    predictor = load_predictor_spec(read_predictor_spec(network), network, device)
    with output_folder(out) as folder:
        if force:
            shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
        asked = "all" if not method else method[0] if len(method) == 1 else tuple(method)
        named = None if motifs is None else str(motifs)
        store_at = folder / UNFINISHED
        found = discover(
            predictor, sequences, n_units=n_units, method=cast(Any, asked), motifs=named, store=store_at, rng=rng
        )
        for name, table in ((WORDS, found.table), (PAIRS, found.pairs)):
            write_text(folder / name, to_csv(table, index=False))
        rows = found.sites.itertuples(index=False)
        bed = (f"{row.sequence}\t{row.start}\t{row.stop}\t{row.word}\t0\t{row.strand}\n" for row in rows)
        write_text(folder / SITES, "".join(bed))
        store.save(found.proposals, folder / PROPOSALS)
        written = [WORDS, PAIRS, SITES, PROPOSALS]
        if found.decisions is not None:
            store.save(found.decisions, folder / DECISIONS)
            written.append(DECISIONS)
        shutil.rmtree(folder / UNFINISHED)
        echo(in_shell(str(found)))
        echo()
    print_written(folder, *written)


def _check_files(out: Path, *given: Path | None, force: bool) -> None:
    """Raise OutcomesError where a file of another run or of the user would be overwritten."""
    for name in (WORDS, PAIRS, SITES, PROPOSALS, DECISIONS):
        path = out / name
        if path.is_dir() or any(path.exists() and file is not None and path.samefile(file) for file in given):
            raise OutcomesError(f"{path} cannot be written over; choose another --out")
        if path.exists() and not force:
            raise OutcomesError(
                f"{out} holds another {name} already; choose another --out, or --force to write over it"
            )
