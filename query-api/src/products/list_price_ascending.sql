-- A page of the catalogue, cheapest first; then what is available of the variants on it.
-- Outer joins keep the page the outer loop: a planner without statistics would else read every variant.
WITH page AS (
    SELECT key, doc, min_price AS sort_value
    FROM products
    WHERE (min_price, key) > ($1, $2)
      AND ($4 IS NULL OR active = $4)
      AND ($5 IS NULL OR category = $5 OR substr(category, 1, length($5) + 1) = $5 || '/')
      AND ($6 IS NULL OR search_text LIKE $6 ESCAPE '\')
      AND (($7 IS NULL AND $8 IS NULL) OR EXISTS (
          SELECT 1
          FROM variants
          WHERE variants.product_id = products.key
            AND variants.withdrawn = 0
            AND variants.price >= coalesce($7, variants.price)
            AND variants.price <= coalesce($8, variants.price)
      ))
      AND ($9 IS NULL OR $9 = CASE WHEN EXISTS (
          SELECT 1
          FROM variants
          JOIN stock ON stock.key = variants.key
          WHERE variants.product_id = products.key
            AND variants.withdrawn = 0
            AND variants.price >= coalesce($7, variants.price)
            AND variants.price <= coalesce($8, variants.price)
            AND stock.on_hand > stock.reserved
      ) THEN 1 ELSE 0 END)
    ORDER BY min_price, key
    LIMIT $3
)
SELECT page.key AS key, page.doc AS doc, NULL AS sku, NULL AS available, page.sort_value AS sort_value, 0 AS part
FROM page
UNION ALL
SELECT page.key, NULL, variants.key, stock.on_hand - stock.reserved, page.sort_value, 1
FROM page
LEFT JOIN variants ON variants.product_id = page.key AND variants.withdrawn = 0
LEFT JOIN stock ON stock.key = variants.key
ORDER BY part, sort_value, key
