"""The property graph as frozen data: node labels, relationship types, keys, and what each event becomes.

Nothing here is Cypher; :mod:`graphscan.graphdb.cypher` makes the text from these tables, so the graph can be
read about, documented and tested in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

SCHEMA_VERSION: Final = 1

# Which load or sweep wrote a node or relationship. What has no such property is somebody else's and is
# never changed and never deleted.
OWNER: Final = "loaded_by"


@dataclass(frozen=True)
class NodeLabel:
    """A label, the properties that identify a node of it, and further properties to index.

    Attributes
    ----------
    name
        The label.
    key
        The properties that are unique together.
    indexed
        Properties with a range index of their own.
    meaning
        One line for the documentation.
    """

    name: str
    key: tuple[str, ...]
    indexed: tuple[str, ...] = ()
    meaning: str = ""


ACCOUNT: Final = NodeLabel("Account", ("account_id",), ("tier",), "an account that acted or was acted on")
CONTENT: Final = NodeLabel("Content", ("content_id",), (), "a post, comment or message, or what was shared")
CHAT: Final = NodeLabel("Chat", ("chat_id",), (), "a group chat or channel")
CLUSTER: Final = NodeLabel(
    "Cluster", ("run_id", "cluster_id"), ("cluster_id",), "a found cluster, once for each sweep"
)
SWEEP: Final = NodeLabel("Sweep", ("run_id",), (), "one sweep")
VERDICT: Final = NodeLabel("Verdict", ("verdict_id",), (), "what a person decided about an account, and why")
LOAD_BATCH: Final = NodeLabel(
    "LoadBatch", ("batch_id",), ("run_id",), "a batch of rows that is wholly in the graph"
)

NODE_LABELS: Final = (ACCOUNT, CONTENT, CHAT, CLUSTER, SWEEP, VERDICT, LOAD_BATCH)


@dataclass(frozen=True)
class EventType:
    """What the events of one action become: a relationship from the account to what it acted on.

    Attributes
    ----------
    action
        The action of the event.
    relationship
        The type of the relationship.
    target
        The label of the node that ``object_id`` names.
    makes_content
        Whether the event itself is content that can answer something (its ``parent_id``).
    """

    action: str
    relationship: str
    target: NodeLabel
    makes_content: bool = False


EVENT_TYPES: Final = (
    EventType("post", "POSTED", CONTENT, makes_content=True),
    EventType("repost", "REPOSTED", CONTENT, makes_content=True),
    EventType("comment", "COMMENTED", CONTENT, makes_content=True),
    EventType("like", "LIKED", CONTENT),
    EventType("follow", "FOLLOWED", ACCOUNT),
    EventType("message", "MESSAGED", ACCOUNT, makes_content=True),
    EventType("chat_message", "SPOKE_IN", CHAT, makes_content=True),
    EventType("chat_join", "JOINED", CHAT),
    EventType("profile", "CHANGED_PROFILE", ACCOUNT),
    EventType("other", "ACTED_ON", CONTENT),
)
TYPE_OF_ACTION: Final = MappingProxyType({event.action: event for event in EVENT_TYPES})

# Columns of the event that become properties of the relationship under their own name. The account, the
# action and the object are the relationship's ends and type; the time is `at`.
EVENT_PROPERTIES: Final = (
    "event_id",
    "parent_id",
    "text",
    "urls",
    "hashtags",
    "media_hash",
    "client",
    "lang",
    "detail",
    "ai_declared",
    "ai_score",
)


@dataclass(frozen=True)
class DerivedType:
    """A relationship that no event is, but that follows from events, sweeps or people.

    Attributes
    ----------
    name
        The type.
    source, target
        The labels of its ends.
    indexed
        Properties with a range index.
    meaning
        One line for the documentation.
    """

    name: str
    source: NodeLabel
    target: NodeLabel
    indexed: tuple[str, ...] = ()
    meaning: str = ""


REPLY_TO: Final = DerivedType("REPLY_TO", CONTENT, CONTENT, (), "the content answers the other")
COORDINATED_WITH: Final = DerivedType(
    "COORDINATED_WITH", ACCOUNT, ACCOUNT, ("run_id",), "the two acted together in a layer"
)
IN_CLUSTER: Final = DerivedType("IN_CLUSTER", ACCOUNT, CLUSTER, ("run_id",), "membership; core or not")
FOUND: Final = DerivedType("FOUND", SWEEP, CLUSTER, (), "the sweep that found the cluster")
CONTINUES: Final = DerivedType("CONTINUES", CLUSTER, CLUSTER, (), "the same cluster in the sweep before")
AFTER: Final = DerivedType("AFTER", SWEEP, SWEEP, (), "the sweep before this one")
ABOUT: Final = DerivedType("ABOUT", VERDICT, ACCOUNT, (), "whom the verdict is about")

DERIVED_TYPES: Final = (REPLY_TO, COORDINATED_WITH, IN_CLUSTER, FOUND, CONTINUES, AFTER, ABOUT)

# Neo4j Browser colours by label, so each tier above `none` is a label of the account too.
TIER_LABELS: Final = MappingProxyType(
    {"warn": "TierWarn", "limit": "TierLimit", "review": "TierReview", "terminate": "TierTerminate"}
)

VERDICTS: Final = ("human", "automated", "unsure")

# What a sweep writes on an account: the newest tier and what led to it.
SWEEP_PROPERTIES: Final = (
    "tier",
    "tier_run_id",
    "tier_sequence",
    "p_automation",
    "p_farm",
    "coverage",
    "surfaces_active",
    "surfaces_automated",
    "cluster_id",
    "in_core",
    "evidence_families",
    "reasons",
    "n_events",
    "insufficient_evidence",
)
