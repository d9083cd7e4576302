"""One small simulated world with labels and a model trained on it, shared by the tests of this folder."""

from __future__ import annotations

import pytest

from graphscan.verdicts.training import PLATFORM, LabelledPlatform, Model, trained_model
from tests.unit.verdicts.verdict_worlds import Platform, simulated_platform


@pytest.fixture(scope="session")
def platform() -> Platform:
    return simulated_platform(30_000, 3)


@pytest.fixture(scope="session")
def model(platform: Platform) -> Model:
    labelled = LabelledPlatform("world 3", platform.table, platform.labels)
    return trained_model([labelled], name="test", scope=PLATFORM, seed=1)
