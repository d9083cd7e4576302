"""Each family on hand-made accounts whose answer is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from graphscan.entropy import generator
from graphscan.events.model import EVENT_SCHEMA
from graphscan.signals import ClusterFrames, SignalSettings, SignalTable, account_signals
from graphscan.signals.coverage import clopper_pearson_lower
from graphscan.signals.network import listed

S = 1_000_000
MIN = 60 * S
HOUR = 3_600 * S
DAY = 24 * HOUR
START = 1_735_689_600 * S  # a midnight


def stream(rows: list[dict[str, object]]) -> pa.Table:
    """Events from rows with account_id and timestamp_us at least."""
    full = [
        {"action": "post", "object_id": f"o{i}", "event_id": f"e{i:06d}", **row} for i, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(full, schema=EVENT_SCHEMA)
    return table.sort_by([("timestamp_us", "ascending"), ("event_id", "ascending")])


def person(account: str, n_days: int, seed: int, **more: object) -> list[dict[str, object]]:
    """Acts between 8 and 23 o'clock, in bursts, at random moments."""
    rng = generator(seed, "person", account)
    rows: list[dict[str, object]] = []
    for day in range(n_days):
        for _ in range(int(rng.integers(1, 4))):
            begin = START + day * DAY + 8 * HOUR + int(rng.random() * 15 * HOUR)
            rows += [
                {"account_id": account, "timestamp_us": begin + int(rng.exponential(200 * S)) * k + k, **more}
                for k in range(int(rng.integers(1, 4)))
            ]
    return rows


def heartbeat(
    account: str, n: int, period_us: int, jitter_us: int, **more: object
) -> list[dict[str, object]]:
    rng = generator(1, "heartbeat", account)
    return [
        {
            "account_id": account,
            "timestamp_us": START + 7 * MIN + k * period_us + int(rng.random() * jitter_us),
            **more,
        }
        for k in range(n)
    ]


def value(table: SignalTable, account: str, signal: str) -> float:
    row = table.account_ids.to_pylist().index(account)
    return float(table.signals[signal].value[row])


@pytest.fixture(scope="module")
def two() -> SignalTable:
    return account_signals(stream(person("person", 40, 3) + heartbeat("robot", 200, 30 * MIN, 8 * S)))


def test_a_clock_is_found_and_a_person_is_not(two: SignalTable) -> None:
    assert value(two, "robot", "clock_phase_lock") > 50
    assert value(two, "robot", "interval_regularity") > 0.9
    assert value(two, "person", "clock_phase_lock") < 6
    assert value(two, "person", "interval_regularity") < 0.5


def test_a_person_rests_and_a_machine_does_not(two: SignalTable) -> None:
    assert value(two, "robot", "restless_share") == 1.0
    assert value(two, "person", "restless_share") == 0.0
    assert value(two, "person", "quietest_hours_share") == 0.0
    assert value(two, "robot", "quietest_hours_share") > 0.2
    assert value(two, "robot", "circadian_strength") < 0.05 < value(two, "person", "circadian_strength")
    assert value(two, "robot", "burstiness") < -0.9 < value(two, "person", "burstiness")
    assert value(two, "robot", "gap_entropy") < 0.1 < value(two, "person", "gap_entropy")


def test_clocked_acts_look_hosted_and_a_person_has_none(two: SignalTable) -> None:
    ids = two.account_ids.to_pylist()
    robot, someone = ids.index("robot"), ids.index("person")
    assert two.coverage.n_hosted[robot].sum() >= 190
    assert two.coverage.n_hosted[someone].sum() == 0
    assert two.coverage.lower_bound[robot].max() > 0.95


def test_people_are_almost_never_locked_to_a_clock() -> None:
    rows = [row for k in range(60) for row in person(f"p{k:02d}", 40, k)]
    table = account_signals(stream(rows))
    log10_p = table.signals["clock_phase_lock"].value
    assert not (log10_p > 6).any()
    assert np.mean(log10_p[~np.isnan(log10_p)] > -np.log10(0.05)) <= 0.15


