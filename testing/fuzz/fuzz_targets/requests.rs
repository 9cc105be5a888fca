//! Bodies of requests, lines of an import and calls of the provider: read, or refused as a problem that is
//! not the shop's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use souk_sign_in::RefreshToken;
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

fn read<T: DeserializeOwned>(data: &[u8]) -> Option<T> {
    parse(data).map_err(|problem| held_to_its_kind(&problem)).ok()
}

/// No token that is made up was given out.
fn made_up(token: &str) {
    assert!(RefreshToken::decode(token, &[7; 32]).is_none());
}

fn held_to_its_kind(problem: &Problem) {
    assert!((400..500).contains(&problem.status().as_u16()), "{}", problem.code());
}

// The first byte says of which shape, the others are the body.
fuzz_target!(|data: &[u8]| {
    let [shape, data @ ..] = data else { return };
    match shape % 34 {
        0 => drop(read::<ItemRequest>(data)),
        1 => drop(read::<MergeRequest>(data)),
        2 => drop(read::<QuantityRequest>(data)),
        3 => drop(read::<ReservationRequest>(data)),
        4 => drop(read::<ReserveRequest>(data)),
        5 => drop(
            read::<StockRequest>(data).map(|stock| stock.command().map_err(|why| held_to_its_kind(&why))),
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
        19 => drop(read::<SignUpRequest>(data).map(|who| (who.email.read("/email"), who.name.read("/name")))),
        20 => drop(read::<LoginRequest>(data).map(|who| who.email.read("/email"))),
        21 => drop(read::<RefreshRequest>(data).map(|refresh| made_up(&refresh.refresh_token.0))),
        22 => drop(read::<ChangePasswordRequest>(data)),
        23 => drop(read::<ConfirmResetRequest>(data)),
        24 => drop(read::<ProfileRequest>(data)),
        25 => drop(
            read::<PreferencesRequest>(data)
                .map(|wanted| wanted.read().map_err(|why| held_to_its_kind(&why))),
        ),
        27 => drop(read::<LogoutRequest>(data).map(|logout| made_up(&logout.refresh_token.0))),
        28 => drop(read::<ResetRequest>(data).map(|who| who.email.read("/email"))),
        29 => drop(read::<VerifyRequest>(data)),
        30 => drop(read::<EraseRequest>(data)),
        31 => {
            drop(read::<EntryRequest>(data).map(|entry| entry.read().map_err(|why| held_to_its_kind(&why))))
        }
        32 => drop(read::<LookupShape>(data).map(|order| order.read().map_err(|why| held_to_its_kind(&why)))),
        33 => drop(ImportLine::read(data).map_err(|why| held_to_its_kind(&why))),
        _ => drop(PublishedKeys::default().take(data)),
    }
});
