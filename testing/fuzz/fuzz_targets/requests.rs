//! Fuzz target for request bodies, lines of an import, webhooks of the provider and documents of public token
//! keys. No input may cause a panic. A refused body or line must be answered with a 4xx problem.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use souk_command_api::auth::request::{
    ChangePasswordRequest, ConfirmResetRequest, LoginRequest, LogoutRequest, RefreshRequest, ResetRequest,
    SignUpRequest, VerifyRequest,
};
use souk_command_api::cart::request::{ItemRequest, MergeRequest, QuantityRequest};
use souk_command_api::import::ImportLine;
use souk_command_api::inventory::request::{ReservationRequest, ReserveRequest, StockRequest};
use souk_command_api::maintenance::request::{RetryRequest, SkipRequest, SwitchRequest};
use souk_command_api::orders::request::{CancelRequest, OrderRequest, ReturnRequest, ShipRequest};
use souk_command_api::payments::request::{IntentRequest, RefundRequest, WebhookRequest};
use souk_command_api::products::request::ProductRequest;
use souk_command_api::users::request::{EntryRequest, EraseRequest, PreferencesRequest, ProfileRequest};
use souk_http::body::parse;
use souk_http::shapes::{AddressShape, LookupShape, MoneyShape};
use souk_http::{Problem, PublishedKeys};
use souk_sign_in::RefreshToken;

fn read<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    parse(data).map_err(|problem| assert_is_client_error(&problem)).ok()
}

/// Asserts that a text is not a valid refresh token. No token was made with the key in this function.
fn assert_is_no_refresh_token(token: &str) {
    assert!(RefreshToken::decode(token, &[7; 32]).is_none());
}

fn assert_is_client_error(problem: &Problem) {
    assert!((400..500).contains(&problem.status().as_u16()), "{}", problem.code());
}

// The first byte selects the type of the body. The other bytes are the body.
fuzz_target!(|data: &[u8]| {
    let [kind, data @ ..] = data else { return };
    match kind % 34 {
        0 => drop(read::<ItemRequest>(data)),
        1 => drop(read::<MergeRequest>(data)),
        2 => drop(read::<QuantityRequest>(data)),
        3 => drop(read::<ReservationRequest>(data)),
        4 => drop(read::<ReserveRequest>(data)),
        5 => drop(
            read::<StockRequest>(data)
                .map(|stock| stock.command().map_err(|problem| assert_is_client_error(&problem))),
        ),
        6 => drop(read::<RetryRequest>(data)),
        7 => drop(read::<SkipRequest>(data)),
        8 => drop(read::<SwitchRequest>(data)),
        9 => drop(read::<CancelRequest>(data)),
        10 => drop(read::<OrderRequest>(data)),
        11 => drop(read::<ReturnRequest>(data)),
        12 => drop(read::<ShipRequest>(data)),
        13 => drop(read::<IntentRequest>(data)),
        14 => drop(read::<RefundRequest>(data)),
        15 => drop(read::<WebhookRequest>(data)),
        16 => drop(read::<AddressShape>(data).map(|address| address.read("/address"))),
        17 => drop(read::<MoneyShape>(data).map(|money| money.read("/money"))),
        18 => drop(read::<ProductRequest>(data).map(ProductRequest::content)),
        19 => drop(
            read::<SignUpRequest>(data)
                .map(|request| (request.email.read("/email"), request.name.read("/name"))),
        ),
        20 => drop(read::<LoginRequest>(data).map(|request| request.email.read("/email"))),
        21 => drop(
            read::<RefreshRequest>(data).map(|refresh| assert_is_no_refresh_token(&refresh.refresh_token.0)),
        ),
        22 => drop(read::<ChangePasswordRequest>(data)),
        23 => drop(read::<ConfirmResetRequest>(data)),
        24 => drop(read::<ProfileRequest>(data)),
        25 => drop(
            read::<PreferencesRequest>(data)
                .map(|preferences| preferences.read().map_err(|problem| assert_is_client_error(&problem))),
        ),
        27 => drop(
            read::<LogoutRequest>(data).map(|logout| assert_is_no_refresh_token(&logout.refresh_token.0)),
        ),
        28 => drop(read::<ResetRequest>(data).map(|request| request.email.read("/email"))),
        29 => drop(read::<VerifyRequest>(data)),
        30 => drop(read::<EraseRequest>(data)),
        31 => drop(
            read::<EntryRequest>(data)
                .map(|entry| entry.read().map_err(|problem| assert_is_client_error(&problem))),
        ),
        32 => drop(
            read::<LookupShape>(data)
                .map(|order| order.read().map_err(|problem| assert_is_client_error(&problem))),
        ),
        33 => drop(ImportLine::read(data).map_err(|problem| assert_is_client_error(&problem))),
        _ => drop(PublishedKeys::default().replace(data)),
    }
});
