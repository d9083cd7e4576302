"""Each legitimate explanation on a group of its kind, on farms, and on farms that pose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from graphscan.clusters.explanations import (
    EXPLANATIONS,
    Explanation,
    ExplanationContext,
    best_match,
    explanation_context,
    explanations,
)
from graphscan.clusters.incidence import layer_incidence
from graphscan.events.model import EVENT_SCHEMA
from graphscan.network.layers import LAYERS, encoded_events, layer_events

DAY_S = 86_400.0
START_S = 1_700_006_400.0  # a multiple of five minutes
Row = tuple[str, str, str, float]  # account, action, object, time
Scene = Callable[[np.random.Generator], list[Row]]


def context_of(
    rows: list[Row],
    members: str,
    *,
    layer: str = "co_repost",
    layers: tuple[str, ...] | None = None,
    client: str | None = None,
    window_s: float = 600.0,
) -> ExplanationContext:
    """The context of the accounts whose names start with ``members``."""
    rows = sorted(rows, key=lambda r: (r[3], r[0], r[2]))
    n = len(rows)
    columns = {
        "account_id": [r[0] for r in rows],
        "action": [r[1] for r in rows],
        "object_id": [r[2] for r in rows],
        "timestamp_us": [round(r[3] * 1e6) for r in rows],
        "event_id": [f"e{k:06d}" for k in range(n)],
        "client": [client] * n,
    }
    table = pa.table(
        [
            pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type)
            for f in EVENT_SCHEMA
        ],
        schema=EVENT_SCHEMA,
    )
    events = encoded_events(table)
    incidence = layer_incidence(layer_events(events, LAYERS[layer]), events)
    codes = [k for k, a in enumerate(events.account_ids.to_pylist()) if a.startswith(members)]
    return explanation_context(
        np.array(codes), incidence, events, layers=layers or (layer,), window_s=window_s
    )


def crowd(rng: np.random.Generator, names: list[str], births: np.ndarray) -> list[Row]:
    """Other people, some on each object, among many objects of their own."""
    rows = [
        (f"x{rng.integers(200)}", "repost", name, birth + rng.lognormal(np.log(7_200), 1.5))
        for name, birth in zip(names, births, strict=True)
        for _ in range(4)
    ]
    for k in range(300):
        birth = START_S + rng.uniform(0, 60 * DAY_S)
        rows += [
            (f"x{rng.integers(200)}", "repost", f"other{k}", birth + rng.lognormal(np.log(7_200), 1.5))
            for _ in range(5)
        ]
    return rows


def acting(
    rng: np.random.Generator,
    *,
    n: int,
    n_objects: int,
    share: float,
    when: Callable[[int, float], Callable[[int], float]],
    author: Callable[[int], str],
    action: str = "repost",
    span_days: float = 60.0,
) -> list[Row]:
    """Members m00 … act on objects; ``when(object, birth)`` gives each member's time."""
    births = START_S + np.sort(rng.uniform(0, span_days * DAY_S, n_objects))
    names = [f"o{k}" for k in range(n_objects)]
    rows: list[Row] = [(author(k), "post", name, births[k]) for k, name in enumerate(names)]
    for k, name in enumerate(names):
        at = when(k, births[k])
        rows += [
            (f"m{m:02d}", action, name, at(m))
            for m in range(n)
            if rng.random() < share and f"m{m:02d}" != author(k)
        ]
    return rows + crowd(rng, names, births)


def farm(rng: np.random.Generator, *, author: str = "a{}", share: float = 0.5, n: int = 30) -> list[Row]:
    def when(_: int, birth: float) -> Callable[[int], float]:
        order = birth + rng.lognormal(np.log(7_200), 1.4)
        return lambda m: order + rng.uniform(0, 180)

    return acting(rng, n=n, n_objects=40, share=share, when=when, author=author.format)


