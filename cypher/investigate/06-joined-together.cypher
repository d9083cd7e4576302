// Accounts that joined a cluster's chats together
// Question: Who joined the same chats within the window of a member?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: window_s = 600 (seconds between the two)
// Parameter: limit = 50 (rows at most)
// Cost: The joins of the chats that members joined; heavy for a chat with very many joins.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[j:JOINED]->(h:Chat)<-[k:JOINED]-(b:Account)
WHERE b <> a AND abs(duration.inSeconds(j.at, k.at).seconds) <= $window_s
RETURN a, j, h, k, b LIMIT toInteger($limit);

// Rows form. Returns: account_id, in_cluster, n_chats, n_members, closest_s
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[j:JOINED]->(h:Chat)<-[k:JOINED]-(b:Account)
WITH c, a, b, h, abs(duration.inSeconds(j.at, k.at).seconds) AS gap_s
WHERE b <> a AND gap_s <= $window_s
WITH c, b, count(DISTINCT h) AS n_chats, count(DISTINCT a) AS n_members, min(gap_s) AS closest_s
RETURN b.account_id AS account_id, EXISTS { (b)-[:IN_CLUSTER]->(c) } AS in_cluster, n_chats, n_members, closest_s
ORDER BY n_chats DESC, n_members DESC, account_id LIMIT toInteger($limit);
