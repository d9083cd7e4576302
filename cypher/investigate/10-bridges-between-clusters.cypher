// Bridges between clusters
// Question: Which accounts belong to several clusters of the newest sweep, or tie them together?
// Parameter: limit = 50 (rows at most)
// Cost: The members of one sweep and their coordination edges.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster)<-[m:IN_CLUSTER]-(a:Account)-[r:COORDINATED_WITH {run_id: s.run_id}]-(b:Account)
MATCH (b)-[n:IN_CLUSTER {run_id: s.run_id}]->(d:Cluster)
WHERE c.cluster_id < d.cluster_id AND NOT EXISTS { (a)-[:IN_CLUSTER]->(d) }
RETURN c, m, a, r, b, n, d ORDER BY r.n_objects DESC LIMIT toInteger($limit);

// Rows form. Returns: account_id, own_clusters, tied_clusters, n_edges, n_objects
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster)<-[:IN_CLUSTER]-(a:Account)
WITH s, a, collect(c) AS own
OPTIONAL MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(:Account)-[:IN_CLUSTER {run_id: s.run_id}]->(d:Cluster)
WHERE NOT d IN own
WITH a, [c IN own | c.cluster_id] AS own_clusters, collect(DISTINCT d.cluster_id) AS tied_clusters,
     count(DISTINCT r) AS n_edges, max(r.n_objects) AS n_objects
WHERE size(own_clusters) + size(tied_clusters) > 1
RETURN a.account_id AS account_id, own_clusters, tied_clusters, n_edges, n_objects
ORDER BY size(own_clusters) DESC, n_edges DESC, account_id LIMIT toInteger($limit);
