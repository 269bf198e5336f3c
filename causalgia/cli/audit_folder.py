"""The folder of `causalgia audit`: what it was made of, and what commands do with it."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from causalgia._audit.folder import ASKED, PROTOCOL, is_audit
from causalgia.cli.folder import check_free, write_text, written_whole
from causalgia.cli.options import load_predictor_spec
from causalgia.cli.output import echo, emit, record, record_files, records
from causalgia.cli.tables import print_written
from causalgia.errors import DataError, DesignError, StoreError, quoted
from causalgia.inputs import parse_toml, read_bytes, read_text, to_csv
from causalgia.results_folder import (
    ANSWER,
    CONCORDANCE,
    DECISIONS,
    ESTIMATES,
    FIT,
    LIBRARY,
    OUTCOMES,
    PAGE,
    SPEC,
    STORE,
)

if TYPE_CHECKING:
    from causalgia._audit import Audit
    from causalgia.predict import Predictor
    from causalgia.sequences.fasta import Sequences

STAGES, _SEQUENCES = "stages", "sequences.fa"
INPUTS, _ASKED = ASKED.split("/")
_TABLES = ("explained.tsv", "motifs.tsv", "rules.tsv")
_OF_OTHERS = (
    *(OUTCOMES, STORE, SPEC, ESTIMATES, DECISIONS),
    *(LIBRARY, FIT, CONCORDANCE),
)
_WRITTEN = "# What `causalgia audit` was asked; `causalgia reproduce` asks it again.\n"
CHECKED = "refutation.tsv"


def has_plan(folder: Path) -> bool:
    """Return whether an audit has got as far as its plan."""
    return (folder / STAGES / "plan.nc").is_file()


def forget(folder: Path) -> None:
    """Remove what an audit keeps to go on from."""
    for name in (STAGES, INPUTS):
        shutil.rmtree(folder / name, ignore_errors=True)


def check_audit_folder(folder: Path, *, force: bool) -> None:
    """Raise DataError if files of another command, or of the user, would be written over
    or stand beside those of an audit.
    """
    other = next((name for name in _OF_OTHERS if (folder / name).exists()), None)
    if other is not None:
        raise DataError(
            f"{folder} holds {other}, of another command; choose another folder"
        )
    if not is_audit(folder):
        names = (ANSWER, PAGE, PROTOCOL, *_TABLES, INPUTS, STAGES)
        check_free(folder, *names, force=force)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What an audit is made of, beside its sequences.

    Attributes
    ----------
    predictor
        The table [predictor].
    rng, minutes
        As asked.
    motifs
        JASPAR, or the name of the file of known motifs, a copy of which is kept.
    """

    predictor: dict[str, Any]
    rng: int
    minutes: float | None = None
    motifs: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Inputs:
        """Return what the audit in a folder was made of."""
        from causalgia.trial_file.tables import arguments

        path = folder / INPUTS / _ASKED
        if not path.is_file():
            raise DataError(f"{folder} holds no {INPUTS}/{_ASKED} of an audit")
        plain = parse_toml(read_text(path, DataError), DataError, source=str(path))
        try:
            return cls(**arguments(cls, plain, ""))
        except DesignError as error:
            raise DataError(f"{path}: {error}") from error

    def keep(self, folder: Path, given: Sequences, known: Path | None) -> None:
        """Write the inputs to a folder, all at once, unless its plan is made.

        Raises
        ------
        StoreError
            If it holds those of another audit.
        """
        import tomli_w

        from causalgia.sequences import decode

        rows = zip(given.names, decode(given.tokens), strict=True)
        files = {_SEQUENCES: "".join(f">{name}\n{row}\n" for name, row in rows)}
        kept = {name: text.encode() for name, text in files.items()}
        if known is not None:
            kept[known.name] = read_bytes(known, DataError)
        place = folder / INPUTS
        if (place / _ASKED).is_file():
            was = Inputs.read(folder)
            for name in ("motifs", "rng"):
                one, other = getattr(was, name), getattr(self, name)
                if one != other:
                    raise StoreError(
                        f"{folder}: holds another audit: {name} was {quoted(one)} and "
                        f"is {quoted(other)}"
                    )
            for name, content in kept.items():
                if read_bytes(place / name, DataError) != content:
                    raise StoreError(f"{folder}: holds another audit: of other {name}")
            if has_plan(
                folder
            ):  # other minutes change nothing; stages know the network
                return
        plain = {
            name: value for name, value in asdict(self).items() if value is not None
        }
        kept[_ASKED] = (_WRITTEN + tomli_w.dumps(plain)).encode()
        with written_whole(place) as new:
            for name, content in kept.items():
                write_text(new / name, content)

    def sequences_in(self, folder: Path) -> Sequences:
        """Return the sequences that are kept in a folder."""
        from causalgia.sequences import read_sequences

        return read_sequences(folder / INPUTS / _SEQUENCES)

    def motifs_in(self, folder: Path) -> str | None:
        """Return the known motifs that are kept in a folder."""
        if self.motifs is None or self.motifs == "JASPAR":
            return self.motifs
        return str(folder / INPUTS / self.motifs)

    def predictor_in(self, folder: Path, device: str | None) -> Predictor:
        """Return the network."""
        from causalgia.trial_file.tables import PredictorSpec

        path = folder / INPUTS / _ASKED
        spec = PredictorSpec.of(self.predictor, path.parent.resolve())
        return load_predictor_spec(spec, path, device)