def test_the_burstiness_is_kim_and_jo() -> None:
    gaps = np.array([1, 2, 3, 4, 50, 6, 7, 8, 90, 10, 11, 12, 13, 14, 15, 160, 17, 18, 19, 20.0])
    times = START + np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64) * HOUR
    table = account_signals(stream([{"account_id": "a", "timestamp_us": int(t)} for t in times]))
    n, r = len(gaps), gaps.std(ddof=1) / gaps.mean()
    expected = (np.sqrt(n + 1) * r - np.sqrt(n - 1)) / ((np.sqrt(n + 1) - 2) * r + np.sqrt(n - 1))
    assert value(table, "a", "burstiness") == pytest.approx(expected)


def test_templates_stand_out_from_prose() -> None:
    rng = generator(4, "prose")
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(rng.choice(letters, int(rng.integers(3, 9)))) for _ in range(400)]
    rows: list[dict[str, object]] = []
    for k in range(30):
        when = START + k * DAY
        prose = " ".join(rng.choice(words, int(rng.integers(4, 40))))
        rows.append({"account_id": "person", "timestamp_us": when, "text": prose})
        fixed = f"Daily report {k}: the value of index {k * 37} is {k * 3.5} today, see https://x.org/{k}"
        rows.append({"account_id": "robot", "timestamp_us": when + HOUR, "text": fixed})
    table = account_signals(stream(rows))
    assert value(table, "robot", "prefix_reuse") == 1.0
    assert value(table, "robot", "skeleton_reuse") == 1.0
    assert value(table, "person", "skeleton_reuse") == 0.0
    assert value(table, "robot", "near_duplicate_share") > 0.9
    assert value(table, "person", "near_duplicate_share") < 0.2
    assert value(table, "robot", "compression_ratio") < value(table, "person", "compression_ratio")
    assert value(table, "robot", "compression_gain") > value(table, "person", "compression_gain")
    assert value(table, "robot", "length_spread") < value(table, "person", "length_spread")


def answering(lag_us: int, n: int = 30) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for k in range(n):
        asked = START + k * 7 * HOUR
        common = {"action": "comment", "object_id": f"thread{k}", "text": "w" * 200}
        rows.append({"account_id": f"asker{k}", "timestamp_us": asked, "event_id": f"q{k:03d}", **common})
        rows.append(
            {
                "account_id": "answerer",
                "timestamp_us": asked + lag_us,
                "event_id": f"r{k:03d}",
                "parent_id": f"q{k:03d}",
                **common,
            }
        )
    return rows


def test_speed_is_judged_by_what_is_answered() -> None:
    fast, slow = account_signals(stream(answering(2 * S))), account_signals(stream(answering(121 * S)))
    assert value(fast, "answerer", "implausible_speed") == 1.0
    assert value(fast, "answerer", "prompt_reactions") == 1.0
    assert value(slow, "answerer", "implausible_speed") == 0.0
    row = fast.account_ids.to_pylist().index("answerer")
    assert fast.coverage.n_hosted_by["latency"][row].sum() == 30
    assert slow.coverage.n_hosted_by["latency"].sum() == 0


def test_in_a_running_conversation_the_act_before_is_no_cause() -> None:
    rows: list[dict[str, object]] = []
    for k in range(200):
        who = "answerer" if k % 2 else f"other{k}"
        rows.append(
            {
                "account_id": who,
                "timestamp_us": START + k * 3 * S,
                "action": "chat_message",
                "object_id": "room",
                "text": "w" * 90,
            }
        )
    rows += [{"account_id": "answerer", "timestamp_us": START + d * DAY} for d in range(1, 4)]
    table = account_signals(stream(rows))
    assert np.isnan(value(table, "answerer", "implausible_speed"))
    assert value(table, "answerer", "prompt_reactions") < 0.02


def test_shadows_do_not_change_the_shadowed() -> None:
    """Whoever acts right after everything an account does leaves its own-act signals as they are."""
    own = person("victim", 30, 9)
    alone = account_signals(stream(own))
    shadows = [
        {
            "account_id": f"s{k}",
            "timestamp_us": int(str(row["timestamp_us"])) + (k + 1) * S,
            "action": "comment",
            "object_id": f"o{i}",
        }
        for i, row in enumerate(own)
        for k in range(10)
    ]
    events = stream([*own, *shadows])
    both = account_signals(events)
    from graphscan.signals import SIGNALS

    checked = 0
    for signal_id, values in alone.signals.items():
        if SIGNALS[signal_id].own_acts and SIGNALS[signal_id].family != "actions":
            np.testing.assert_array_equal(
                values.value[0], both.signals[signal_id].value[both.account_ids.to_pylist().index("victim")]
            )
            checked += 1
    assert checked >= 10


