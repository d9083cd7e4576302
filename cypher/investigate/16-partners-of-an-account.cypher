// Partners of an account
// Question: With whom did the account act together, in which layers, and who came first?
// Parameter: account_id = "a1" (the account)
// Parameter: limit = 50 (rows at most)
// Cost: The coordination edges of one account.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})-[r:COORDINATED_WITH]-(b:Account)
RETURN a, r, b ORDER BY r.n_objects DESC LIMIT toInteger($limit);

// Rows form. Returns: account_id, tier, layer, window_s, n_objects, n_pairs, median_lag_s, leads_share_0_1, evidence_object_ids
MATCH (a:Account {account_id: $account_id})-[r:COORDINATED_WITH]-(b:Account)
RETURN b.account_id AS account_id, b.tier AS tier, r.layer AS layer, r.window_s AS window_s, r.n_objects AS n_objects,
       r.n_pairs AS n_pairs, r.median_lag_s AS median_lag_s,
       CASE WHEN startNode(r) = a THEN r.a_leads_share ELSE 1 - r.a_leads_share END AS leads_share_0_1,
       r.evidence_object_ids AS evidence_object_ids
ORDER BY n_objects DESC, account_id, layer LIMIT toInteger($limit);
