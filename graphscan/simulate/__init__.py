"""Seeded worlds with known truth: organic life, farms, and groups that only look like farms.

The four calls that most users need:

- :func:`simulate_world` makes a whole world; ``graphscan simulate`` and ``graphscan demo`` call it.
- :func:`plant_into_background` plants a mixture into given events (``graphscan simulate --background``).
- :func:`plant` plants exactly the campaigns given.
- :func:`truth_world` and :func:`null_world` are the measuring worlds of the benchmarks.

>>> world = simulate_world(2_000, seed=1)
>>> world.events.num_rows
2000
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
from graphscan.simulate.worlds import Mix, organic_background, simulate_world

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
    "Mix",
    "NullGroupSpec",
    "PushSpec",
    "Spec",
    "SyndicationSpec",
    "ViralSpec",
    "World",
    "null_world",
    "organic_background",
    "plant",
    "plant_into_background",
    "simulate_world",
    "truth_world",
    "write_world",
]
