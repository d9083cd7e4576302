// Shared objects of a cluster
// Question: What did several members of the cluster act on?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_members = 3 (members that must have acted on it)
// Parameter: limit = 50 (rows at most)
// Cost: The acts of the members on content; heavy only for very active members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
WITH c, collect(a) AS members
UNWIND members AS a
MATCH (a)-[:POSTED|REPOSTED|COMMENTED|LIKED|ACTED_ON]->(o:Content)
WITH members, o, count(DISTINCT a) AS n_members
WHERE n_members >= $min_members
WITH members, o ORDER BY n_members DESC, o.content_id LIMIT toInteger($limit)
UNWIND members AS a
MATCH (a)-[r:POSTED|REPOSTED|COMMENTED|LIKED|ACTED_ON]->(o)
RETURN a, r, o;

// Rows form. Returns: content_id, caption, n_members, actions, first_at, last_at
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:POSTED|REPOSTED|COMMENTED|LIKED|ACTED_ON]->(o:Content)
WITH o, count(DISTINCT a) AS n_members, collect(DISTINCT type(r)) AS actions,
     min(r.at) AS first_at, max(r.at) AS last_at
WHERE n_members >= $min_members
RETURN o.content_id AS content_id, o.caption AS caption, n_members, actions, first_at, last_at
ORDER BY n_members DESC, content_id LIMIT toInteger($limit);
