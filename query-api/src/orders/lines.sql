-- The lines of the orders with the ids in $1, in the sequence of each order, and if the units of each line are
-- reserved now. $1 is a JSON object whose names are the ids. The lines of an order have the keys between
-- `ORDER:` and `ORDER;`. After a CROSS JOIN, SQLite searches the other table for each id. After a JOIN, it would
-- read all lines. Staff can reserve any number of SKUs for an order, so each line searches its own reservation.
SELECT ids.key, order_lines.doc,
       EXISTS (
           SELECT 1
           FROM reservations
           WHERE reservations.key = ids.key || ':' || json_extract(CAST(order_lines.doc AS TEXT), '$.sku')
       ) AS is_reserved
FROM json_each($1) AS ids
CROSS JOIN order_lines
WHERE order_lines.key > ids.key || ':'
  AND order_lines.key < ids.key || ';'
ORDER BY order_lines.key
