"""Every Cypher statement that graphscan runs, composed from the schema tables.

Names of labels, types and properties come from :mod:`graphscan.graphdb.schema` alone; everything that comes
from data goes in as a parameter, so no handle, id or text can ever become Cypher. All statements stand in
this one module, however long it gets, so that they can be read and checked together.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphscan.graphdb.schema import (
    AFTER,
    CONTINUES,
    COORDINATED_WITH,
    DERIVED_TYPES,
    EVENT_PROPERTIES,
    EVENT_TYPES,
    FOUND,
    IN_CLUSTER,
    LOAD_BATCH,
    NODE_LABELS,
    OWNER,
    REPLY_TO,
    SWEEP_PROPERTIES,
    TIER_LABELS,
    EventType,
    NodeLabel,
)

_ALL_TIERS = ":".join(TIER_LABELS.values())

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
    """Create the REPLY_TO relationships of ``$rows``: [content, parent].

    An event is created once, so its reply is new too; a MERGE would lock both contents, and writers would
    wait for one another at every post that many answer.
    """
    return (
        "UNWIND $rows AS row MATCH (c:Content {content_id: row[0]}) MATCH (p:Content {content_id: row[1]}) "
        f"CREATE (c)-[:{REPLY_TO.name} {{{OWNER}: $owner}}]->(p)"
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
        f"WHERE a.{OWNER} IS NOT NULL SET a += row.properties, a.caption = coalesce(row.caption, a.caption) "
        "RETURN count(a) AS n"
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


# ----------------------------------------------------------------------------------------- what sweeps write


def begin_sweep() -> str:
    """Open the sweep; its place in the line of sweeps is settled the first time."""
    return (
        "OPTIONAL MATCH (other:Sweep) WITH coalesce(max(other.sequence), 0) AS last "
        "MERGE (s:Sweep {run_id: $run_id}) "
        f"ON CREATE SET s.sequence = last + 1, s.{OWNER} = $run_id, s.complete = false "
        "WITH s, coalesce(s.complete, false) AS complete, s.content_sha256 AS content "
        "SET s += $properties RETURN s.sequence AS sequence, complete, content"
    )


def finish_sweep() -> str:
    """Mark the sweep as wholly written and join it to the one before."""
    return (
        "MATCH (s:Sweep {run_id: $run_id}) SET s.complete = true, s.content_sha256 = $content "
        "WITH s CALL (s) { MATCH (p:Sweep) WHERE p.sequence < s.sequence AND p.complete "
        f"RETURN p ORDER BY p.sequence DESC LIMIT 1 }} MERGE (s)-[r:{AFTER.name}]->(p) "
        f"ON CREATE SET r.{OWNER} = $run_id"
    )


def reopen_sweep() -> str:
    """Mark a sweep as not wholly written."""
    return "MATCH (s:Sweep {run_id: $run_id}) SET s.complete = false, s.content_sha256 = null"


def claim_run_batch() -> str:
    """Enter a batch of a sweep's rows in the ledger; ``fresh`` tells whether it was not there before."""
    return (
        f"MERGE (b:{LOAD_BATCH.name} {{batch_id: $batch_id}}) "
        f"ON CREATE SET b.{OWNER} = $run_id, b.run_id = $run_id, b.n_rows = $n_rows, b.caption = $caption, "
        "b.fresh = true WITH b, coalesce(b.fresh, false) AS fresh REMOVE b.fresh RETURN fresh"
    )


def write_tiers(tier: str) -> str:
    """Put ``$rows`` ({account_id, properties}) on our accounts, unless newer results are there."""
    label = TIER_LABELS.get(tier)
    return (
        "UNWIND $rows AS row MATCH (a:Account {account_id: row.account_id}) "
        f"WHERE a.{OWNER} IS NOT NULL AND coalesce(a.tier_sequence, 0) <= $sequence "
        f"SET a += row.properties, a.tier_run_id = $run_id, a.tier_sequence = $sequence "
        f"REMOVE a:{_ALL_TIERS}" + (f" SET a:{label}" if label else "")
    )


def write_clusters() -> str:
    """Make the clusters of ``$rows`` ({cluster_id, properties}) and what joins them to the sweeps."""
    return (
        "MATCH (s:Sweep {run_id: $run_id}) UNWIND $rows AS row "
        "MERGE (c:Cluster {run_id: $run_id, cluster_id: row.cluster_id}) "
        f"SET c += row.properties, c.{OWNER} = $run_id "
        f"MERGE (s)-[f:{FOUND.name}]->(c) ON CREATE SET f.{OWNER} = $run_id "
        "WITH s, c CALL (s, c) { MATCH (p:Cluster {cluster_id: c.cluster_id})<-[:FOUND]-(before:Sweep) "
        "WHERE before.complete AND before.sequence < s.sequence "
        "RETURN p ORDER BY before.sequence DESC LIMIT 1 } "
        f"MERGE (c)-[r:{CONTINUES.name}]->(p) ON CREATE SET r.{OWNER} = $run_id"
    )


