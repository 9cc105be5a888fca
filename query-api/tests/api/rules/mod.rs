//! Rules that hold for many routes.

mod documents;
mod pages;
mod plans;
mod positions;
