SELECT key, doc FROM stock WHERE ($1 IS NULL OR key > $1) ORDER BY key LIMIT $2
