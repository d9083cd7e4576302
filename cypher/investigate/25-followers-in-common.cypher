// Whom a cluster follows
// Question: Which accounts do several members of the cluster follow?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_members = 3 (members that must have acted on it)
// Parameter: limit = 50 (rows at most)
// Cost: The follows of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:FOLLOWED]->(b:Account)
WITH b, collect({a: a, r: r}) AS acts, count(DISTINCT a) AS n_members
WHERE n_members >= $min_members
WITH b, acts ORDER BY n_members DESC, b.account_id LIMIT toInteger($limit)
UNWIND acts AS act
RETURN act.a AS a, act.r AS r, b;

// Rows form. Returns: account_id, tier, n_members, first_at, last_at
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:FOLLOWED]->(b:Account)
WITH b, count(DISTINCT a) AS n_members, min(r.at) AS first_at, max(r.at) AS last_at
WHERE n_members >= $min_members
RETURN b.account_id AS account_id, b.tier AS tier, n_members, first_at, last_at
ORDER BY n_members DESC, account_id LIMIT toInteger($limit);