def on_the_clock(
    rng: np.random.Generator, *, author: Callable[[int], str], n: int, share: float
) -> list[Row]:
    def when(_: int, birth: float) -> Callable[[int], float]:
        slot = (birth // 300 + rng.integers(1, 60)) * 300
        return lambda m: slot + rng.uniform(0, 15)

    return acting(rng, n=n, n_objects=40, share=share, when=when, author=author)


def at_own_pace(rng: np.random.Generator, *, author: str, steady: float) -> list[Row]:
    pace = np.exp(rng.uniform(np.log(15), np.log(3_600), 25))

    def when(_: int, birth: float) -> Callable[[int], float]:
        return lambda m: birth + rng.lognormal(np.log(pace[m]), steady)

    return acting(rng, n=25, n_objects=40, share=0.8, when=when, author=author.format)


def prize_draw(rng: np.random.Generator) -> list[Row]:
    def when(_: int, birth: float) -> Callable[[int], float]:
        return lambda m: birth + rng.exponential(4 * 3_600)

    return acting(rng, n=80, n_objects=3, share=0.7, when=when, author=lambda k: "shop", span_days=10.0)


def one_object(rng: np.random.Generator) -> list[Row]:
    rows = farm(rng, share=0.05, n=60)
    return rows + [
        (f"m{m:02d}", "repost", "o0", START_S + rng.uniform(5 * DAY_S, 5.01 * DAY_S)) for m in range(60)
    ]


def colleagues(rng: np.random.Generator) -> list[Row]:
    def when(_: int, birth: float) -> Callable[[int], float]:
        return lambda m: birth + rng.exponential(1_800)

    return acting(
        rng, n=10, n_objects=40, share=0.5, when=when, author=lambda k: f"m{k % 10:02d}", action="comment"
    )


def relay(rng: np.random.Generator) -> list[Row]:
    rows: list[Row] = []

    def when(k: int, birth: float) -> Callable[[int], float]:
        shared = birth + rng.lognormal(np.log(7_200), 1.0)
        rows.append(("relay", "repost", f"o{k}", shared))
        return lambda m: shared + rng.lognormal(np.log(900), 1.2)

    rows += acting(rng, n=30, n_objects=50, share=0.3, when=when, author=lambda k: f"a{k}")
    return rows


def shadows(rng: np.random.Generator) -> list[Row]:
    """Bots seconds behind everything a victim shares."""
    rows: list[Row] = []

    def when(k: int, birth: float) -> Callable[[int], float]:
        shared = birth + rng.lognormal(np.log(7_200), 1.0)
        rows.append(("victim", "repost", f"o{k}", shared))
        return lambda m: shared + rng.uniform(2, 20)

    rows += acting(rng, n=30, n_objects=50, share=0.9, when=when, author=lambda k: f"a{k}")
    return rows


def lessons(rng: np.random.Generator) -> list[Row]:
    rows: list[Row] = []
    for week in range(8):
        for day in (0, 2):
            begin = START_S + (week * 7 + day) * DAY_S
            rows.append(("teacher", "chat_message", "room", begin))
            rows += [
                (f"m{m:02d}", "chat_message", "room", begin + rng.uniform(0, 3_000))
                for m in range(15)
                for _ in range(rng.poisson(2))
            ]
    for k in range(200):
        begin = START_S + rng.uniform(0, 60 * DAY_S)
        rows += [(f"x{rng.integers(50)}", "chat_message", f"hall{k % 5}", begin + 60 * j) for j in range(3)]
    return rows


def fits(context: ExplanationContext) -> set[str]:
    return {e.id for e in explanations(context) if e.fits}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("expected", "scene", "options"),
    [
        ("own_pages", lambda r: on_the_clock(r, author=lambda k: f"m{k % 8:02d}", n=8, share=0.8), {}),
        ("brand_matrix", lambda r: on_the_clock(r, author=lambda k: f"a{k}", n=8, share=0.9), {}),
        ("fan_club", lambda r: at_own_pace(r, author="star", steady=0.8), {}),
        ("news_syndication", lambda r: at_own_pace(r, author="a{}", steady=0.2), {}),
        ("giveaway", prize_draw, {}),
        ("viral_object", one_object, {}),
        ("working_group", colleagues, {"layer": "co_comment"}),
        ("bridge_account", relay, {}),
        ("class_or_office_chat", lessons, {"layer": "co_chat"}),
        ("push_notification", farm, {}),
    ],
)
def test_each_explanation_is_the_best_for_its_kind(
    expected: str, scene: Scene, options: dict[str, str], seed: int
) -> None:
    context = context_of(scene(np.random.default_rng(seed)), "m", **options)  # type: ignore[arg-type]
    tried = explanations(context)
    assert best_match(tried) == expected, [(e.id, round(e.score, 2), e.detail) for e in tried]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("scene", "client"),
    [
        (farm, None),
        (lambda r: farm(r, author="customer"), None),
        (shadows, None),
        (farm, "planner"),
        (lambda r: on_the_clock(r, author=lambda k: f"a{k}", n=30, share=0.5), "planner"),
    ],
    ids=["plain", "one creator", "framing", "one client", "public scheduler"],
)
def test_a_farm_hides_behind_none_but_the_limit_of_timing(
    scene: Scene, client: str | None, seed: int
) -> None:
    context = context_of(scene(np.random.default_rng(seed)), "m", client=client)
    assert fits(context) == {"push_notification"}


