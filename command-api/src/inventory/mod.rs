//! `/api/inventory`: stock and reservations, by admins and other systems.

pub mod request;
pub mod routes;
