// New since the last sweep
// Question: Which clusters and members are new in the newest sweep?
// Parameter: limit = 50 (rows at most)
// Cost: The members of the two newest sweeps.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[f:FOUND]->(c:Cluster)<-[m:IN_CLUSTER]-(a:Account)
WHERE NOT EXISTS { (c)-[:CONTINUES]->(:Cluster)<-[:IN_CLUSTER]-(a) }
RETURN s, f, c, m, a LIMIT toInteger($limit);

// Rows form. Returns: cluster_id, is_new_cluster, n_new_members, n_members, new_members
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster)<-[:IN_CLUSTER]-(a:Account)
WITH c, a, EXISTS { (c)-[:CONTINUES]->(:Cluster) } AS continues,
     EXISTS { (c)-[:CONTINUES]->(:Cluster)<-[:IN_CLUSTER]-(a) } AS known
WITH c, continues, count(a) AS n_members, collect(CASE WHEN known THEN null ELSE a.account_id END) AS new_members
WHERE size(new_members) > 0
RETURN c.cluster_id AS cluster_id, NOT continues AS is_new_cluster, size(new_members) AS n_new_members, n_members,
       new_members[..20] AS new_members
ORDER BY n_new_members DESC, cluster_id LIMIT toInteger($limit);
