-- The products of a page, then what is available of the variants on it.
-- Outer joins keep the page the outer loop: a planner without statistics would else read every variant.
SELECT page.key AS key, page.doc AS doc, NULL AS sku, NULL AS available, page.sort_value AS sort_value, 0 AS part
FROM page
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, page.sort_value, 1
FROM page
LEFT JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
LEFT JOIN stock ON stock.key = variants.key
