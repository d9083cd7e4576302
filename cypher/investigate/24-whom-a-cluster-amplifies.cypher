// Whom a cluster amplifies
// Question: Whose posts do the members repost and like?
// Parameter: cluster_id = "c1" (the id that the cluster keeps over sweeps)
// Parameter: limit = 50 (rows at most)
// Cost: The reposts and likes of the members.
// Visual form, for Neo4j Browser:
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:REPOSTED|LIKED]->(o:Content)<-[p:POSTED]-(author:Account)
WHERE author <> a
WITH author, collect({a: a, r: r, o: o, p: p}) AS acts, count(DISTINCT a) AS n_members
ORDER BY n_members DESC, author.account_id LIMIT 3
UNWIND acts[..toInteger($limit)] AS act
RETURN author, act.p AS p, act.o AS o, act.r AS r, act.a AS a;

// Rows form. Returns: account_id, tier, n_members, n_contents, n_acts
MATCH (s:Sweep) WHERE s.complete
WITH s ORDER BY s.sequence DESC LIMIT 1
MATCH (s)-[:FOUND]->(c:Cluster {cluster_id: $cluster_id})<-[m:IN_CLUSTER]-(a:Account)
MATCH (a)-[r:REPOSTED|LIKED]->(o:Content)<-[:POSTED]-(author:Account)
WHERE author <> a
RETURN author.account_id AS account_id, author.tier AS tier, count(DISTINCT a) AS n_members,
       count(DISTINCT o) AS n_contents, count(DISTINCT r) AS n_acts
ORDER BY n_members DESC, n_acts DESC, account_id LIMIT toInteger($limit);
