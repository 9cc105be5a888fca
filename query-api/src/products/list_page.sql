-- `page` has the first product of `found`, and the products after it while all documents together have at
-- most $10 bytes.
, page AS (
    SELECT key, sort_value
    FROM summed
    WHERE number = 1 OR bytes <= $10
)
-- The products of the page, each with the number of rows in `found`; then the available units of their
-- variants. With outer joins, `page` stays the outer loop. With inner joins, a planner without statistics
-- would read all variants.
SELECT page.key AS key, products.doc AS doc, NULL AS sku, NULL AS available, (SELECT count(*) FROM found) AS found, page.sort_value AS sort_value, 0 AS part
FROM page
LEFT JOIN products ON products.key = page.key
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, NULL, page.sort_value, 1
FROM page
LEFT JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
LEFT JOIN stock ON stock.key = variants.key
