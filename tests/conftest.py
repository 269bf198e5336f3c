"""What all tests share: Hypothesis profiles, and the real networks beside the repository where they exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real networks and sequences; a test that asks for it is skipped only where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the folder 'shared' beside the repository is absent")
    return SHARED
