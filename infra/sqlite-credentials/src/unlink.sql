-- Deletes the links of a person to an issuer, if the person can still sign in by a password or by another
-- issuer.
DELETE FROM links
WHERE issuer = $1
  AND person = $2
  AND (EXISTS (SELECT 1 FROM passwords WHERE passwords.person = $2)
      OR EXISTS (SELECT 1 FROM links AS others WHERE others.person = $2 AND others.issuer <> $1))
