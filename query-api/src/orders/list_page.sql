-- `page` has the first order of `found`, and the orders after it while all documents together have at most $5
-- bytes and all orders together at most $6 lines. The keys of an order's lines are numbered from 1, so the
-- last key gives the number of lines, and the lines themselves are not read.
, measured AS (
    SELECT key, payment_id, placed_at, bytes, coalesce((
        SELECT CAST(substr(max(order_lines.key), length(found.key) + 2) AS INTEGER)
        FROM order_lines
        WHERE order_lines.key > found.key || ':' AND order_lines.key < found.key || ';'
    ), 0) AS lines
    FROM found
), summed AS (
    SELECT key, payment_id, placed_at,
        row_number() OVER newest AS number,
        sum(bytes) OVER newest AS bytes,
        sum(lines) OVER newest AS lines
    FROM measured
    WINDOW newest AS (ORDER BY placed_at DESC, key DESC)
), page AS (
    SELECT key, payment_id, placed_at
    FROM summed
    WHERE number = 1 OR (bytes <= $5 AND lines <= $6)
)
-- The orders of the page, newest first, each with the number of rows in `found`; then their lines. The lines
-- of an order have the keys between `ORDER:` and `ORDER;`. With outer joins, `page` stays the outer loop.
-- With inner joins, a planner without statistics might read all lines.
SELECT page.key AS key, orders.doc AS doc, payments.status, payments.owed, NULL AS line, (SELECT count(*) FROM found) AS found, NULL AS held, page.placed_at AS placed_at, NULL AS line_key, 0 AS part
FROM page
LEFT JOIN orders ON orders.key = page.key
LEFT JOIN payments ON payments.key = page.payment_id
UNION ALL
SELECT page.key, NULL, NULL, NULL, order_lines.doc, NULL, reservations.key IS NOT NULL, page.placed_at, order_lines.key, 1
FROM page
LEFT JOIN order_lines ON order_lines.key > page.key || ':' AND order_lines.key < page.key || ';'
LEFT JOIN reservations ON reservations.key = page.key || ':' || json_extract(CAST(order_lines.doc AS TEXT), '$.sku')
ORDER BY part, placed_at DESC, key DESC, line_key
