// Chats where a cluster meets
// Question: In which chats do members of the cluster speak or join?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Cost: The chat acts of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:SPOKE_IN|JOINED]->(h:Chat)
WITH a, h, collect(r)[..3] AS some
WITH h, collect({account: a, acts: some}) AS visits WHERE size(visits) >= 2
UNWIND visits AS visit UNWIND visit.acts AS r
RETURN visit.account AS a, r, h;

// Rows form. Returns: chat_id, caption, n_members, share_of_members_0_1, n_messages, n_joins
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
WITH c, collect(a) AS members
UNWIND members AS a
MATCH (a)-[r:SPOKE_IN|JOINED]->(h:Chat)
WITH h, size(members) AS n_all, count(DISTINCT a) AS n_members,
     sum(CASE type(r) WHEN 'SPOKE_IN' THEN 1 ELSE 0 END) AS n_messages,
     sum(CASE type(r) WHEN 'JOINED' THEN 1 ELSE 0 END) AS n_joins
WHERE n_members >= 2
RETURN h.chat_id AS chat_id, h.caption AS caption, n_members, toFloat(n_members) / n_all AS share_of_members_0_1,
       n_messages, n_joins
ORDER BY n_members DESC, chat_id;
