//! `/api/inventory`: stock and reservations, for admins and other systems.

pub mod request;
pub mod routes;
