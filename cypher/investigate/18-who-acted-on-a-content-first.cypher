// Who acted on a content first
// Question: In which order did accounts act on this content?
// Parameter: content_id = "p1" (the content)
// Parameter: limit = 50 (rows at most)
// Cost: All acts on one content; heavy for a viral one.
// Visual form, for Neo4j Browser:
MATCH (o:Content {content_id: $content_id})<-[r:POSTED|REPOSTED|COMMENTED|LIKED|ACTED_ON]-(a:Account)
RETURN o, r, a ORDER BY r.at LIMIT toInteger($limit);

// Rows form. Returns: at, after_s, action, account_id, tier
MATCH (o:Content {content_id: $content_id})<-[r:POSTED|REPOSTED|COMMENTED|LIKED|ACTED_ON]-(a:Account)
WITH r, a ORDER BY r.at, r.event_id LIMIT toInteger($limit)
WITH collect({r: r, a: a}) AS acts
UNWIND acts AS act
RETURN act.r.at AS at, duration.inSeconds(acts[0].r.at, act.r.at).seconds AS after_s, type(act.r) AS action,
       act.a.account_id AS account_id, act.a.tier AS tier
ORDER BY at, account_id;
