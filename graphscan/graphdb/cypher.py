"""Every Cypher statement that graphscan runs, composed from the schema tables.

Names of labels, types and properties come from :mod:`graphscan.graphdb.schema` alone; everything that comes
from data goes in as a parameter, so no handle, id or text can ever become Cypher.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphscan.graphdb.schema import (
    DERIVED_TYPES,
    EVENT_PROPERTIES,
    EVENT_TYPES,
    LOAD_BATCH,
    NODE_LABELS,
    OWNER,
    REPLY_TO,
    SWEEP_PROPERTIES,
    EventType,
    NodeLabel,
)

# ------------------------------------------------------------------------------------------------- schema


def schema_objects() -> tuple[tuple[str, str, str], ...]:
    """``(kind, name, statement)`` of every constraint and index; a second run changes nothing."""
    constraints = [
        (f"graphscan_{label.name.lower()}", f"(n:{label.name})", [f"n.{key}" for key in label.key])
        for label in NODE_LABELS
    ]
    constraints += [
        (f"graphscan_{event.relationship.lower()}", f"()-[r:{event.relationship}]-()", ["r.event_id"])
        for event in EVENT_TYPES
    ]
    indexes = [
        (f"graphscan_{label.name.lower()}_{name}", f"(n:{label.name})", f"n.{name}")
        for label in NODE_LABELS
        for name in label.indexed
    ]
    indexes += [
        (f"graphscan_{kind.name.lower()}_{name}", f"()-[r:{kind.name}]-()", f"r.{name}")
        for kind in DERIVED_TYPES
        for name in kind.indexed
    ]
    return (
        *(
            (
                "CONSTRAINT",
                name,
                f"CREATE CONSTRAINT {name} IF NOT EXISTS FOR {pattern} REQUIRE ({', '.join(keys)}) IS UNIQUE",
            )
            for name, pattern, keys in constraints
        ),
        *(
            ("INDEX", name, f"CREATE INDEX {name} IF NOT EXISTS FOR {pattern} ON ({key})")
            for name, pattern, key in indexes
        ),
    )


def wait_for_indexes() -> str:
    """Wait until every index is online, so that the first batches do not scan."""
    return "CALL db.awaitIndexes(300)"


# ------------------------------------------------------------------------------------------------- loading


def known_batches() -> str:
    """Which of the batches ``$ids`` are in the ledger."""
    return f"UNWIND $ids AS id MATCH (b:{LOAD_BATCH.name} {{batch_id: id}}) RETURN b.batch_id AS batch_id"


def claim_batch() -> str:
    """Enter the batch in the ledger; ``fresh`` tells whether it was not there before.

    The constraint makes a second loader wait here until the first has committed or failed.
    """
    return (
        f"MERGE (b:{LOAD_BATCH.name} {{batch_id: $batch_id}}) "
        f"ON CREATE SET b.{OWNER} = $owner, b.n_rows = $n_rows, b.caption = $caption, b.fresh = true "
        "WITH b, coalesce(b.fresh, false) AS fresh REMOVE b.fresh RETURN fresh"
    )


def known_load() -> str:
    """How many events the whole load ``$batch_id`` had, if it is in the ledger."""
    return f"MATCH (b:{LOAD_BATCH.name} {{batch_id: $batch_id}}) RETURN b.n_rows AS n_rows"


def record_load() -> str:
    """Enter a whole load in the ledger."""
    return (
        f"MERGE (b:{LOAD_BATCH.name} {{batch_id: $batch_id}}) "
        f"ON CREATE SET b.{OWNER} = $owner, b.n_rows = $n_rows, b.caption = $caption"
    )


def merge_nodes(label: NodeLabel) -> str:
    """Make the nodes of ``$rows`` ([id, caption]) that are missing; improve captions of our own nodes."""
    key = label.key[0]
    return (
        f"UNWIND $rows AS row MERGE (n:{label.name} {{{key}: row[0]}}) "
        f"ON CREATE SET n.caption = coalesce(row[1], row[0]), n.{OWNER} = $owner "
        f"FOREACH (_ IN CASE WHEN row[1] IS NOT NULL AND n.caption = row[0] AND n.{OWNER} IS NOT NULL "
        "THEN [1] ELSE [] END | SET n.caption = row[1])"
    )


def create_events(event: EventType, properties: Sequence[str]) -> str:
    """Create the relationships of ``$rows``: [account, object, seconds, microseconds, *properties]."""
    target = event.target
    listed = "".join(f", {name}: row[{position}]" for position, name in enumerate(properties, 4))
    action = f", action: '{event.action}'" if event.action == "other" else ""
    return (
        "UNWIND $rows AS row "
        "MATCH (a:Account {account_id: row[0]}) "
        f"MATCH (o:{target.name} {{{target.key[0]}: row[1]}}) "
        f"CREATE (a)-[:{event.relationship} "
        "{at: datetime({epochSeconds: row[2], microsecond: row[3]}), "
        f"{OWNER}: $owner{action}{listed}}}]->(o)"
    )


def create_replies() -> str:
    """Create the REPLY_TO relationships of ``$rows``: [content, parent]."""
    return (
        "UNWIND $rows AS row MATCH (c:Content {content_id: row[0]}) MATCH (p:Content {content_id: row[1]}) "
        f"MERGE (c)-[r:{REPLY_TO.name}]->(p) ON CREATE SET r.{OWNER} = $owner"
    )


def _event_columns(event: EventType) -> str:
    columns = ", ".join(f"r.{name} AS {name}" for name in EVENT_PROPERTIES)
    return (
        f"a.account_id AS account_id, o.{event.target.key[0]} AS object_id, "
        f"r.at.epochSeconds * 1000000 + r.at.microsecond AS timestamp_us, {columns}"
    )


def stored_events(event: EventType) -> str:
    """The events of one type with an id of ``$ids``, and whether they are our own."""
    return (
        "UNWIND $ids AS id "
        f"MATCH (a:Account)-[r:{event.relationship} {{event_id: id}}]->(o:{event.target.name}) "
        f"RETURN {_event_columns(event)}, r.{OWNER} IS NOT NULL AS own"
    )


def delete_stored_events(event: EventType) -> str:
    """Delete our own events of one type with an id of ``$ids``, and the replies that they made."""
    return (
        "UNWIND $ids AS id "
        f"MATCH (:Account)-[r:{event.relationship} {{event_id: id}}]->(:{event.target.name}) "
        f"WHERE r.{OWNER} IS NOT NULL DELETE r WITH id "
        f"OPTIONAL MATCH (:Content {{content_id: id}})-[reply:{REPLY_TO.name}]->() "
        f"WHERE reply.{OWNER} IS NOT NULL DELETE reply"
    )


def describe_accounts() -> str:
    """Describe accounts that exist: ``$rows`` of {account_id, caption, properties}."""
    return (
        "UNWIND $rows AS row MATCH (a:Account {account_id: row.account_id}) "
        f"WHERE a.{OWNER} IS NOT NULL SET a += row.properties, a.caption = coalesce(row.caption, a.caption)"
    )


# ------------------------------------------------------------------------------------------------- reading


def count_events(event: EventType) -> str:
    """How many relationships of the type there are (answered from the count store, whoever wrote them)."""
    return f"MATCH ()-[r:{event.relationship}]->() RETURN count(r) AS n"


def events_between(event: EventType) -> str:
    """All events of one type, or those with ``$since_us <= time < $until_us`` (null: no bound)."""
    return (
        f"MATCH (a:Account)-[r:{event.relationship}]->(o:{event.target.name}) "
        f"WHERE r.event_id IS NOT NULL AND a.account_id IS NOT NULL AND o.{event.target.key[0]} IS NOT NULL "
        "AND ($since_us IS NULL OR r.at >= datetime({epochSeconds: $since_us / 1000000, "
        "microsecond: $since_us % 1000000})) "
        "AND ($until_us IS NULL OR r.at < datetime({epochSeconds: $until_us / 1000000, "
        "microsecond: $until_us % 1000000})) "
        f"RETURN {_event_columns(event)}"
    )


# ------------------------------------------------------------------------------------------ status and reset


def server_components() -> str:
    """Name, versions and edition of the server."""
    return "CALL dbms.components() YIELD name, versions, edition RETURN name, versions, edition"


def existing_constraints() -> str:
    """Names of all constraints."""
    return "SHOW CONSTRAINTS YIELD name RETURN name"


def existing_indexes() -> str:
    """Names and states of all indexes."""
    return "SHOW INDEXES YIELD name, state RETURN name, state"


def drop_schema(kind: str, name: str) -> str:
    """Drop one of our own constraints or indexes; the name is one that `schema_statements` gave."""
    return f"DROP {kind} {name} IF EXISTS"


def count_own_nodes(label: NodeLabel) -> str:
    """Our nodes of a label, and all of them."""
    return f"MATCH (n:{label.name}) RETURN count(n.{OWNER}) AS own, count(n) AS total"


def count_own_relationships(name: str) -> str:
    """Our relationships of a type, and all of them."""
    return f"MATCH ()-[r:{name}]->() RETURN count(r.{OWNER}) AS own, count(r) AS total"


def delete_own_relationships(name: str) -> str:
    """Delete some of our relationships of a type; ``deleted`` is 0 when none are left."""
    return (
        f"MATCH ()-[r:{name}]->() WHERE r.{OWNER} IS NOT NULL WITH r LIMIT $limit "
        "DELETE r RETURN count(r) AS deleted"
    )


def delete_own_nodes(label: NodeLabel) -> str:
    """Delete some of our nodes of a label on which nothing hangs any more."""
    return (
        f"MATCH (n:{label.name}) WHERE n.{OWNER} IS NOT NULL AND NOT (n)--() WITH n LIMIT $limit "
        "DELETE n RETURN count(n) AS deleted"
    )


def strip_own_nodes(label: NodeLabel) -> str:
    """Take what sweeps wrote off the nodes of a label that stay."""
    listed = ", ".join(f"n.{name}" for name in SWEEP_PROPERTIES)
    return f"MATCH (n:{label.name}) WHERE n.{OWNER} IS NOT NULL REMOVE {listed}"


def newest_sweep() -> str:
    """The sweep that was written last and wholly."""
    return (
        "MATCH (s:Sweep) WHERE s.complete RETURN s.run_id AS run_id, s.created_at AS created_at "
        "ORDER BY s.sequence DESC LIMIT 1"
    )
