// Path between two accounts
// Question: How are two accounts tied together by coordination?
// Parameter: account_id = "a1" (the account)
// Parameter: other_account_id = "a2" (another account)
// Cost: A shortest-path search along coordination edges, at most four steps.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id}), (b:Account {account_id: $other_account_id})
MATCH p = shortestPath((a)-[:COORDINATED_WITH*..4]-(b))
RETURN p;

// Rows form. Returns: accounts, layers, n_steps
MATCH (a:Account {account_id: $account_id}), (b:Account {account_id: $other_account_id})
MATCH p = shortestPath((a)-[:COORDINATED_WITH*..4]-(b))
RETURN [n IN nodes(p) | n.account_id] AS accounts, [r IN relationships(p) | r.layer] AS layers, length(p) AS n_steps;
