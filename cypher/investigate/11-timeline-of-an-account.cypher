// Timeline of an account
// Question: What did the account do, in order?
// Parameter: account_id = "a1" (the account)
// Parameter: limit = 50 (rows at most)
// Cost: All acts of one account.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})-[r]->(o)
WHERE r.event_id IS NOT NULL
RETURN a, r, o ORDER BY r.at DESC LIMIT toInteger($limit);

// Rows form. Returns: at, action, target, text, gap_s
MATCH (a:Account {account_id: $account_id})-[r]->(o)
WHERE r.event_id IS NOT NULL
WITH r, o ORDER BY r.at, r.event_id
WITH collect({r: r, o: o}) AS acts
UNWIND range(0, size(acts) - 1) AS i
WITH acts[i].r AS r, acts[i].o AS o, CASE i WHEN 0 THEN null ELSE acts[i - 1].r.at END AS before
RETURN r.at AS at, type(r) AS action, coalesce(o.content_id, o.chat_id, o.account_id) AS target, r.text AS text,
       duration.inSeconds(before, r.at).seconds AS gap_s
ORDER BY at DESC LIMIT toInteger($limit);
