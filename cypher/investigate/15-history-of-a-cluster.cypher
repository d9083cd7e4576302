// History of a cluster
// Question: How did the cluster change from sweep to sweep?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Cost: One cluster in each sweep.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep)-[f:FOUND]->(c:Cluster {cluster_id: $cluster_id})
OPTIONAL MATCH (c)-[k:CONTINUES]->(p:Cluster)
RETURN s, f, c, k, p;

// Rows form. Returns: run_id, created_at, size, core_size, n_joined, n_left
MATCH (s:Sweep)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})
OPTIONAL MATCH (c)-[:CONTINUES]->(p:Cluster)
RETURN s.run_id AS run_id, s.created_at AS created_at, c.size AS size, c.core_size AS core_size,
       COUNT { MATCH (a:Account)-[:IN_CLUSTER]->(c) WHERE p IS NOT NULL AND NOT EXISTS { (a)-[:IN_CLUSTER]->(p) } } AS n_joined,
       COUNT { MATCH (a:Account)-[:IN_CLUSTER]->(p) WHERE NOT EXISTS { (a)-[:IN_CLUSTER]->(c) } } AS n_left
ORDER BY s.sequence;
