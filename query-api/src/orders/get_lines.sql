-- The orders of `page`, then their lines. The lines of an order have the keys between `ORDER:` and `ORDER;`.
-- With outer joins, `page` stays the outer loop. With inner joins, a planner without statistics might read
-- all lines.
SELECT page.key AS key, page.doc AS doc, payments.status, payments.owed, NULL AS line, 1 AS found, NULL AS held, NULL AS line_key, 0 AS part
FROM page
LEFT JOIN payments ON payments.key = page.payment_id
UNION ALL
SELECT page.key, NULL, NULL, NULL, order_lines.doc, NULL, reservations.key IS NOT NULL, order_lines.key, 1
FROM page
LEFT JOIN order_lines ON order_lines.key > page.key || ':' AND order_lines.key < page.key || ';'
LEFT JOIN reservations ON reservations.key = page.key || ':' || json_extract(CAST(order_lines.doc AS TEXT), '$.sku')
ORDER BY part, line_key
