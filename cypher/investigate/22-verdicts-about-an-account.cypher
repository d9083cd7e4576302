// Verdicts about an account
// Question: What did people decide about this account, when and why?
// Parameter: account_id = "a1" (the account)
// Cost: One account.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})
OPTIONAL MATCH (v:Verdict)-[b:ABOUT]->(a)
RETURN a, b, v;

// Rows form. Returns: at, verdict, by, why, run_id
MATCH (v:Verdict)-[:ABOUT]->(:Account {account_id: $account_id})
RETURN v.at AS at, v.verdict AS verdict, v.by AS by, v.why AS why, v.run_id AS run_id
ORDER BY at DESC;
