-- The guests' orders with a code and the hash of an e-mail address: mostly one. Lines of others are not read.
WITH page AS (
    SELECT key, doc, payment_id
    FROM orders
    WHERE code = $1
      AND guest_email_hash = $2
)
