"""Every picture of the gallery can be printed, and writes names as they are."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from figure_checks import faults, visible_texts
from gallery import ROOM, drawn


@pytest.mark.simulation
@pytest.mark.parametrize("name", ROOM)
def test_a_picture_can_be_printed(name):
    axes = drawn(name)
    figure = axes.get_figure(root=True)
    assert plt.gcf() is figure
    assert not faults(figure)
    named = [one.of for one in visible_texts(figure) if "of" in one.text]
    assert not any(text.get_parse_math() for text in named if "$" in text.get_text())
    plt.close(figure)
