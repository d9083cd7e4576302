"""Whole worlds: people, automated accounts, farms, and everything that only looks like a farm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphscan.entropy import generator
from graphscan.errors import EXIT_USAGE, GraphscanError
from graphscan.simulate import automation, chats, feed, texts
from graphscan.simulate.acts import Acts
from graphscan.simulate.background import Background
from graphscan.simulate.casting import Cast, cast_of
from graphscan.simulate.drafts import ACCOUNT_KEY, CODE, Draft, Int64, Ledger, hex_ids
from graphscan.simulate.groups import Group, group_of
from graphscan.simulate.planting import planted_tables
from graphscan.simulate.population import (
    ARCHETYPE,
    ARCHETYPES,
    DEFAULT_START_US,
    LABEL_OF_ARCHETYPE,
    Population,
    population_of,
)
from graphscan.simulate.profiles import accounts_table, sign_ups
from graphscan.simulate.rendering import events_table
from graphscan.simulate.rhythm import DAY_US
from graphscan.simulate.world import (
    LABEL_SCHEMA,
    PLANTED_SCHEMA,
    TRUTH_SCHEMA,
    Progress,
    World,
    canonical_events,
    world_of,
)

_LEAST_EVENTS: Final = 1_000
_EVENTS_A_PERSON: Final = 24.0
_VICTIM_EVENTS: Final = 45
# How many events a campaign loses to sleep and to the world's end is known only afterwards; a world is made
# a little too large, and likes and shares of people, which nothing refers to, are taken away again.
_OVERSHOOT: Final = 0.03
_OVERSHOOT_EVENTS: Final = 60


@dataclass(frozen=True)
class Mix:
    """What a world is made of, as shares of its events; people make the rest.

    Parameters
    ----------
    heartbeat_0_1, reactive_0_1, ai_managed_0_1
        Automated accounts that work alone.
    farms_0_1
        Farms with all they do: members are wholly managed by software and live as ``ai_managed`` ones do.
        Chat rings, posting and following rings are among them.
    framing_0_1
        Bots that shadow a person.
    benign_0_1
        Fan clubs, syndication, prize draws, brand pages, classes, a viral object and other groups that only
        look like farms.
    push_0_1
        Push notifications, which timing cannot tell from farms.
    """

    heartbeat_0_1: float = 0.03
    reactive_0_1: float = 0.025
    ai_managed_0_1: float = 0.05
    farms_0_1: float = 0.09
    framing_0_1: float = 0.02
    benign_0_1: float = 0.07
    push_0_1: float = 0.008

    @classmethod
    def organic(cls) -> Mix:
        """People only."""
        return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def total_0_1(self) -> float:
        """Share of everything but single people's own life."""
        return (
            self.heartbeat_0_1
            + self.reactive_0_1
            + self.ai_managed_0_1
            + self.farms_0_1
            + self.framing_0_1
            + self.benign_0_1
            + self.push_0_1
        )


def simulate_world(
    n_events: int,
    seed: int,
    mix: Mix | None = None,
    *,
    n_days: int = 60,
    start_us: int = DEFAULT_START_US,
    on_progress: Progress | None = None,
) -> World:
    """A world of people and automated accounts on all five surfaces, with known truth.

    Parameters
    ----------
    n_events
        Events wanted, at least 1,000; the world has within 5 % of them.
    seed
        Seed of the world: equal arguments give equal worlds.
    mix
        What it is made of; see :class:`Mix`.
    n_days
        Length of the world.
    start_us
        Its first moment, microseconds UTC.
    on_progress
        Called as ``on_progress(stage, events_so_far, n_events)``.

    Raises
    ------
    GraphscanError
        Exit 2 if ``n_events`` or the mix is out of range.
    """
    chosen = mix or Mix()
    _checked(n_events, chosen, n_days)
    report = on_progress or (lambda stage, done, total: None)
    cast = cast_of(n_events, chosen, generator(seed, "cast"))
    first_day = start_us // DAY_US
    life = _Life(
        round(n_events * (1 + _OVERSHOOT)) + _OVERSHOOT_EVENTS - cast.n_campaign_events,
        cast,
        first_day,
        n_days,
        seed,
    )
    report("life", life.ledger.n_events, n_events)
    end_us = (first_day + n_days) * DAY_US
    base = canonical_events(events_table(life.ledger, life.pop, end_us, seed))
    life.forget_events()
    report("texts", base.num_rows, n_events)
    world = _with_campaigns(base, life, cast, n_events, end_us, seed)
    report("campaigns", world.events.num_rows, n_events)
    return world