def write_members() -> str:
    """Join accounts to clusters: ``$rows`` of {account_id, cluster_id, properties}."""
    return (
        "UNWIND $rows AS row MATCH (a:Account {account_id: row.account_id}) "
        "MATCH (c:Cluster {run_id: $run_id, cluster_id: row.cluster_id}) "
        f"CREATE (a)-[r:{IN_CLUSTER.name}]->(c) "
        f"SET r = row.properties, r.run_id = $run_id, r.{OWNER} = $run_id"
    )


def write_edges() -> str:
    """Join accounts that acted together: ``$rows`` of {account_a, account_b, properties}."""
    return (
        "UNWIND $rows AS row MATCH (a:Account {account_id: row.account_a}) "
        "MATCH (b:Account {account_id: row.account_b}) "
        f"CREATE (a)-[r:{COORDINATED_WITH.name}]->(b) "
        f"SET r = row.properties, r.run_id = $run_id, r.{OWNER} = $run_id"
    )


def stale_runs() -> str:
    """Runs whose coordination edges are out of date: all but the newest whole ``$keep`` ones."""
    return (
        "MATCH (s:Sweep) WHERE s.complete WITH s ORDER BY s.sequence DESC SKIP $keep "
        "RETURN s.run_id AS run_id"
    )


def delete_run_relationships(name: str) -> str:
    """Delete some relationships of one type that the sweep ``$run_id`` wrote."""
    return (
        f"MATCH ()-[r:{name}]->() WHERE r.run_id = $run_id AND r.{OWNER} IS NOT NULL "
        "WITH r LIMIT $limit DELETE r RETURN count(r) AS deleted"
    )


def delete_run_batches() -> str:
    """Strike the batches of the sweep ``$run_id`` from the ledger."""
    return f"MATCH (b:{LOAD_BATCH.name} {{run_id: $run_id}}) DELETE b"


def delete_run_clusters() -> str:
    """Delete the clusters of the sweep ``$run_id`` and our relationships on them."""
    return (
        f"MATCH (c:Cluster {{run_id: $run_id}}) WHERE c.{OWNER} IS NOT NULL "
        f"OPTIONAL MATCH (c)-[r]-() WHERE r.{OWNER} IS NOT NULL DELETE r "
        "WITH DISTINCT c WHERE NOT (c)--() DELETE c"
    )


def verdicts() -> str:
    """Every verdict with the account that it is about."""
    return (
        "MATCH (v:Verdict)-[:ABOUT]->(a:Account) "
        "RETURN v.verdict_id AS verdict_id, a.account_id AS account_id, v.verdict AS verdict, v.by AS by, "
        "v.why AS why, v.at.epochSeconds * 1000000 + v.at.microsecond AS at_us, v.run_id AS run_id "
        "ORDER BY at_us, verdict_id"
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


def strip_accounts() -> str:
    """Take what sweeps wrote off the accounts that stay."""
    listed = ", ".join(f"a.{name}" for name in SWEEP_PROPERTIES)
    return f"MATCH (a:Account) WHERE a.{OWNER} IS NOT NULL REMOVE {listed}, a:{_ALL_TIERS}"


def newest_sweep() -> str:
    """The sweep that was written last and wholly."""
    return (
        "MATCH (s:Sweep) WHERE s.complete RETURN s.run_id AS run_id, s.created_at AS created_at "
        "ORDER BY s.sequence DESC LIMIT 1"
    )


# ------------------------------------------------------------------------------------------- for the Browser


def literal(text: str) -> str:
    r"""A text as a Cypher literal, in ASCII; for links, where no parameters can be sent.

    >>> print(literal("it's"))
    'it\'s'
    """
    return "'" + "".join(map(_escaped, text)) + "'"


def _escaped(char: str) -> str:
    if char in "'\\":
        return "\\" + char
    if " " <= char <= "~":
        return char
    # The server turns these into characters before it reads the statement, so a quote or a backslash must
    # never be written this way; nothing else can end a literal.
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def http_address() -> str:
    """Where the server says that its HTTP port is."""
    return "SHOW SETTINGS 'server.http.advertised_address' YIELD value RETURN value"


def example_values() -> str:
    """One row of parameter values: a cluster of the newest sweep, and an account and a content of it."""
    return (
        "MATCH (s:Sweep) WHERE s.complete WITH s ORDER BY s.sequence DESC LIMIT 1 "
        "MATCH (s)-[:FOUND]->(c:Cluster) WHERE $cluster_id IS NULL OR c.cluster_id = $cluster_id "
        "WITH s, c ORDER BY c.q_time, c.size DESC, c.cluster_id LIMIT 1 "
        "OPTIONAL MATCH (a:Account)-[m:IN_CLUSTER]->(c) "
        "WITH s, c, a, m ORDER BY m.core DESC, size(coalesce(m.evidence_event_ids, [])) DESC, a.account_id "
        "WITH s, c, collect(a)[..2] AS accounts "
        "WITH s, c, accounts[0] AS a, accounts[1] AS b "
        "OPTIONAL MATCH (a)-[:REPOSTED|COMMENTED|LIKED|POSTED]->(o:Content)<-[:REPOSTED|COMMENTED|LIKED]-(b) "
        "RETURN s.run_id AS run_id, c.cluster_id AS cluster_id, a.account_id AS account_id, "
        "b.account_id AS other_account_id, min(o.content_id) AS content_id"
    )