def flash(rng: np.random.Generator, *, public: bool) -> list[Row]:
    """Everything in half an hour, on forty objects."""
    rows = acting(
        rng,
        n=20,
        n_objects=40,
        share=0.5,
        when=lambda _, __: lambda m: START_S + 61 * DAY_S + rng.uniform(0, 1_500),
        author=lambda k: f"a{k}",
    )
    if public:
        rows += [
            (f"y{rng.integers(400)}", "repost", f"o{k}", START_S + 61 * DAY_S + rng.uniform(0, 1_500))
            for k in range(40)
            for _ in range(30)
        ]
    return rows


def test_a_busy_hour_excuses_only_if_the_public_came_too() -> None:
    rng = np.random.default_rng(0)
    assert fits(context_of(flash(rng, public=False), "m")) == {"push_notification"}
    assert "viral_object" in fits(context_of(flash(rng, public=True), "m"))


def test_a_pod_that_likes_its_own_posts_is_no_working_group() -> None:
    rng = np.random.default_rng(0)

    def when(_: int, birth: float) -> Callable[[int], float]:
        return lambda m: birth + rng.uniform(60, 600)

    rows = acting(
        rng, n=12, n_objects=48, share=0.6, when=when, author=lambda k: f"m{k % 12:02d}", action="like"
    )
    assert fits(context_of(rows, "m", layer="co_like")) == {"push_notification"}


def test_push_is_named_by_timing_alone_and_not_beside_other_evidence() -> None:
    rows = farm(np.random.default_rng(0))
    assert "push_notification" in fits(context_of(rows, "m", layers=("co_repost", "co_like")))
    assert fits(context_of(rows, "m", layers=("co_repost", "co_text"))) == set()
    assert best_match(explanations(context_of(rows, "m", layers=("co_repost", "co_text")))) == ""


def test_push_tells_how_many_outsiders_came_at_the_same_moments() -> None:
    rng = np.random.default_rng(0)
    rows = farm(rng)
    alone = next(e for e in explanations(context_of(rows, "m")) if e.id == "push_notification")
    moments: dict[str, float] = {}
    for account, _, name, time in rows:
        if account.startswith("m"):
            moments[name] = min(time, moments.get(name, time))
    public = [
        (f"y{rng.integers(400)}", "repost", name, at + rng.uniform(0, 200))
        for name, at in sorted(moments.items())
        for _ in range(60)
    ]
    shared = next(e for e in explanations(context_of(rows + public, "m")) if e.id == "push_notification")
    assert alone.score < 0.55
    assert shared.score > 0.8
    assert "non-members" in shared.detail


def test_scores_are_shares_and_details_are_lines() -> None:
    for scene in (farm, relay, prize_draw, one_object, shadows):
        for e in explanations(context_of(scene(np.random.default_rng(1)), "m")):
            assert 0.0 <= e.score <= 1.0
            assert e.detail
            assert "\n" not in e.detail
            assert e.fits == (e.score >= 0.5)


def test_a_cluster_without_shared_objects_has_explanations_too() -> None:
    rows: list[Row] = [("m1", "repost", "o1", START_S), ("m1", "repost", "o2", START_S + 1)]
    rows += [("x1", "repost", "o1", START_S + 5), ("x1", "repost", "o2", START_S + 9)]
    tried = explanations(context_of(rows, "m"))
    assert [e.id for e in tried] == [rule.id for rule in EXPLANATIONS]
    assert best_match(tried) == "push_notification"


def test_order_of_rows_and_names_of_objects_change_nothing() -> None:
    rows = relay(np.random.default_rng(2))
    renamed = [(a, b, f"z{c}", d) for a, b, c, d in reversed(rows)]
    first, second = (
        [(e.id, round(e.score, 9)) for e in explanations(context_of(r, "m"))] for r in (rows, renamed)
    )
    assert first == second


def test_best_match_prefers_what_was_seen_over_what_is_left() -> None:
    push = Explanation("push_notification", 0.9, "", True)
    fans = Explanation("fan_club", 0.6, "", True)
    unfit = Explanation("viral_object", 0.4, "", False)
    assert best_match([fans, unfit, push]) == "fan_club"
    assert best_match([unfit, push]) == "push_notification"
    assert best_match([unfit]) == ""


def test_every_explanation_is_documented_with_its_evasion() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/explanation/legitimate-explanations.md").read_text(
        "utf-8"
    )
    for rule in EXPLANATIONS:
        assert f"`{rule.id}`" in page
        assert "Evasion:" in rule.description, rule.id
        assert rule.id == rule.function.__name__
