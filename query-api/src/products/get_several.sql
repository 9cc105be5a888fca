-- The products with the ids in $1, which is a JSON object whose names are the ids. After a CROSS JOIN, SQLite
-- searches the other table for each id. After a JOIN, it might read the whole table.
SELECT products.key, products.doc
FROM json_each($1) AS ids
CROSS JOIN products
WHERE products.key = ids.key
