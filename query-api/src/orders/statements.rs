//! Statements on orders. Each statement joins a part that finds orders with a part that reads their lines.

/// Order by its id, with its lines, if the caller is allowed to see it.
pub const GET: &str = concat!(include_str!("get.sql"), include_str!("get_lines.sql"));
/// Guests' orders with a given code, without their lines.
pub const CANDIDATES_OF_CODE: &str = include_str!("candidates_of_code.sql");
/// Page of all orders.
pub const LIST: &str = concat!(include_str!("list.sql"), include_str!("list_page.sql"));
/// Page of the orders of a customer, with any status or a given one.
pub const LIST_OF_CUSTOMER: &str =
    concat!(include_str!("list_of_customer.sql"), include_str!("list_page.sql"));
/// Page of the orders that lack an address because it was erased.
pub const LIST_WITHOUT_ADDRESS: &str =
    concat!(include_str!("list_without_address.sql"), include_str!("list_page.sql"));
/// Page of the orders with a given status.
pub const LIST_OF_STATUS: &str = concat!(include_str!("list_of_status.sql"), include_str!("list_page.sql"));
