-- The people of a JSON list who have a row in any table. Ended sessions do not count.
SELECT value
FROM json_each($1)
WHERE EXISTS (SELECT 1 FROM passwords WHERE person = value)
   OR EXISTS (SELECT 1 FROM families WHERE person = value AND revoked_at IS NULL)
   OR EXISTS (SELECT 1 FROM one_time_tokens WHERE person = value)
   OR EXISTS (SELECT 1 FROM links WHERE person = value)
   OR EXISTS (SELECT 1 FROM email_names WHERE person = value)
   OR EXISTS (SELECT 1 FROM sign_ins WHERE person = value)
