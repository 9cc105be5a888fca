-- How far each read model is.
SELECT model, version, position
FROM checkpoints
ORDER BY model, version
