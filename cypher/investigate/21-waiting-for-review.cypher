// Waiting for review
// Question: Which accounts wait for a person to look at them?
// Parameter: limit = 50 (rows at most)
// Cost: The accounts of tier review or above, by the index on the tier.
// Visual form, for Neo4j Browser:
MATCH (a:Account) WHERE a.tier IN ['review', 'terminate'] AND NOT EXISTS { (:Verdict)-[:ABOUT]->(a) }
OPTIONAL MATCH (a)-[m:IN_CLUSTER]->(c:Cluster) WHERE m.run_id = a.tier_run_id
RETURN a, m, c LIMIT toInteger($limit);

// Rows form. Returns: account_id, tier, p_automation, p_farm, cluster_id, reasons
MATCH (a:Account) WHERE a.tier IN ['review', 'terminate'] AND NOT EXISTS { (:Verdict)-[:ABOUT]->(a) }
RETURN a.account_id AS account_id, a.tier AS tier, a.p_automation AS p_automation, a.p_farm AS p_farm,
       a.cluster_id AS cluster_id, a.reasons AS reasons
ORDER BY tier DESC, p_automation DESC, account_id LIMIT toInteger($limit);
