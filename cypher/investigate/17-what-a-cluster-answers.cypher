// What a cluster answers
// Question: Which contents do several members of the cluster comment on?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_members = 3 (members that must have acted on it)
// Parameter: limit = 50 (rows at most)
// Cost: The comments of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COMMENTED]->(o:Content)
WITH o, collect({a: a, r: r}) AS acts, count(DISTINCT a) AS n_members
WHERE n_members >= $min_members
WITH o, acts ORDER BY n_members DESC, o.content_id LIMIT toInteger($limit)
UNWIND acts AS act
OPTIONAL MATCH (author:Account)-[p:POSTED]->(o)
RETURN act.a AS a, act.r AS r, o, p, author;

// Rows form. Returns: content_id, caption, author, n_members, n_comments, first_at, example_text
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COMMENTED]->(o:Content)
WITH o, count(DISTINCT a) AS n_members, count(r) AS n_comments, min(r.at) AS first_at,
     head(collect(r.text)) AS example_text
WHERE n_members >= $min_members
OPTIONAL MATCH (author:Account)-[:POSTED]->(o)
RETURN o.content_id AS content_id, o.caption AS caption, head(collect(author.account_id)) AS author, n_members,
       n_comments, first_at, example_text
ORDER BY n_members DESC, content_id LIMIT toInteger($limit);
