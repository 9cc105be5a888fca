-- A page of products by name, from A to Z: the id of each product and its bytes.
-- The page begins after the value $1 and the key $2.
SELECT key, length(doc) AS bytes
FROM products
WHERE (name_key, key) > ($1, $2)
  AND ($4 IS NULL OR active = $4)
  AND ($5 IS NULL OR category = $5 OR substr(category, 1, length($5) + 1) = $5 || '/')
  AND ($6 IS NULL OR search_text LIKE $6 ESCAPE '\')
  AND ($10 IS NULL OR currency = $10)
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
ORDER BY name_key, key
LIMIT $3
