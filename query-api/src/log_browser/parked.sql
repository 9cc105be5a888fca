-- Who stands before which event, in live builds and processes.
SELECT owner, kind, entity, stream, revision, error
FROM parked
WHERE EXISTS (SELECT 1 FROM builds WHERE model = owner AND number = build AND state = 'live')
   OR EXISTS (SELECT 1 FROM process_checkpoints WHERE process = owner AND version = build)