def test_the_lower_bound_is_clopper_pearson() -> None:
    bound = clopper_pearson_lower(np.array([14, 59, 0, 5, 13]), np.array([14, 59, 30, 10, 14]))
    assert bound[0] == pytest.approx(0.05 ** (1 / 14))
    assert bound[0] > 0.80
    assert bound[1] > 0.95
    assert bound[2] == 0.0
    assert bound[3] == pytest.approx(0.2224411, abs=1e-6)
    assert bound[4] < 0.80


def test_few_acts_on_few_days_are_insufficient() -> None:
    rows = (
        heartbeat("short", 19, 12 * HOUR, S)
        + heartbeat("day", 100, 10 * MIN, S)
        + heartbeat("ok", 20, 6 * HOUR, S)
    )
    table = account_signals(stream(rows))
    assert dict(zip(table.account_ids.to_pylist(), table.sufficient.tolist(), strict=True)) == {
        "short": False,
        "day": False,
        "ok": True,
    }
    assert account_signals(stream(rows), settings=SignalSettings(20, 1)).sufficient.tolist() == [
        True,
        True,
        False,
    ]


def frames(in_core: bool, leads: float, benign: str = "") -> ClusterFrames:
    return ClusterFrames(
        clusters=pa.table(
            {
                "cluster_id": ["c1"],
                "size": [9],
                "q_time": [1e-6],
                "layers": ['["co_repost","co_like"]'],
                "benign_match": [benign],
            }
        ),
        members=pa.table({"cluster_id": ["c1"], "account_id": ["ok"], "in_core": [in_core]}),
        edges=pa.table({"account_a": ["ok"], "account_b": ["zz"], "n_pairs": [40], "a_leads_share": [leads]}),
        evidence=pa.table({"event_id": ["e000003"]}),
    )


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (frames(True, 0.5), True),
        (frames(False, 0.5), False),
        (frames(True, 0.95), False),
        (frames(True, 0.5, "fan_club"), False),
        (frames(True, 0.5, '["brand_matrix"]'), False),
    ],
)
def test_only_the_core_by_own_acts_counts(given: ClusterFrames, counts: bool) -> None:
    table = account_signals(
        stream(heartbeat("ok", 20, 6 * HOUR, S) + heartbeat("zz", 1, HOUR, S)), clusters=given
    )
    strength = value(table, "ok", "farm_core")
    assert np.isnan(strength) != counts
    assert bool(table.coverage.n_hosted_by["network"].sum()) == counts
    if counts:
        assert strength == pytest.approx(6.0)
        assert value(table, "ok", "farm_layers") == 2


@pytest.mark.parametrize(
    ("cell", "expected"),
    [(None, []), ("", []), ("a", ["a"]), ('["a","b"]', ["a", "b"]), (["a"], ["a"]), ("[]", [])],
)
def test_lists_in_cells(cell: object, expected: list[str]) -> None:
    assert listed(cell) == expected


def test_creation_bursts_need_the_accounts_file() -> None:
    import datetime

    base = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    ids = [f"a{i:02d}" for i in range(24)]
    spread = [base + datetime.timedelta(days=3 * i) for i in range(12)]
    burst = [base + datetime.timedelta(days=200, seconds=20 * i) for i in range(12)]
    accounts = pa.table(
        {
            "account_id": ids,
            "handle": [f"user{i:04d}" for i in range(24)],
            "created_at": pa.array(spread + burst),
        }
    )
    events = stream([{"account_id": i, "timestamp_us": START} for i in ids])
    table = account_signals(events, accounts=accounts)
    assert value(table, "a20", "creation_burst") > 3
    assert value(table, "a02", "creation_burst") < 1
    assert "creation_burst" not in account_signals(events).signals
