"""Simulated people against real ones: the marginals are of the same size."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from graphscan.simulate import Background, FarmSpec, plant, simulate_world
from graphscan.simulate.portrait import portrait

_BOUND = 5.0


def _people(labels: pa.Table) -> pa.Array:
    known = pc.is_in(labels["label"], value_set=pa.array(["human", "human_ai_assisted"]))
    return labels.filter(known)["account_id"].combine_chunks().cast(pa.string())


def _labels(path: Path) -> pa.Table:
    return pacsv.read_csv(
        path, convert_options=pacsv.ConvertOptions(column_types={"account_id": pa.string()})
    )


@pytest.fixture(scope="module")
def simulated() -> dict[str, dict[str, float]]:
    world = simulate_world(100_000, seed=21)
    people = _people(world.labels)
    out = {"all": portrait(world.events, people)}
    for action in ("chat_message", "repost"):
        out[action] = portrait(world.events.filter(pc.equal(world.events["action"], action)), people)
    return out


def _agree(real: dict[str, float], made: dict[str, float], names: list[str], bound: float = _BOUND) -> None:
    ratios = {name: (made[name] + 1e-9) / (real[name] + 1e-9) for name in names}
    assert all(1 / bound <= ratio <= bound for ratio in ratios.values()), ratios


def test_chats_are_like_those_of_a_real_community(
    data_dir: Path, simulated: dict[str, dict[str, float]]
) -> None:
    events = pq.read_table(data_dir / "zulip" / "events.parquet")
    when = events["timestamp"]
    kind = when.type
    first, last = (pa.scalar(datetime(2025, m, 1, tzinfo=UTC), kind) for m in (3, 5))
    events = events.filter(pc.and_(pc.greater_equal(when, first), pc.less(when, last)))
    real = portrait(events, _people(_labels(data_dir / "zulip" / "labels.csv")))
    made = simulated["chat_message"]
    _agree(
        real,
        made,
        [
            "events_per_account_p50",
            "events_per_account_p90",
            "gap_s_p25",
            "gap_s_p50",
            "chat_gap_s_p50",
            "chat_session_messages_p90",
            "chat_session_accounts_p90",
            "hours_covered",
        ],
    )
    assert abs(real["burstiness"] - made["burstiness"]) < 0.2
    assert abs(real["circadian_strength"] - made["circadian_strength"]) < 0.2


def test_shares_are_like_those_of_a_real_mobilisation(
    data_dir: Path, simulated: dict[str, dict[str, float]]
) -> None:
    ids = dict.fromkeys(("account_id", "object_id", "event_id"), pa.string())
    table = pacsv.read_csv(
        data_dir / "coortweet_ru" / "events.csv.gz", convert_options=pacsv.ConvertOptions(column_types=ids)
    )
    real = portrait(table.select(["account_id", "action", "object_id", "timestamp", "event_id"]))
    _agree(
        real,
        simulated["repost"],
        [
            "repost_accounts_per_object_p90",
            "repost_accounts_per_object_p99",
            "repost_delay_s_p50",
            "repost_delay_s_p90",
            "top_1_percent_share_0_1",
            "gap_s_p25",
            "hours_covered",
        ],
    )
    assert abs(real["burstiness"] - simulated["repost"]["burstiness"]) < 0.2


def test_planted_members_are_not_told_by_their_volume_or_delays(data_dir: Path) -> None:
    """Inside real pull requests a camouflaged farm's delays lie within the background's own."""
    table = pq.read_table(data_dir / "aidev_a" / "events.parquet")
    background = Background(table)
    world = plant(background, [FarmSpec(30, 8, 40, 600.0, 0.5, "comment")], seed=2)
    layer = background.layer("comment")
    own_s = (layer.times_us - layer.birth_us[layer.unit])[layer.birth_known[layer.unit]] / 1e6
    births = dict(
        zip(layer.names.take(pa.array(layer.object_code)).to_pylist(), layer.birth_us.tolist(), strict=True)
    )
    planted = world.events.filter(
        pc.is_in(world.events["event_id"], value_set=world.planted["event_id"].combine_chunks())
    )
    born = np.array([births[name] for name in planted["object_id"].to_pylist()])
    delay_s = (planted["timestamp_us"].to_numpy() - born) / 1e6
    assert np.quantile(own_s, 0.05) < np.median(delay_s) < np.quantile(own_s, 0.95)
    text = planted["text"].to_pylist()
    assert sum(bool(one) for one in text) == len(text)
    assert len(set(text)) > 0.8 * len(text)
    # A pull request's comments have it as their parent here, and so have the planted ones.
    assert planted["parent_id"].equals(planted["object_id"])
