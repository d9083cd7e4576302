// Framing suspects
// Question: Whom do members of the cluster follow within seconds, one-sidedly? Such an account may be a victim.
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: min_followers = 3 (members that come after the account)
// Cost: The coordination edges of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(v:Account)
WITH s, c, v, a, r, CASE WHEN startNode(r) = v THEN r.a_leads_share ELSE 1 - r.a_leads_share END AS leads
WHERE leads >= .95 AND NOT EXISTS { MATCH (v)-[k:IN_CLUSTER]->(c) WHERE k.core }
WITH v, collect({a: a, r: r}) AS after WHERE size(after) >= $min_followers
UNWIND after AS f
RETURN v, f.r AS r, f.a AS a;

// Rows form. Returns: account_id, tier, in_cluster, n_followers, n_objects, median_lag_s
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:COORDINATED_WITH {run_id: s.run_id}]-(v:Account)
WITH c, v, a, r, CASE WHEN startNode(r) = v THEN r.a_leads_share ELSE 1 - r.a_leads_share END AS leads
WHERE leads >= .95 AND NOT EXISTS { MATCH (v)-[k:IN_CLUSTER]->(c) WHERE k.core }
WITH c, v, count(DISTINCT a) AS n_followers, max(r.n_objects) AS n_objects,
     percentileCont(r.median_lag_s, .5) AS median_lag_s
WHERE n_followers >= $min_followers
RETURN v.account_id AS account_id, v.tier AS tier, EXISTS { (v)-[:IN_CLUSTER]->(c) } AS in_cluster, n_followers,
       n_objects, median_lag_s
ORDER BY n_followers DESC, account_id;
