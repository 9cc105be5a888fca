//! Tests of `/api/admin/…`.

mod import_products;
mod parked;
mod projections;
