// Neighbours of an account that are not flagged
// Question: Who acted together with this account and has no tier yet?
// Parameter: account_id = "a1" (the account)
// Parameter: limit = 50 (rows at most)
// Cost: The coordination edges of one account.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})-[r:COORDINATED_WITH]-(b:Account)
WHERE coalesce(b.tier, 'none') = 'none'
RETURN a, r, b ORDER BY r.n_objects DESC LIMIT toInteger($limit);

// Rows form. Returns: account_id, caption, layers, n_objects, n_pairs, median_lag_s
MATCH (a:Account {account_id: $account_id})-[r:COORDINATED_WITH]-(b:Account)
WHERE coalesce(b.tier, 'none') = 'none'
RETURN b.account_id AS account_id, b.caption AS caption, collect(DISTINCT r.layer) AS layers,
       max(r.n_objects) AS n_objects, sum(r.n_pairs) AS n_pairs, min(r.median_lag_s) AS median_lag_s
ORDER BY n_objects DESC, account_id LIMIT toInteger($limit);
