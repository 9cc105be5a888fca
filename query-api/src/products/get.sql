-- One product, then the available units of its variants. With outer joins, `page` stays the outer loop. With
-- inner joins, a planner without statistics would read all variants.
WITH page AS (
    SELECT key, doc
    FROM products
    WHERE key = $1
)
SELECT page.key AS key, page.doc AS doc, NULL AS sku, NULL AS available, 1 AS found, 0 AS part
FROM page
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, NULL, 1
FROM page
LEFT JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
LEFT JOIN stock ON stock.key = variants.key
ORDER BY part
