"""The files of `causalgia discover`, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalgia.cli.folder import write_text
from causalgia.errors import DataError, quoted
from causalgia.inputs import to_csv
from causalgia.notes import said_to_json
from causalgia.results_folder import DECISIONS, LOGOS, MOTIFS

if TYPE_CHECKING:
    from causalgia._discover import Discovery


PAIRS, SITES, PROPOSALS = "pairs.tsv", "sites.bed", "proposals.nc"
FAMILIES, PICTURE = "families.tsv", "families.png"
OF_MOTIFS = (MOTIFS, FAMILIES, PAIRS, SITES, PROPOSALS, DECISIONS, LOGOS, PICTURE)


def write_discovery(found: Discovery, folder: Path) -> list[str]:
    """Write the files of a discovery, and return their names."""
    from causalgia import store
    from causalgia.tell.figures.style import save_figure

    tables = {MOTIFS: found.table, FAMILIES: found.families, PAIRS: found.pairs}
    for name, table in tables.items():
        write_text(folder / name, to_csv(table, index=False, tabs=True))
    bed = (
        f"{row.sequence}\t{row.start}\t{row.stop}\t{row.motif}\t0\t{row.strand}\n"
        for row in found.sites.itertuples(index=False)
    )
    write_text(folder / SITES, "".join(bed))
    store.save(found.proposals, folder / PROPOSALS)
    written = [*tables, SITES, PROPOSALS]
    if found.decisions is not None and found.logos is not None:
        # for the page of the folder
        printed = {"question": found.question, "answer": said_to_json(found.sentences)}
        store.save(found.logos.assign_attrs(_of_page(found)), folder / LOGOS)
        store.save(found.decisions.assign_attrs(printed), folder / DECISIONS)
        written += [DECISIONS, LOGOS]
        if len(found.confirmed):
            save_figure(found.draw(), folder / PICTURE)
            written.append(PICTURE)
    return written


def _of_page(found: Discovery) -> dict[str, Any]:
    """Return what a page says of a discovery besides its tables, as attributes."""
    return {
        "n_proposing": found.n_proposing,
        "n_fresh": found.n_fresh,
        "length": found.length,
        **{
            name: "\n".join(getattr(found, name))
            for name in ("sentences", "foot", "notes")
        },
    }


def read_discovery(folder: Path) -> Discovery:
    """Return the discovery whose files a folder has, for its page.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    import pandas as pd

    from causalgia import store
    from causalgia._discover import OF_MOTIFS, OF_PAIRS, Discovery

    def table(
        name: str, columns: Sequence[str], numbers: Sequence[str], **settings: Any
    ) -> pd.DataFrame:
        try:
            read: pd.DataFrame = pd.read_csv(
                folder / name, sep="\t", keep_default_na=False, **settings
            )
            if lacking := [one for one in columns if one not in read]:
                raise ValueError(f"no column {quoted(lacking[0])}")
            return read.assign(**{one: pd.to_numeric(read[one]) for one in numbers})
        except (OSError, ValueError) as error:
            raise DataError(f"{folder / name}: cannot be read ({error})") from error

    logos = store.read_netcdf(folder / LOGOS)
    motifs = table(
        MOTIFS,
        OF_MOTIFS,
        ("name_q", "ace", "lower", "upper", "q", "members", "sequences"),
    )
    pairs = table(
        PAIRS,
        OF_PAIRS,
        ("first_alone", "second_alone", "interaction", "lower", "upper"),
    )
    columns = ["sequence", "start", "stop", "motif", "score", "strand"]
    types = {"sequence": str, "start": int, "stop": int}
    sites = table(SITES, columns, (), header=None, names=columns, dtype=types)
    more: dict[str, Any] = {
        name: int(logos.attrs[name]) for name in ("n_proposing", "n_fresh", "length")
    }
    more |= {
        name: tuple(filter(None, str(logos.attrs[name]).split("\n")))
        for name in ("sentences", "foot", "notes")
    }
    return Discovery(
        table=motifs,
        pairs=pairs,
        sites=sites.drop(columns="score"),
        proposals=store.load(folder / PROPOSALS, "proposals"),
        decisions=store.load(folder / DECISIONS, "decisions"),
        logos=logos.assign_coords(family=logos["family"].astype(str)),
        **more,
    )
