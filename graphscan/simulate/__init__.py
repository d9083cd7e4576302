"""Seeded worlds with known truth: organic life, farms, and groups that only look like farms.

>>> from graphscan.simulate import FarmSpec, plant
>>> world = plant(events, [FarmSpec(n_accounts=30, jitter_s=60.0)], seed=1)  # doctest: +SKIP
"""

from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import (
    BrandMatrixSpec,
    BridgeSpec,
    ClassChatSpec,
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    GiveawaySpec,
    NullGroupSpec,
    PushSpec,
    Spec,
    SyndicationSpec,
    ViralSpec,
)
from graphscan.simulate.planting import plant
from graphscan.simulate.truth import Cell, null_world, plant_into_background, truth_world
from graphscan.simulate.world import World, write_world

__all__ = [
    "Background",
    "BrandMatrixSpec",
    "BridgeSpec",
    "Cell",
    "ClassChatSpec",
    "FanClubSpec",
    "FarmSpec",
    "FramingSpec",
    "GiveawaySpec",
    "NullGroupSpec",
    "PushSpec",
    "Spec",
    "SyndicationSpec",
    "ViralSpec",
    "World",
    "null_world",
    "plant",
    "plant_into_background",
    "truth_world",
    "write_world",
]