def show_audit(folder: Path, *, tsv: bool) -> None:
    """Print the answer of an audit, or its table of motifs."""
    from causalgia._audit.read_back import read_audit

    found = read_audit(folder)
    if tsv:
        emit(to_csv(found.motifs, index=False, tabs=True).rstrip("\n"))
        return
    record_tables(found)
    echo(str(found))


def record_tables(found: Audit) -> None:
    """Add the tables of an audit to the document of a command."""
    tables = {name: getattr(found, name) for name in ("explained", "motifs", "rules")}
    record(**{name: lambda of=of: records(of) for name, of in tables.items()})


def report_audit(folder: Path, *, as_: str, out: Path | None) -> None:
    """Write the page of an audit, or print its report."""
    from causalgia._audit.read_back import read_audit, read_claims
    from causalgia.tell import report
    from causalgia.tell.audit_page import write_audit_page

    found = read_audit(folder)
    path = folder / PAGE if out is None and as_ == "page" else out
    if as_ == "page":
        assert path is not None
        if not path.parent.is_dir():
            raise DataError(f"{path.parent} is not a folder")
        with written_whole(path.parent) as new:
            write_audit_page(new / path.name, found, read_claims(folder))
    else:
        text = str(found) if as_ == "text" else str(report(found, as_=as_))  # type: ignore[call-overload]
        if path is None:
            echo(text.rstrip("\n"))
            return
        write_text(path, text.rstrip("\n") + "\n")
    record_files(path)
    echo(f"Wrote {path}")


def refute_audit(folder: Path, *, rng: int | None, device: str | None) -> int:
    """Ask every motif and rule that an audit prints again, on fresh shuffles, run the
    checks of each, and print a line for each; return 1 if a check of a claim fails.
    """
    from causalgia._audit.claims import SHUFFLES, refuted
    from causalgia._audit.read_back import read_audit

    found, inputs = read_audit(folder), Inputs.read(folder)
    place = folder.absolute()  # a predictor may change the working folder
    given, predictor = inputs.sequences_in(place), inputs.predictor_in(place, device)
    for name, file, now in (
        ("sequences", _SEQUENCES, given.digest),
        ("predictor", _ASKED, predictor.fingerprint),
    ):
        if (was := found.settings[name]) != now:
            raise DataError(
                f"{folder / INPUTS / file}: changed since the audit: {name} {was} then, "
                f"{now} now"
            )
    table = refuted(found, given, predictor, rng=inputs.rng if rng is None else rng)
    with written_whole(place) as new:
        write_text(new / CHECKED, to_csv(table, index=False, tabs=True))
    record(checks=lambda: records(table))
    claimed = table[table["claim"] != SHUFFLES]
    n_failed = int((claimed["fail"] > 0).sum())
    n, refuted_so = len(claimed), f"checks refute {n_failed}"
    echo(
        f"{n} claim{'s' * (n != 1)} asked again, on fresh units: "
        f"{refuted_so if n_failed else 'no check refutes any'}."
        if n
        else "The audit claims nothing, and there is nothing to refute."
    )
    for row in table.to_dict("records"):
        n_checks = row["pass"] + row["warn"] + row["fail"]
        doubts = f"; {row['doubts']}" if row["doubts"] else ""
        echo(f"{row['claim']}: {row['pass']} of {n_checks} checks pass{doubts}.")
    print_written(folder, CHECKED)
    return int(n_failed > 0)


