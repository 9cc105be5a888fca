-- The stock of a SKU, and the product that sells it: a SKU may be known without ever having been counted.
SELECT
    (SELECT doc FROM stock WHERE key = $1) AS stock,
    (SELECT product_id FROM variants WHERE key = $1) AS product
