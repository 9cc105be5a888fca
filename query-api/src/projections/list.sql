-- Positions of all read models: of the live build, and of a build that will replace it.
SELECT model, version, state, position,
       (SELECT count(*) FROM parked WHERE owner = model AND build = number) AS parked
FROM builds
WHERE state IN ('live', 'next')
ORDER BY model, state, number
