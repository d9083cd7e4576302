// Clusters of the newest sweep
// Question: Which clusters did the newest sweep find, and how strong is each?
// Parameter: limit = 50 (rows at most)
// Cost: Reads one sweep and its clusters.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[f:FOUND]->(c:Cluster)
RETURN s, f, c ORDER BY c.q_time, c.size DESC LIMIT toInteger($limit);

// Rows form. Returns: cluster_id, size, core_size, q_time, effect_ratio, kappa, layers, first_at, last_at
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster)
RETURN c.cluster_id AS cluster_id, c.size AS size, c.core_size AS core_size, c.q_time AS q_time,
       c.effect_ratio AS effect_ratio, c.kappa AS kappa, c.layers AS layers,
       c.first_at AS first_at, c.last_at AS last_at
ORDER BY q_time, size DESC LIMIT toInteger($limit);
