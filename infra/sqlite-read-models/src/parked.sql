-- What is parked in live builds and processes.
SELECT owner, kind, entity, stream, revision, position, error, since_us,
       (SELECT count(*)
        FROM parked_events AS waiting
        WHERE waiting.owner = parked.owner AND waiting.build = parked.build
          AND waiting.kind = parked.kind AND waiting.entity = parked.entity) AS waiting
FROM parked
WHERE EXISTS (SELECT 1 FROM builds WHERE model = owner AND number = build AND state = 'live')
   OR EXISTS (SELECT 1 FROM process_checkpoints WHERE process = owner AND version = build)
ORDER BY owner, kind, entity
