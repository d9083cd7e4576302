"""The measuring worlds: farms over a grid of sizes, sharing and jitter, and worlds without any farm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from graphscan.entropy import generator
from graphscan.simulate.background import Background
from graphscan.simulate.campaigns import (
    Action,
    BrandMatrixSpec,
    BridgeSpec,
    FanClubSpec,
    FarmSpec,
    FramingSpec,
    GiveawaySpec,
    NullGroupSpec,
    PushSpec,
    Spec,
    SyndicationSpec,
)
from graphscan.simulate.planting import plant
from graphscan.simulate.world import World


@dataclass(frozen=True)
class Cell:
    """One kind of farm: how many objects, how many each member shares, and the jitter."""

    n_shared: int
    n_objects: int
    jitter_s: float

    @property
    def name(self) -> str:
        """Such as ``20of40_180s``."""
        return f"{self.n_shared}of{self.n_objects}_{self.jitter_s:g}s"


SHARING: Final = ((20, 40), (8, 40), (5, 200))
JITTERS_S: Final = (10.0, 180.0, 1_800.0, 3_600.0)
SIZES: Final = (10, 30, 100)
CAMOUFLAGES: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
GRID: Final = tuple(Cell(k, n, jitter) for k, n in SHARING for jitter in JITTERS_S)


def farm_specs(
    action: Action,
    seed: int,
    *,
    n_farms: int = 28,
    cells: Sequence[Cell] = GRID,
    sizes: Sequence[int] = SIZES,
    camouflages: Sequence[float] = CAMOUFLAGES,
    span_days: float = 90.0,
) -> list[FarmSpec]:
    """Farms spread evenly over the cells and sizes, with random camouflage.

    Every run of ``len(cells) * len(sizes)`` successive farms, over worlds of successive seeds too, holds each
    combination once.
    """
    kinds = [(cell, size) for cell in cells for size in sizes]
    order = generator(0, "truth", "order").permutation(len(kinds))
    rng = generator(seed, "truth", "camouflage")
    specs = []
    for number in range(n_farms):
        cell, size = kinds[order[(seed * n_farms + number) % len(kinds)]]
        specs.append(
            FarmSpec(
                n_accounts=size,
                n_shared=cell.n_shared,
                n_objects=cell.n_objects,
                jitter_s=cell.jitter_s,
                camouflage_0_1=float(rng.choice(camouflages)),
                action=action,
                span_days=span_days,
            )
        )
    return specs


def benign_specs(action: Action, *, push: bool = False) -> list[Spec]:
    """Groups that no finding may name: fan clubs (weak, usual, strong and fast) and syndication."""
    specs: list[Spec] = [
        FanClubSpec(n_accounts=20, share_0_1=0.7, action=action),
        FanClubSpec(n_accounts=40, action=action),
        FanClubSpec(n_accounts=100, share_0_1=0.9, fastest_s=5.0, slowest_s=300.0, action=action),
        SyndicationSpec(n_accounts=12, action=action),
        SyndicationSpec(n_accounts=25, n_objects=80, action=action),
    ]
    if push:
        specs.append(PushSpec(action=action))
    return specs


def truth_world(
    background: pa.Table | Background | None,
    seed: int,
    *,
    n_farms: int = 28,
    cells: Sequence[Cell] = GRID,
    sizes: Sequence[int] = SIZES,
    camouflages: Sequence[float] = CAMOUFLAGES,
    action: Action | None = None,
    push: bool = False,
    span_days: float = 90.0,
    n_background_events: int = 60_000,
) -> World:
    """The standard measuring world: farms over the grid, with fan clubs and syndication beside them.

    Parameters
    ----------
    background
        Where to plant; None makes an organic background of ``n_background_events``.
    seed
        Seed of the world.
    n_farms, cells, sizes, camouflages
        The farms, see :func:`farm_specs`. The truth frame tells the cell of each account by its
        ``n_accounts, n_shared, n_objects, jitter_s, camouflage_0_1``.
    action
        What farms do; by default the commonest action of the background.
    push
        Whether to plant push-notification groups, which timing cannot tell from farms.
    """
    ready = _ready(background, seed, n_background_events)
    chosen: Action = action or ready.main_action()  # type: ignore[assignment]
    farms = farm_specs(
        chosen,
        seed,
        n_farms=n_farms,
        cells=cells,
        sizes=sizes,
        camouflages=camouflages,
        span_days=span_days,
    )
    return plant(ready, [*farms, *benign_specs(chosen, push=push)], seed)


def null_world(
    background: pa.Table | Background | None,
    seed: int,
    *,
    n_groups: int = 28,
    action: Action | None = None,
    push: bool = False,
    n_background_events: int = 60_000,
) -> World:
    """A world without any farm: groups with a farm's shared objects but no common offset, fans, syndication,
    a prize draw and a bridge account.

    Parameters are those of :func:`truth_world`; the groups run over its sharing and sizes.
    """
    ready = _ready(background, seed, n_background_events)
    chosen: Action = action or ready.main_action()  # type: ignore[assignment]
    kinds = [(k, n, size) for k, n in SHARING for size in SIZES]
    rng = generator(seed, "null")
    specs: list[Spec] = [
        NullGroupSpec(
            n_accounts=size,
            n_shared=k,
            n_objects=n,
            action=chosen,
            camouflage_0_1=float(rng.choice(CAMOUFLAGES)),
        )
        for k, n, size in (kinds[i % len(kinds)] for i in range(n_groups))
    ]
    specs += benign_specs(chosen, push=push)
    specs += [GiveawaySpec(action=chosen), BridgeSpec(action=chosen)]
    return plant(ready, specs, seed)


def plant_into_background(background: pa.Table | Background, n_events: int, seed: int) -> World:
    """A mixed world for people who try the tool on their own events.

    Farms of several kinds, a framing, fans, syndication, a brand matrix and a prize draw are planted until
    there are about ``n_events`` planted events, and at least one farm.

    Parameters
    ----------
    background
        The events to plant into.
    n_events
        Events to plant. The world has these and all of the background's.
    seed
        Seed of the world.
    """
    ready = background if isinstance(background, Background) else Background(background)
    action: Action = ready.main_action()  # type: ignore[assignment]
    rng = generator(seed, "mixed")
    menu: list[Spec] = [
        FarmSpec(30, 20, 40, 60.0, 0.2, action),
        FanClubSpec(40, action=action),
        FarmSpec(10, 20, 40, 600.0, 0.4, action),
        SyndicationSpec(15, action=action),
        FramingSpec(20, n_victim_events=40, action=action),
        FarmSpec(100, 8, 40, 180.0, 0.6, action),
        BrandMatrixSpec(action=action),
        GiveawaySpec(120, action=action),
    ]
    specs: list[Spec] = []
    planned = 0
    while planned < n_events and len(specs) < 5_000:
        spec = menu[len(specs) % len(menu)]
        if isinstance(spec, FarmSpec) and len(specs) >= len(menu):
            cell = GRID[int(rng.integers(len(GRID)))]
            spec = FarmSpec(
                spec.n_accounts,
                cell.n_shared,
                cell.n_objects,
                cell.jitter_s,
                float(rng.choice(CAMOUFLAGES)),
                action,
            )
        specs.append(spec)
        planned += _expected_events(spec)
    return plant(ready, specs or menu[:1], seed)


def _expected_events(spec: Spec) -> int:
    n = getattr(spec, "n_accounts", 1)
    if isinstance(spec, FarmSpec):
        return round(n * spec.n_shared / (1 - spec.camouflage_0_1))
    if isinstance(spec, FramingSpec):
        return round(spec.n_victim_events * (1 + n * spec.share_0_1))
    if isinstance(spec, GiveawaySpec):
        return round(n * (1 + (spec.n_objects - 1) * 0.35 + spec.n_organic))
    share = getattr(spec, "share_0_1", 0.5)
    return round(n * getattr(spec, "n_objects", 1) * share / (1 - getattr(spec, "camouflage_0_1", 0.0)))


def _ready(background: pa.Table | Background | None, seed: int, n_events: int) -> Background:
    if isinstance(background, Background):
        return background
    if background is None:
        from graphscan.simulate.worlds import organic_background

        background = organic_background(n_events, seed)
    return Background(background)
