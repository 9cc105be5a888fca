-- The keys `ORDER:SKU` of the open reservations of the orders with the ids in $1. $1 is a JSON object whose
-- names are the ids. After a CROSS JOIN, SQLite searches the other table for each id. After a JOIN, it might
-- read all reservations.
SELECT reservations.key
FROM json_each($1) AS ids
CROSS JOIN reservations
WHERE reservations.key > ids.key || ':'
  AND reservations.key < ids.key || ';'
