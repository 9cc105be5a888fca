//! Tests of the client against a scripted server.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Starts a server that sends these responses (status, headers, body), one per connection, and records the
/// requests.
async fn start_scripted(
    responses: Vec<(u16, &'static str, &'static str)>,
) -> (ShopClient, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for (status, headers, body) in responses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            requests.push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            let length = body.len();
            let response = format!(
                "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
            );
            stream.write_all(response.as_bytes()).await.unwrap();
        }
        requests
    });
    (ShopClient::new(&base, "secret".to_owned()).unwrap(), serving)
}

#[tokio::test]
async fn a_write_with_a_key_is_retried_after_a_503_with_the_same_key() {
    let (client, serving) =
        start_scripted(vec![(503, "", "{}"), (201, "X-Position: 42\r\n", "{\"id\":\"o1\"}")]).await;
    let call = Call::post("/api/orders", &json!({"lines": []})).key("k1").wait_s(30);
    let response = client.send(call).await.unwrap().success("ordering").unwrap();
    assert_eq!((response.text("/id").unwrap(), client.highest_position(), client.retries()), ("o1", 42, 1));
    for request in serving.await.unwrap() {
        for header in
            ["idempotency-key: k1", "prefer: wait=30", "x-api-version: v1", "authorization: bearer secret"]
        {
            assert!(request.contains(header), "{header} in {request}");
        }
    }
}

#[tokio::test]
async fn a_write_without_a_key_is_never_retried() {
    let (client, _serving) = start_scripted(vec![(503, "", "{}")]).await;
    let response = client.send(Call::post("/api/products", &json!({}))).await.unwrap();
    assert_eq!((response.status, client.retries()), (503, 0));
}

#[tokio::test]
async fn a_guest_sends_the_cart_token_instead_of_the_admin_token() {
    let (client, serving) = start_scripted(vec![(200, "X-Cart-Token: c2\r\n", "{}")]).await;
    let response = client.send(Call::post("/api/cart/items", &json!({})).guest(Some("c1"))).await.unwrap();
    assert_eq!(response.cart_token.as_deref(), Some("c2"));
    let request = serving.await.unwrap().remove(0);
    assert!(request.contains("x-cart-token: c1") && !request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let first = "{\"items\":[1,2],\"nextCursor\":\"n\"}";
    let (client, serving) =
        start_scripted(vec![(200, "", first), (200, "", "{\"items\":[3],\"nextCursor\":null}")]).await;
    assert_eq!(client.list("/api/orders", 7).await.unwrap(), [json!(1), json!(2), json!(3)]);
    let requests = serving.await.unwrap();
    assert!(requests[0].contains("x-min-position: 7"), "{}", requests[0]);
    assert!(requests[1].starts_with("get /api/orders?limit=100&cursor=n "), "{}", requests[1]);
}
