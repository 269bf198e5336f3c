"""A figure into a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from causalgia.errors import OutcomesError
from causalgia.inputs import check_no_pipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI, _MOST_PIXELS = 160, 30_000


def save_figure(axes: Axes, path: str | Path) -> Path:
    """Write the figure that axes are in to a file (PNG, PDF or SVG by its name).

    A letter that the font lacks is an empty box and no warning; a figure is never wider or higher than 30,000 pixels.

    Parameters
    ----------
    axes
        What a function of this room drew into.
    path
        Where to.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    OutcomesError
        If the file cannot be written: the folder is not there, the ending is none that is known, or it is a pipe.

    Examples
    --------
    >>> import xarray as xr
    >>> import tempfile, xarray as xr
    >>> from causalgia.plot import forest
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> axes = forest(xr.Dataset({"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}))
    >>> save_figure(axes, Path(tempfile.mkdtemp()) / "forest.png").name
    'forest.png'
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        raise OutcomesError("these axes are in no figure any more; draw them again")
    check_no_pipe(path, OutcomesError)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph |Matplotlib currently does not support")
            figure.savefig(path, dpi=min(_DPI, _MOST_PIXELS / max(figure.get_size_inches())))
    except (OSError, ValueError) as error:
        msg = f"{path}: the figure cannot be written ({error}); choose another place or ending"
        raise OutcomesError(msg) from error
    return Path(path)
