// Private-message fan-out
// Question: Who writes private messages to many different accounts?
// Parameter: min_targets = 5 (different accounts written to)
// Parameter: limit = 50 (rows at most)
// Cost: All private messages once.
// Visual form, for Neo4j Browser:
MATCH (a:Account)-[r:MESSAGED]->(b:Account)
WITH a, count(DISTINCT b) AS n_targets WHERE n_targets >= $min_targets
WITH a ORDER BY n_targets DESC, a.account_id LIMIT 5
MATCH (a)-[r:MESSAGED]->(b:Account)
RETURN a, r, b LIMIT toInteger($limit);

// Rows form. Returns: account_id, tier, n_targets, n_messages, n_texts, first_at, last_at
MATCH (a:Account)-[r:MESSAGED]->(b:Account)
WITH a, count(DISTINCT b) AS n_targets, count(r) AS n_messages, count(DISTINCT r.text) AS n_texts,
     min(r.at) AS first_at, max(r.at) AS last_at
WHERE n_targets >= $min_targets
RETURN a.account_id AS account_id, a.tier AS tier, n_targets, n_messages, n_texts, first_at, last_at
ORDER BY n_targets DESC, account_id LIMIT toInteger($limit);
