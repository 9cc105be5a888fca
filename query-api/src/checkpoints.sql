SELECT model, version, position FROM checkpoints ORDER BY model
