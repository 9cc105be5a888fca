-- One product; then what is available of its variants.
WITH page AS (
    SELECT key, doc
    FROM products
    WHERE key = $1
)
SELECT page.key, page.doc, NULL AS sku, NULL AS available, 0 AS part
FROM page
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, 1
FROM page
JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
JOIN stock ON stock.key = variants.key
ORDER BY part
