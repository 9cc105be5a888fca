-- A page of parked entities, sorted by owner, kind and entity.
SELECT owner, kind, entity, stream, revision, position, error, since_us, events
FROM parked_now
WHERE (owner, kind, entity) > ($1, $2, $3)
ORDER BY owner, kind, entity
LIMIT $4
