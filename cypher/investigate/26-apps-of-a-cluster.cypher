// Apps of a cluster
// Question: Which apps or clients do the members use, beside how common each is among them?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Cost: The acts of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r]->(o)
WHERE r.event_id IS NOT NULL AND r.client IS NOT NULL
WITH a, r.client AS client, collect({r: r, o: o})[0] AS act
RETURN a, act.r AS r, act.o AS o;

// Rows form. Returns: client, n_members, n_acts, share_of_acts_0_1
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r]->()
WHERE r.event_id IS NOT NULL AND r.client IS NOT NULL
WITH r.client AS client, count(DISTINCT a) AS n_members, count(r) AS n_acts
WITH collect({client: client, n_members: n_members, n_acts: n_acts}) AS apps, sum(n_acts) AS n_all
UNWIND apps AS app
RETURN app.client AS client, app.n_members AS n_members, app.n_acts AS n_acts,
       toFloat(app.n_acts) / n_all AS share_of_acts_0_1
ORDER BY n_acts DESC, client;