def reproduce_audit(folder: Path, *, device: str | None) -> int:
    """Run an audit again from what its folder keeps, and compare every table; return 0
    if all have the same text, to the last digit.
    """
    from causalgia._audit import audit
    from causalgia._audit.claims import VERSIONS
    from causalgia._audit.read_back import read_audit

    found, inputs = read_audit(folder), Inputs.read(folder)
    place = folder.absolute()  # a predictor may change the working folder
    again = audit(
        inputs.predictor_in(place, device),
        inputs.sequences_in(place),
        motifs=inputs.motifs_in(place),
        minutes=found.plan,
        progress=False,
        rng=inputs.rng,
    )
    versions, differs = (
        [
            f"{name} {was} then, {again.settings.get(name)} now"
            for name, was in found.settings.items()
            if was != again.settings.get(name) and (name in VERSIONS) == of_machine
        ]
        for of_machine in (True, False)
    )
    with TemporaryDirectory() as new:
        again.save(new)
        tables = sorted(
            path.name for path in place.iterdir() if path.name in _compared(Path(new))
        )
        first = (_first_difference(place / name, Path(new) / name) for name in tables)
        differs += [one for one in first if one]
    record(ok=lambda: not differs)
    echo(
        f"Not reproduced: {'; '.join([*differs, *versions])}."
        if differs
        else f"Reproduced: {', '.join(tables)} have the same bits."
    )
    return int(bool(differs))


def _compared(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".tsv", ".bed")}


def _first_difference(one: Path, other: Path) -> str:
    """Return the first cell in which two tables differ; empty if none does."""
    from causalgia._audit.network import THROUGHPUT

    there, here = (
        [
            line.split("\t")
            for line in read_text(path, DataError).splitlines()
            if not line.startswith(THROUGHPUT)  # of the machine
        ]
        for path in (one, other)
    )
    for number, (was, now) in enumerate(zip(there, here, strict=False), start=1):
        for column, a, b in zip(there[0], was, now, strict=False):
            if a != b:
                return f"{one.name}: {column} in line {number}, {a} then and {b} now"
    if len(there) != len(here):
        return f"{one.name}: {len(there)} lines then and {len(here)} now"
    return "" if there == here else f"{one.name}: other columns"


def lock_audit(folder: Path, out: Path) -> None:
    """Fix what an audit was made of, what it spent, and what it claims."""
    from causalgia._audit.claims import lock
    from causalgia._audit.read_back import read_audit

    sha256 = lock(read_audit(folder), out)
    echo(f"Wrote {out}, SHA-256 {sha256}")
    echo(
        "Next, for another network or other sequences: causalgia verify DIR --protocol "
        f"{quote(str(out))}"
    )


def verify_audit(folder: Path, protocol: Path) -> int:
    """Compare the audit in a folder with a lock of one; return 1 if anything deviates."""
    from causalgia._audit.claims import deviations
    from causalgia._audit.read_back import read_audit

    found = deviations(protocol, read_audit(folder))
    record(ok=lambda: found.ok)
    echo(str(found))
    return int(not found.ok)
