-- The orders with the ids in $1, each like `get.sql`. $1 is a JSON object whose names are the ids. After a
-- CROSS JOIN, SQLite searches the other table for each id. After a JOIN, it might read the whole table.
SELECT orders.key, orders.doc, payments.status, payments.owed
FROM json_each($1) AS ids
CROSS JOIN orders
LEFT JOIN payments ON payments.key = orders.payment_id
WHERE orders.key = ids.key
