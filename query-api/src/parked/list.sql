-- What is parked in live builds and in processes, with how many events wait for each.
SELECT owner, kind, entity, stream, revision, position, error, since_us,
       (SELECT count(*)
        FROM parked_events AS waiting
        WHERE waiting.owner = parked.owner AND waiting.build = parked.build
          AND waiting.kind = parked.kind AND waiting.entity = parked.entity) AS events
FROM parked
WHERE (owner, kind, entity) > ($1, $2, $3)
  AND (EXISTS (SELECT 1 FROM builds WHERE model = owner AND number = build AND state = 'live')
       OR EXISTS (SELECT 1 FROM process_checkpoints WHERE process = owner AND version = build))
ORDER BY owner, kind, entity
LIMIT $4