def organic_background(n_events: int, seed: int) -> pa.Table:
    """Events of people alone, a background to plant into."""
    return simulate_world(n_events, seed, Mix.organic()).events


def _checked(n_events: int, mix: Mix, n_days: int) -> None:
    if n_events < _LEAST_EVENTS:
        raise GraphscanError(
            f"a world needs at least {_LEAST_EVENTS} events, not {n_events}",
            "--events",
            f"ask for {_LEAST_EVENTS} or more",
            EXIT_USAGE,
        )
    if not 0 <= mix.total_0_1() <= 0.8 or min(vars(mix).values()) < 0:
        raise GraphscanError(
            "the shares of a mix must not be negative, and sum to at most 0.8", "Mix", "", EXIT_USAGE
        )
    if n_days < 14:
        raise GraphscanError("a world lasts at least 14 days", "n_days", "ask for more days", EXIT_USAGE)


class _Life:
    """Everything but the campaigns: the population and its events."""

    def __init__(self, n_events: int, cast: Cast, first_day: int, n_days: int, seed: int) -> None:
        rng = generator(seed, "life")
        hosted = {
            "heartbeat": cast.heartbeat,
            "reactive_bot": cast.reactive,
            "ai_managed": cast.ai_managed,
            "farm_hosted": cast.farm_hosted,
        }
        n_hosted = int(sum(int(sizes.sum()) for sizes in hosted.values()))
        n_people_events = max(n_events - n_hosted, n_events // 5)
        n_people = max(20, round(n_people_events / _EVENTS_A_PERSON))
        self.pop: Population = population_of(
            n_people, round(0.55 * n_people_events), hosted, first_day, n_days, rng
        )
        self.n_people = n_people
        self.n_days = n_days
        self.first_us = first_day * DAY_US
        self.mechanism = automation.mechanisms_of(self.pop, generator(seed, "mechanisms"))
        self.ledger = Ledger()
        self._make(n_events, seed)

    def forget_events(self) -> None:
        """Free the drafts once they are a table: at ten million events they take gigabytes."""
        self.ledger = Ledger()

    def _make(self, n_events: int, seed: int) -> None:
        pop, ledger = self.pop, self.ledger
        rng = generator(seed, "feed")
        people = feed.people_acts(pop, rng)
        plan = automation.plan_of(pop, self.mechanism, generator(seed, "automation"))
        is_post = people.action == CODE["post"]
        own, hosted = people.kept(is_post), automation.posts(pop, plan, rng)
        own_numbers = ledger.add(own)
        hosted_numbers = ledger.add(hosted)
        author = np.concatenate([own.account, hosted.account])
        shown = feed.Feed(
            pop,
            author,
            np.concatenate([own.time_us, hosted.time_us]),
            np.concatenate([own_numbers, hosted_numbers]),
            rng,
        )
        answered, answered_numbers, post = self._reactions(people, plan, shown, rng)
        on_posts = answered.action == CODE["comment"]
        replies = feed.author_replies(
            pop,
            answered.kept(on_posts),
            answered_numbers[on_posts],
            author[np.maximum(post, 0)][on_posts],
            round(0.035 * len(people)) if len(people) else 0,
            rng,
        )
        ledger.add(replies)
        mine = answered.account[on_posts]
        for account, time_us, number in (
            (own.account, own.time_us, own_numbers),
            (mine, answered.time_us[on_posts], answered_numbers[on_posts]),
        ):
            human = pop.archetype[account] < ARCHETYPE["heartbeat"]
            ledger.add(feed.changes(account[human], time_us[human], number[human], 0.03, rng))
        self._talk(plan, n_events, generator(seed, "talk"))
        triggers = own, own_numbers, answered.kept(on_posts), answered_numbers[on_posts]
        self._automated_answers(plan, triggers, generator(seed, "answers"))
        ledger.add(sign_ups(pop, ledger, self.first_us, generator(seed, "sign_ups")))

    def _reactions(
        self, people: Draft, plan: automation.Plan, shown: feed.Feed, rng: np.random.Generator
    ) -> tuple[Draft, Int64, Int64]:
        """Shares, likes, comments and follows of people, and what automated accounts do by the clock."""
        pop, ledger = self.pop, self.ledger
        on_feed = np.isin(people.action, [CODE["repost"], CODE["comment"], CODE["like"]])
        acts, post = feed.with_objects(
            joined(
                people.kept(on_feed), automation.feed_acts(plan), automation.clocked_comments(pop, plan, rng)
            ),
            shown,
            rng,
        )
        lost = acts.action == CODE["follow"]
        wander = joined(people.kept(people.action == CODE["follow"]), acts.kept(lost))
        ledger.add(feed.follows(pop, wander, rng))
        profile = people.kept(people.action == CODE["profile"])
        ledger.add(
            replace(
                profile,
                object_key=ACCOUNT_KEY + profile.account,
                detail=np.where(rng.random(len(profile)) < 0.6, 4, 5),
            )
        )
        acts, post = acts.kept(~lost), post[~lost]
        numbers = ledger.n_events + np.arange(len(acts), dtype=np.int64)
        comments = np.flatnonzero(acts.action == CODE["comment"])
        pace = np.where(acts.text_kind[comments] == texts.SHORT, 0.1, 0.6)
        parent = acts.parent_key.copy()
        parent[comments] = feed.threaded(
            acts.kept(acts.action == CODE["comment"]), numbers[comments], pace, rng
        )
        acts = replace(acts, parent_key=parent)
        ledger.add(acts)
        return acts, numbers, post

    def _talk(self, plan: automation.Plan, n_events: int, rng: np.random.Generator) -> None:
        """Group chats and private messages of people fill what the feed has left."""
        pop, ledger = self.pop, self.ledger
        rooms = chats.rooms_of(pop, self.first_us, rng)
        arrivals = chats.joins(rooms)
        ledger.add(arrivals)
        waiting = np.isin(
            plan.action, [CODE["chat_message"], CODE["message"], CODE["follow"], CODE["profile"]]
        )
        quick = (plan.action == CODE["comment"]) & (plan.mechanism[plan.account] != 1)
        left = max(n_events - ledger.n_events - int(waiting.sum()) - int(quick.sum()), 200)
        self.chat_base = ledger.n_events
        self.talk = chats.group_talk(pop, rooms, round(0.72 * left), self.chat_base, rng)
        ledger.add(self.talk)
        partner = feed.followed(pop, np.arange(len(pop)), rng)
        people = np.flatnonzero(pop.archetype < ARCHETYPE["heartbeat"])
        partner = np.where(partner < self.n_people, partner, people[partner % len(people)])
        left = max(left - len(self.talk), 50)
        ledger.add(chats.private_talk(pop, partner, left, ledger.n_events, rng))
        self.rooms = rooms

    def _automated_answers(
        self,
        plan: automation.Plan,
        triggers: tuple[Draft, Int64, Draft, Int64],
        rng: np.random.Generator,
    ) -> None:
        pop, ledger = self.pop, self.ledger
        own, own_numbers, comments, comment_numbers = triggers
        human = pop.archetype[comments.account] < ARCHETYPE["heartbeat"]
        pool = joined(own, comments.kept(human))
        numbers = np.concatenate([own_numbers, comment_numbers[human]])
        if len(pool):
            ledger.add(automation.answering_comments(pop, plan, pool, numbers, rng))
        ledger.add(automation.chat_acts(pop, plan, self.rooms, self.talk, self.chat_base, rng))
        ledger.add(automation.message_acts(pop, plan, ledger.n_events, rng))
        ledger.add(automation.profile_and_follow_acts(pop, plan, rng))


def joined(*parts: Draft) -> Draft:
    """Drafts one after another."""
    names = ("account", "action", "time_us", "object_key", "parent_key", "text_kind", "detail", "tool")
    return Draft(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _with_campaigns(base: pa.Table, life: _Life, cast: Cast, n_events: int, end_us: int, seed: int) -> World:
    """Campaigns planted into the life of the world, with its own accounts as members where they fit."""
    pop = life.pop
    ids = np.array(hex_ids(ACCOUNT_KEY + np.arange(len(pop)), seed).to_pylist(), dtype=object)
    groups: list[Group] = []
    recruits: list[list[str] | None] = []
    if cast.specs:
        background = Background(base)
        pools = _Pools(pop, base, ids, generator(seed, "pools"))
        for number, spec in enumerate(cast.specs):
            rng = generator(seed, "campaign", number, type(spec).__name__)
            filled, members = pools.members(spec)
            group = group_of(filled, background, rng)
            if members is not None and members.is_human:
                group = _when_awake(group, members.accounts, pop, rng)
            groups.append(_before(group, end_us))
            recruits.append(None if members is None else ids[members.accounts].tolist())
        found = planted_tables(background, groups, seed, recruits)
        events = pa.concat_tables([base, found.events])
        planted, labels, truth = found.planted, found.labels, found.truth
    else:
        events, planted, labels, truth = base, PLANTED_SCHEMA.empty_table(), [], []
    framed = {
        background.account_ids[group.framed_account].as_py(): f"c{number:03d}"
        for number, group in enumerate(groups)
        if group.framed_account >= 0
    }
    present = set(base.column("account_id").unique().to_pylist()) | {row["account_id"] for row in truth}
    campaign_of = {row["account_id"]: row["campaign_id"] for row in truth}
    own_truth, own_labels = _own_rows(life, ids, present, campaign_of, framed)
    known = set(ids.tolist())
    labels = [row for row in labels if row["account_id"] not in known] + own_labels
    truth = _merged_truth(truth, own_truth)
    return world_of(
        events,
        accounts_table(pop, ids, events, truth, life.first_us, seed),
        pa.Table.from_pylist(labels, schema=LABEL_SCHEMA),
        pa.Table.from_pylist(truth, schema=TRUTH_SCHEMA),
        planted,
        _kept(base, events.num_rows - base.num_rows, own_labels, n_events, seed),
    )


def _kept(
    base: pa.Table, n_more: int, labels: list[dict[str, Any]], n_events: int, seed: int
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Mask of base and planted events that leaves out random likes, then shares, of people."""
    keep = np.ones(base.num_rows + n_more, dtype=bool)
    excess = len(keep) - n_events
    if excess > 0:
        people = [row["account_id"] for row in labels if row["label"].startswith("human")]
        encoded = base.column("account_id").combine_chunks().dictionary_encode()
        is_person = pc.is_in(encoded.dictionary, value_set=pa.array(people, pa.string())).to_numpy(False)
        codes = encoded.indices.to_numpy()
        first = np.unique(codes, return_index=True)[1]
        rng = generator(seed, "trim")
        for action in ("like", "repost"):
            found = pc.equal(base.column("action"), action).to_numpy()
            # No account may lose its first event.
            free = np.setdiff1d(np.flatnonzero(found & is_person[codes]), first)
            gone = rng.permutation(free)[:excess]
            keep[gone] = False
            excess -= len(gone)
    return keep


def _own_rows(
    life: _Life,
    ids: np.ndarray[Any, Any],
    present: set[str],
    campaign_of: dict[str, str],
    framed: dict[str, str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Truth and labels of the population, for accounts that have events."""
    truth, labels = [], []
    for name, kind, mechanism in zip(
        ids.tolist(), life.pop.archetype.tolist(), life.mechanism.tolist(), strict=True
    ):
        if name not in present:
            continue
        archetype = ARCHETYPES[kind]
        truth.append(
            {
                "account_id": name,
                "archetype": "ai_managed" if archetype == "farm_hosted" else archetype,
                "life": "ai_managed" if archetype == "farm_hosted" else archetype,
                "coordinated": False,
                "framed_by": framed.get(name),
                "mechanism": automation.MECHANISMS[mechanism] or None,
            }
        )
        labels.append(
            {
                "account_id": name,
                "label": LABEL_OF_ARCHETYPE.get(archetype, "human"),
                "campaign_id": campaign_of.get(name),
            }
        )
    return truth, labels


def _merged_truth(campaign: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an account: a member's campaign tells its archetype, its own life how it works."""
    by_id = {row["account_id"]: row for row in own}
    for row in campaign:
        base = by_id.get(row["account_id"], {})
        by_id[row["account_id"]] = {**base, **{k: v for k, v in row.items() if v is not None}}
    return list(by_id.values())


@dataclass(frozen=True)
class _Members:
    accounts: Int64
    is_human: bool


class _Pools:
    """Accounts of the population that campaigns can recruit; nobody is recruited twice."""

    def __init__(
        self, pop: Population, base: pa.Table, ids: np.ndarray[Any, Any], rng: np.random.Generator
    ) -> None:
        present = set(base.column("account_id").unique().to_pylist())
        here = np.array([name in present for name in ids.tolist()])
        self._ids = ids
        self._pop = pop
        usual = pop.of("ordinary", "shift_worker", "insomniac", "human_ai_assisted", "campus")
        self._people = rng.permutation(usual[here[usual]])
        self._hosted = pop.of("farm_hosted")
        self._victims = self._lively(base)
        self._at = {"people": 0, "hosted": 0, "victims": 0}

    def _lively(self, base: pa.Table) -> Int64:
        """People with posts and shares enough to be framed, the likeliest first."""
        shown = base.filter(pc.is_in(base.column("action"), value_set=pa.array(["post", "repost"])))
        counts = dict(
            zip(*(c.to_pylist() for c in shown.column("account_id").value_counts().flatten()), strict=True)
        )
        usual = self._people
        size = np.array([counts.get(name, 0) for name in self._ids[usual].tolist()], dtype=np.int64)
        # Lively, but no rarity: fifty framers of the busiest account would be the world's main event.
        return usual[np.argsort(np.abs(size - _VICTIM_EVENTS), kind="stable")]

    def members(self, spec: Any) -> tuple[Any, _Members | None]:
        """The specification as the pool can fill it, and its members; None if it makes new accounts."""
        kind = spec.archetype
        if kind in ("farm", "chat_ring", "post_ring", "follow_ring"):
            return spec, _Members(self._take("hosted", self._hosted, spec.n_accounts), False)
        if kind == "framing_bot":
            place = self._at["victims"]
            self._at["victims"] += 1
            victim = self._victims[min(place, len(self._victims) - 1)]
            return replace(spec, victim="background", victim_id=str(self._ids[victim])), None
        if kind in ("fan_club", "push", "viral", "giveaway", "class_chat", "null_group", "bridge"):
            n = getattr(spec, "n_accounts", 1)
            taken = self._take("people", self._people, n)
            if hasattr(spec, "n_accounts"):
                spec = replace(spec, n_accounts=len(taken))
            return spec, _Members(taken, True)
        return spec, None

    def _take(self, name: str, pool: Int64, n: int) -> Int64:
        at = self._at[name]
        self._at[name] = at + n
        taken = pool[at : at + n]
        # In a small world people belong to several groups.
        return taken if len(taken) == n or name == "hosted" else pool[:n]


def _when_awake(group: Group, accounts: Int64, pop: Population, rng: np.random.Generator) -> Group:
    """The group without the acts for which people would have had to get up at night."""
    kept = []
    for acts in group.acts:
        who = accounts[acts.member]
        awake = pop.clocks.awake(who, acts.time_us) > 0.6 * rng.random(len(acts))
        inside = acts.time_us >= pop.first_day[who] * DAY_US
        kept.append(acts_where(acts, awake & inside))
    return replace(group, acts=kept)


def _before(group: Group, end_us: int) -> Group:
    return replace(group, acts=[acts_where(acts, acts.time_us < end_us) for acts in group.acts])


def acts_where(acts: Acts, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> Acts:
    """The acts for which the mask is true."""
    return Acts(
        acts.member[mask],
        acts.object_id.filter(pa.array(mask)),
        acts.time_us[mask],
        acts.campaign_object[mask],
        acts.order_us[mask],
        acts.role[mask],
        acts.host_row[mask],
        acts.action,
        acts.payload[mask],
    )
