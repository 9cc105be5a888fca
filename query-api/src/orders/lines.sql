-- The lines of the orders with the ids in $1, in the sequence of each order. $1 is a JSON object whose names
-- are the ids. The lines of an order have the keys between `ORDER:` and `ORDER;`. After a CROSS JOIN, SQLite
-- searches the other table for each id. After a JOIN, it would read all lines.
SELECT ids.key, order_lines.doc
FROM json_each($1) AS ids
CROSS JOIN order_lines
WHERE order_lines.key > ids.key || ':'
  AND order_lines.key < ids.key || ';'
ORDER BY order_lines.key
