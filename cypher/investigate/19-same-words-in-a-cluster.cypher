// Same words in a cluster
// Question: Which texts did several members of the cluster write word for word?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_members = 3 (members that must have acted on it)
// Parameter: limit = 50 (rows at most)
// Cost: The written acts of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:POSTED|COMMENTED|SPOKE_IN|MESSAGED]->(o)
WHERE r.text IS NOT NULL
WITH r.text AS text, collect({a: a, r: r, o: o}) AS acts, count(DISTINCT a) AS n_members
WHERE n_members >= $min_members
WITH acts ORDER BY n_members DESC LIMIT toInteger($limit)
UNWIND acts AS act
RETURN act.a AS a, act.r AS r, act.o AS o;

// Rows form. Returns: text, n_members, n_times, actions, first_at, last_at
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:POSTED|COMMENTED|SPOKE_IN|MESSAGED]->()
WHERE r.text IS NOT NULL
WITH r.text AS text, count(DISTINCT a) AS n_members, count(r) AS n_times, collect(DISTINCT type(r)) AS actions,
     min(r.at) AS first_at, max(r.at) AS last_at
WHERE n_members >= $min_members
RETURN text, n_members, n_times, actions, first_at, last_at
ORDER BY n_members DESC, n_times DESC, text LIMIT toInteger($limit);
