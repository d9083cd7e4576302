// Who leads a cluster
// Question: Who acts first, and who follows?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Cost: The coordination edges of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(b:Account)-[:IN_CLUSTER]->(c)
WITH s, c, a, sum(CASE WHEN startNode(r) = a THEN r.a_leads_share ELSE 1 - r.a_leads_share END * r.n_pairs) AS led,
     sum(r.n_pairs) AS pairs
ORDER BY led / pairs DESC, a.account_id LIMIT 5
MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(b:Account)-[:IN_CLUSTER]->(c)
RETURN a, r, b;

// Rows form. Returns: account_id, leads_share_0_1, n_partners, n_pairs, median_lag_s
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(b:Account)-[:IN_CLUSTER]->(c)
WITH a, count(DISTINCT b) AS n_partners, sum(r.n_pairs) AS n_pairs,
     sum(CASE WHEN startNode(r) = a THEN r.a_leads_share ELSE 1 - r.a_leads_share END * r.n_pairs) AS led,
     percentileCont(r.median_lag_s, .5) AS median_lag_s
RETURN a.account_id AS account_id, led / n_pairs AS leads_share_0_1, n_partners, n_pairs, median_lag_s
ORDER BY leads_share_0_1 DESC, account_id;
