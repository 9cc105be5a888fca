//! Rules that hold for many routes.

mod documents;
mod pages;
mod parameters;
mod plans;
mod positions;
