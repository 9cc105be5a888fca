//! Erasure of people.
//!
//! A person is erased at the moment at which their key is destroyed. The other steps, such as ending sessions
//! and deleting mail, follow. The store of keys lists the person until all steps are done. For a guest, the
//! erasure is recorded on the order before the key is destroyed.
//!
//! `steps` names the steps as data, and `perform` performs them with the ports of the shop. Requests begin an
//! erasure, and a sweep completes it (`complete`). The simulation takes the same steps from `steps` and
//! performs them in the same order with a simulated disk.
//!
//! On failure: every step may be repeated, and the sweep repeats all steps until they succeed.

mod complete;
mod error;
mod perform;
mod steps;

pub use complete::{CustomerOrders, ErasureOutcome, complete};
pub use error::ErasureError;
pub use perform::{
    delete_account_data, erase_customer, erase_guest, erase_order, forget_customer, reopen_erasure_if_erased,
    was_erased_by,
};
pub use steps::{ErasedSubject, ErasureStep, account_steps, customer_steps, order_steps};
