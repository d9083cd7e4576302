// Links of a cluster
// Question: Which links did several members of the cluster spread?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_members = 3 (members that must have acted on it)
// Parameter: limit = 50 (rows at most)
// Cost: The acts of the members that carry links.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r]->(o)
WHERE r.event_id IS NOT NULL AND r.urls IS NOT NULL
UNWIND r.urls AS url
WITH url, collect({a: a, r: r, o: o}) AS acts, count(DISTINCT a) AS n_members
WHERE n_members >= $min_members
WITH acts ORDER BY n_members DESC LIMIT toInteger($limit)
UNWIND acts AS act
RETURN act.a AS a, act.r AS r, act.o AS o;

// Rows form. Returns: url, n_members, n_times, first_at, last_at
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r]->()
WHERE r.event_id IS NOT NULL AND r.urls IS NOT NULL
UNWIND r.urls AS url
WITH url, count(DISTINCT a) AS n_members, count(r) AS n_times, min(r.at) AS first_at, max(r.at) AS last_at
WHERE n_members >= $min_members
RETURN url, n_members, n_times, first_at, last_at
ORDER BY n_members DESC, n_times DESC, url LIMIT toInteger($limit);
