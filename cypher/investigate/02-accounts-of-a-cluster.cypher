// Accounts of a cluster
// Question: Who is in the cluster, who is its core, and which tier does each account have?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Cost: One cluster: its members and the edges among them.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
OPTIONAL MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]->(b:Account)-[:IN_CLUSTER]->(c)
RETURN c, m, a, r;

// Rows form. Returns: account_id, caption, core, tier, p_automation, p_farm, reasons
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
RETURN a.account_id AS account_id, a.caption AS caption, m.core AS core, a.tier AS tier,
       a.p_automation AS p_automation, a.p_farm AS p_farm, a.reasons AS reasons
ORDER BY core DESC, account_id;
