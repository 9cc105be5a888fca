-- A page of the orders that can't be shipped because their address was erased, newest first: the id of each
-- order, its bytes and its number of lines.
SELECT orders.key, length(orders.doc) AS bytes,
       -- The keys of an order's lines are numbered from 1, so the last key gives the number of lines.
       coalesce((
           SELECT CAST(substr(max(order_lines.key), length(orders.key) + 2) AS INTEGER)
           FROM order_lines
           WHERE order_lines.key > orders.key || ':' AND order_lines.key < orders.key || ';'
       ), 0) AS lines
FROM orders
WHERE address_erased = 1
  AND (placed_at, key) < ($1, $2)
  AND placed_at >= $4
ORDER BY placed_at DESC, key DESC
LIMIT $3
