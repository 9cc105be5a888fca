//! Tests of `GET /api/users/me/export`: it is streamed in pieces, and each person has one export at a time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;
use souk_domain::order::event::Draft;
use souk_http::Role;
use souk_http_shop::{Call, Shop, draft, later, order_id};

use crate::users::{ADA, shop_with_ada};

/// Number of lines of each order. Two such orders fit on a page.
const LINES: usize = 1_000;
/// Number of orders in addition to the one that Ada already has.
const ORDERS: u128 = 8;
/// Maximum number of bytes of one piece, which is a page of orders.
const PIECE_BYTES_MAX: usize = 1024 * 1024;
/// Enough time for a response that does not have to wait.
const SOON: Duration = Duration::from_secs(10);

async fn shop_with_long_orders() -> Shop {
    let shop = shop_with_ada().await;
    let skus: Vec<String> = (0..LINES).map(|number| format!("S{number}")).collect();
    let texts: Vec<&str> = skus.iter().map(String::as_str).collect();
    for number in 100..100 + ORDERS {
        let placed_at = later(i64::try_from(number).unwrap());
        shop.append_order(Draft { placed_at, ..draft(number, Some(&ADA.to_string()), &texts) }).await;
    }
    shop.project().await;
    shop
}

fn export_call(shop: &Shop) -> Call {
    Call::get("/api/users/me/export").token(&shop.token(&ADA.to_string(), Role::Customer))
}

async fn export(shop: &Shop) -> Response<Body> {
    shop.send_unread(export_call(shop)).await
}

/// Reads the next piece of a response body.
async fn piece(body: &mut Body) -> Option<Vec<u8>> {
    let frame = tokio::time::timeout(SOON, body.frame()).await.unwrap();
    frame.map(|frame| frame.unwrap().into_data().unwrap().to_vec())
}

// Proves: users.export
#[tokio::test]
async fn an_export_is_streamed_in_pieces_that_form_one_document() {
    let shop = shop_with_long_orders().await;
    let response = export(&shop).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), None, "the response has no length, because it is a stream");
    let mut pieces = Vec::new();
    while let Some(piece) = piece(&mut body).await {
        pieces.push(piece);
    }
    let longest = pieces.iter().map(Vec::len).max().unwrap();
    let whole: Vec<u8> = pieces.concat();
    assert!(longest < PIECE_BYTES_MAX && whole.len() > PIECE_BYTES_MAX, "{longest} of {}", whole.len());
    let document: Value = serde_json::from_slice(&whole).unwrap();
    let fields: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "user",
        "addresses",
        "preferences",
        "orders",
        "cart",
        "sessions",
        "signIns",
        "allSignIns",
        "identityProviders",
        "mails",
        "position",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    let orders = document["orders"].as_array().unwrap();
    let ids: Vec<String> = orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect();
    let newest_first = (100..100 + ORDERS).rev().chain([5]).map(|number| order_id(number).to_string());
    assert_eq!(ids, newest_first.collect::<Vec<_>>());
    assert!(orders[..8].iter().all(|order| order["lines"].as_array().unwrap().len() == LINES));
}

// Proves: users.export
#[tokio::test]
async fn a_person_has_one_export_at_a_time() {
    let shop = shop_with_long_orders().await;
    let mut first = export(&shop).await.into_body();
    piece(&mut first).await.unwrap();
    let second = export(&shop).await;
    assert_eq!((second.status().as_u16(), &second.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    let problem: Value =
        serde_json::from_slice(&second.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(problem["code"], "export-in-progress");
    let other_read = shop.customer(&ADA.to_string(), Call::get("/api/users/me")).await;
    assert_eq!(other_read.status, 200, "other reads do not wait for the export");
    while piece(&mut first).await.is_some() {}
    drop(first);
    assert_eq!(export(&shop).await.status().as_u16(), 200);
}

#[tokio::test]
async fn an_export_that_was_closed_or_refused_does_not_block_the_next() {
    let shop = shop_with_long_orders().await;
    let mut closed = export(&shop).await.into_body();
    piece(&mut closed).await.unwrap();
    drop(closed);
    assert_eq!(export(&shop).await.status().as_u16(), 200);
    let behind = export_call(&shop).header("x-min-position", "999").header("prefer", "wait=0");
    shop.send(behind).await.refused(503, "read-model-behind");
    assert_eq!(export(&shop).await.status().as_u16(), 200);
}
