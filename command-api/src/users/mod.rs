//! `/api/users/me` and `/api/users/{id}`: profiles, addresses and preferences of users, and the erasure of
//! customers.

pub mod erasure;
pub mod request;
pub mod routes;
