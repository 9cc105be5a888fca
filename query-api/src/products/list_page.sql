-- The page: of what was found, the first product, and those behind it while their documents have at most $10 bytes.
, page AS (
    SELECT key, sort_value
    FROM summed
    WHERE number = 1 OR bytes <= $10
)
-- The products of the page, each with the count of what was found; then what is available of the variants on it.
-- Outer joins keep the page the outer loop: a planner without statistics would else read every variant.
SELECT page.key AS key, products.doc AS doc, NULL AS sku, NULL AS available, (SELECT count(*) FROM found) AS found, page.sort_value AS sort_value, 0 AS part
FROM page
LEFT JOIN products ON products.key = page.key
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, NULL, page.sort_value, 1
FROM page
LEFT JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
LEFT JOIN stock ON stock.key = variants.key
