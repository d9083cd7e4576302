// Evidence of one decision
// Question: On which acts does the decision about this account rest, and who acted with it?
// Parameter: account_id = "a1" (the account)
// Cost: The acts of one account that the newest sweep names.
// Visual form, for Neo4j Browser:
MATCH (a:Account {account_id: $account_id})-[m:IN_CLUSTER]->(c:Cluster)
WHERE m.run_id = a.tier_run_id
OPTIONAL MATCH (a)-[r]->(o) WHERE r.event_id IN m.evidence_event_ids
RETURN a, m, c, r, o;

// Rows form. Returns: tier, cluster_id, core, reasons, event_id, at, action, target, n_members_there
MATCH (a:Account {account_id: $account_id})-[m:IN_CLUSTER]->(c:Cluster)
WHERE m.run_id = a.tier_run_id
MATCH (a)-[r]->(o) WHERE r.event_id IN m.evidence_event_ids
RETURN a.tier AS tier, c.cluster_id AS cluster_id, m.core AS core, a.reasons AS reasons, r.event_id AS event_id,
       r.at AS at, type(r) AS action, coalesce(o.content_id, o.chat_id, o.account_id) AS target,
       COUNT { MATCH (c)<-[:IN_CLUSTER]-(b:Account) WHERE EXISTS { (b)-->(o) } } AS n_members_there
ORDER BY at, event_id;
