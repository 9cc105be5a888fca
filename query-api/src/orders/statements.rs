//! Orders: two ways to find one and four to find a page, and one each to show what was found.

/// One of the caller's, by its id.
pub const GET: &str = concat!(include_str!("get.sql"), include_str!("get_lines.sql"));
/// Guests' orders with a code, without their lines.
pub const CANDIDATES_OF_CODE: &str = include_str!("candidates_of_code.sql");
/// Everybody's.
pub const LIST: &str = concat!(include_str!("list.sql"), include_str!("list_page.sql"));
/// A customer's, with a status or any.
pub const LIST_OF_CUSTOMER: &str =
    concat!(include_str!("list_of_customer.sql"), include_str!("list_page.sql"));
/// Everybody's that lack an address.
pub const LIST_WITHOUT_ADDRESS: &str =
    concat!(include_str!("list_without_address.sql"), include_str!("list_page.sql"));
/// Everybody's with a status.
pub const LIST_OF_STATUS: &str = concat!(include_str!("list_of_status.sql"), include_str!("list_page.sql"));
