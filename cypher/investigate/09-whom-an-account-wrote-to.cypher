// Whom an account wrote to
// Question: Whom did the account write to privately, what, and did they answer?
// Parameter: account_id = "a1" (the account)
// Parameter: limit = 50 (rows at most)
// Cost: The private messages of one account.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})-[r:MESSAGED]-(b:Account)
RETURN a, r, b ORDER BY r.at LIMIT toInteger($limit);

// Rows form. Returns: account_id, n_messages, n_answers, first_at, example_text
MATCH (a:Account {account_id: $account_id})-[r:MESSAGED]->(b:Account)
WITH a, b, count(r) AS n_messages, min(r.at) AS first_at, head(collect(r.text)) AS example_text
RETURN b.account_id AS account_id, n_messages, COUNT { (b)-[:MESSAGED]->(a) } AS n_answers, first_at, example_text
ORDER BY first_at, account_id LIMIT toInteger($limit);
