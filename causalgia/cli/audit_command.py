"""The command `causalgia audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from causalgia.choices import RECORD_SKIPS
from causalgia.cli.audit_folder import (
    STAGES,
    Inputs,
    check_audit_folder,
    forget,
    has_plan,
    record_tables,
)
from causalgia.cli.folder import (
    SKIPPED,
    check_usable,
    only_writer,
    output_folder,
    skipped_listed,
    words_of_option,
    write_skipped,
)
from causalgia.cli.options import dask_client, load_predictor_spec
from causalgia.cli.output import echo, output
from causalgia.cli.shell import Dask, Device, Force, Whole, Workers
from causalgia.cli.tables import print_written


def audit(
    network: Path,
    /,
    *,
    sequences: Path,
    out: Path,
    motifs: Path | None = None,
    minutes: float | None = None,
    length: Whole | None = None,
    skip: Annotated[
        str,
        Parameter(
            help="Leave out sequences for these reasons, and list them in skipped.tsv: "
            f"all, or {', '.join(RECORD_SKIPS)}, separated by commas."
        ),
    ] = "",
    ambiguous: Literal["refuse", "draw"] = "refuse",
    rng: Whole = 0,
    device: Device = None,
    dask: Dask = None,
    workers: Workers = None,
    force: Force = False,
    progress: Annotated[bool, Parameter(negative="--no-progress")] = True,
) -> None:
    """Find what a network learned: the motifs that it reads, the rules between them, and
    how much of its predictions they explain.

    Half of the sequences propose, a quarter tests, and a quarter confirms. Prints the
    answer, and writes it with its page (report.html), its tables (motifs.tsv, rules.tsv,
    explained.tsv), the sites that act (sites.bed), oligos that would test the claims
    (library), and what it was made of (protocol.toml, inputs). What it is doing is
    printed to stderr.

    Each stage is kept in the folder: after Ctrl-C or a kill the same command goes on
    from the last one. refute, reproduce, lock, verify, show and report take the folder.

    Example:   causalgia audit net.toml --sequences peaks.fa --out found

    Example:   causalgia audit net.toml --sequences peaks.fa --motifs JASPAR --out found

    Parameters
    ----------
    network
        A file with the table [predictor], as in a trial.toml.
    sequences
        Sequences of one length, 80 or more, such as peaks: FASTA.
    out
        Output folder; created if missing.
    motifs
        File of known motifs, which are candidates as well and give names; or JASPAR.
    minutes
        Time for predictions, about; left out: what is done follows from the number of
        sequences and their length. It is decided once, and kept, whatever is said
        later; --force starts anew.
    length
        Take so many bases from the middle of each sequence.
    ambiguous
        Letters such as N: refuse, or draw them by --rng.
    rng
        Seed.
    force
        Overwrite existing files, and start anew.
    progress
        Print each stage, and how long it will take, to stderr.
    """
    from causalgia._audit import audit as audit_of
    from causalgia.sequences import read_sequences
    from causalgia.sequences.motif_names import is_jaspar
    from causalgia.sequences.skipped_inputs import skip_sentence
    from causalgia.trial_file import read_predictor_spec

    check_usable(out)
    spec = read_predictor_spec(network)
    # a predictor may change the working folder
    place, listed = out.absolute(), sequences.absolute()
    known = None if motifs is None or is_jaspar(str(motifs)) else motifs.absolute()
    check_audit_folder(place, force=force)
    predictor = load_predictor_spec(spec, network, device)
    with skipped_listed(place):
        given = read_sequences(
            listed,
            length=length,
            ambiguous=ambiguous,
            rng=rng,
            skip=words_of_option(skip),
        )
    with (
        output_folder(place) as folder,
        only_writer(folder),
        dask_client(dask, workers) as client,
    ):
        if force:
            forget(folder)
        inputs = Inputs(
            predictor=spec.to_dict(),
            rng=rng,
            minutes=minutes,
            motifs=None if motifs is None else known.name if known else "JASPAR",
        )
        inputs.keep(folder, given, known)
        try:
            found = audit_of(
                predictor,
                inputs.sequences_in(folder),
                motifs=inputs.motifs_in(folder),
                minutes=minutes,
                store=folder / STAGES,
                client=client,
                progress=progress and not output().quiet,
                rng=rng,
            )
        except BaseException as error:
            if not has_plan(folder):  # nothing to go on from
                forget(folder)
            elif isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(
                    "interrupted; the same command goes on from the last stage that is "
                    "done"
                ) from None
            raise
        written = found.save(folder)
        names = [str(path.relative_to(folder)) for path in written]
        (folder / SKIPPED).unlink(missing_ok=True)
        if given.skipped:
            write_skipped(folder, given.skipped)
            names.append(SKIPPED)
    record_tables(found)
    echo(str(found))
    if given.skipped:
        echo(f"{skip_sentence(given.skipped, len(given), 'sequences')}.")
    echo()
    print_written(out, *(name for name in names if "/" not in name), "library")
