-- How far each read model is: the live build, and one that is to take its place.
SELECT model, version, state, position,
       (SELECT count(*) FROM parked WHERE owner = model AND build = number) AS parked
FROM builds
WHERE state IN ('live', 'next')
ORDER BY model, state, number
