// Record a verdict
// Question: What have I decided about this account, and why? (`graphscan graph sync` brings it to the next sweep.)
// Parameter: account_id = "a1" (the account)
// Parameter: verdict = "unsure" (human, automated or unsure)
// Parameter: by = "my name" (who decides)
// Parameter: why = "what I saw" (the grounds, for whoever reads it later)
// Cost: Writes one Verdict node; earlier verdicts stay, the newest counts.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})
WHERE $verdict IN ['human', 'automated', 'unsure'] AND trim($by) <> '' AND trim($why) <> ''
CREATE (v:Verdict {verdict_id: randomUUID(), verdict: $verdict, by: trim($by), why: trim($why),
        at: datetime.realtime('UTC'), account_id: a.account_id, run_id: a.tier_run_id, loaded_by: 'verdict',
        caption: $verdict + ' (' + trim($by) + ')'})-[b:ABOUT {loaded_by: 'verdict'}]->(a)
RETURN v, b, a;

// Rows form. Returns: verdict_id, account_id, verdict, by, why, at
MATCH (a:Account {account_id: $account_id})
WHERE $verdict IN ['human', 'automated', 'unsure'] AND trim($by) <> '' AND trim($why) <> ''
CREATE (v:Verdict {verdict_id: randomUUID(), verdict: $verdict, by: trim($by), why: trim($why),
        at: datetime.realtime('UTC'), account_id: a.account_id, run_id: a.tier_run_id, loaded_by: 'verdict',
        caption: $verdict + ' (' + trim($by) + ')'})-[:ABOUT {loaded_by: 'verdict'}]->(a)
RETURN v.verdict_id AS verdict_id, v.account_id AS account_id, v.verdict AS verdict, v.by AS by, v.why AS why,
       v.at AS at;
