//! Access control: sends every operation with every identity and every kind of token. The results are
//! compared with the rules of the route table, and with `docs/ACCESS.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use souk::clock::SystemClock;
use souk_eventsourcing::Clock as _;
use souk_http::identity::TOKEN_OR_CART;
use souk_http::routes::{Access, Route};
use souk_servers::Redis;

use super::add_stock;
use super::process::{Gateway, Shop, souk};

/// Password of the accounts. It differs from the password in the examples of the API document, so that the
/// example requests do not erase an account.
const PASSWORD: &str = "zebra horse battery";
/// File with the results.
const FILE: &str = "docs/ACCESS.md";
/// Environment variable that makes the test write the file. Another test writes the API document if it is
/// set.
const UPDATE: &str = "SOUK_UPDATE_OPENAPI";
/// Environment variable that turns off rate limits, so that every identity can send every operation.
const NO_LIMITS: (&str, &str) = ("SOUK_LIMITS", "off");
/// Prefix of the paths on the internal listener.
const INTERNAL: &str = "/internal/";
/// An id that does not exist.
const UNKNOWN_ID: &str = "0199c2aa-bbcc-8000-8000-00000000ffff";

/// Details of the problems with which the edge refuses a token.
const REFUSALS: [&str; 9] = [
    "an access token is needed here",
    TOKEN_OR_CART,
    "the token is malformed, or not signed for this shop",
    "the token's key is not known",
    "the token has expired",
    "the token is not valid yet",
    "the session has ended: sign in again",
    "the token's subject is malformed",
    "`Authorization: Bearer …` is expected",
];

/// A caller, with the headers of its requests.
struct Identity {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    Guest,
    OtherGuest,
    Customer,
    OtherCustomer,
    Admin,
    Service,
    /// A caller whose token is invalid. All its requests are refused.
    Refused,
}

impl Identity {
    fn token(name: &'static str, token: &str, kind: Kind) -> Self {
        Self { name, headers: vec![("authorization", format!("Bearer {token}"))], kind }
    }

    fn cart(name: &'static str, token: String, kind: Kind) -> Self {
        Self { name, headers: vec![("x-cart-token", token)], kind }
    }
}

/// Ids of resources that belong to the customer or to the guest.
struct OwnedIds {
    customers_order: String,
    guests_order: String,
    customers_address: String,
}

async fn sign_up(shop: &Shop, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD, "name": "Somebody"});
    let (status, response) = shop.send("POST", "/api/auth/signup", &body, &[]).await;
    assert_eq!(status, 201, "{response}");
    response
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// Creates callers with every kind of invalid token. Some tokens are signed with the shop's own key.
fn invalid_tokens(folder: &Path, keys: &Value, good: &str) -> Vec<Identity> {
    let pem = std::fs::read(folder.join("keys/token.pem")).unwrap();
    let key = EncodingKey::from_ed_pem(&pem).unwrap();
    let public = &keys["keys"][0];
    let kid = text(public, "kid");
    let now = SystemClock.now().as_second();
    let claims = json!({"sub": "ada", "roles": ["admin"], "iss": "souk", "aud": "souk", "exp": now + 600,
        "iat": now, "jti": "x"});
    let with = |change: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    let header = |kid: &str| Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let signed = |kid: &str, claims: &Value| jsonwebtoken::encode(&header(kid), claims, &key).unwrap();
    let part = |value: &Value| {
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string().as_bytes())
    };
    let none = format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT", "kid": kid})), part(&claims));
    let hmac = jsonwebtoken::encode(
        &Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(text(public, "x").as_bytes()),
    );
    let (head, signature) = good.rsplit_once('.').unwrap();
    let backwards = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let bad = |name, token: &str| Identity::token(name, token, Kind::Refused);
    vec![
        bad("expired", &signed(&kid, &with(json!({"exp": now - 60, "iat": now - 660})))),
        bad("not yet valid", &signed(&kid, &with(json!({"iat": now + 600, "exp": now + 1_200})))),
        bad("wrong signature", &backwards),
        bad("alg: none", &none),
        bad("HMAC with the public key", &hmac.unwrap()),
        bad("unknown kid", &signed("0123456789abcdef", &claims)),
        bad("other issuer", &signed(&kid, &with(json!({"iss": "elsewhere"})))),
        bad("other audience", &signed(&kid, &with(json!({"aud": "elsewhere"})))),
    ]
}

/// Creates all identities, and the resources that belong to them.
async fn identities(shop: &Shop) -> (Vec<Identity>, OwnedIds) {
    add_stock(shop, "LAMP", 1_000).await;
    let ada = sign_up(shop, "ada@example.org").await;
    let bob = sign_up(shop, "bob@example.org").await;
    let signed_out = sign_up(shop, "gone@example.org").await;
    let logout = json!({"refreshToken": signed_out["refreshToken"]});
    assert_eq!(shop.send("POST", "/api/auth/logout", &logout, &[]).await.0, 204);
    let bearer = format!("Bearer {}", text(&ada, "accessToken"));
    let order = json!({"lines": [{"sku": "LAMP", "quantity": 1}], "payment": {"token": "tok_ok"}});
    let placed = shop.send("POST", "/api/orders", &order, &[("authorization", &bearer)]).await.1;
    let entry = json!({"name": "Ada", "line1": "1 Test St", "city": "London", "country": "GB"});
    let address = shop.send("POST", "/api/users/me/addresses", &entry, &[("authorization", &bearer)]).await.1;
    let item = json!({"sku": "LAMP", "quantity": 1});
    let cart = shop.guest_cart(&item).await;
    let other_cart = shop.guest_cart(&item).await;
    let from_cart = json!({"cart": true, "email": "guest@example.org", "payment": {"token": "tok_ok"}});
    let guests = shop.send("POST", "/api/orders", &from_cart, &[("x-cart-token", &cart)]).await.1;
    let machine = |role: &str| {
        let token = souk(shop.folder(), &["token", "--role", role, "--subject", "machine"]);
        String::from_utf8(token.stdout).unwrap().trim().to_owned()
    };
    let keys = shop.send("GET", "/.well-known/jwks.json", &Value::Null, &[]).await.1;
    let mut all = vec![
        Identity { name: "no token", headers: Vec::new(), kind: Kind::Nobody },
        Identity::cart("guest", cart, Kind::Guest),
        Identity::cart("another guest", other_cart, Kind::OtherGuest),
        Identity::token("customer", &text(&ada, "accessToken"), Kind::Customer),
        Identity::token("another customer", &text(&bob, "accessToken"), Kind::OtherCustomer),
        Identity::token("admin", &machine("admin"), Kind::Admin),
        Identity::token("service", &machine("service"), Kind::Service),
    ];
    all.extend(invalid_tokens(shop.folder(), &keys, &machine("admin")));
    all.push(Identity::token("revoked", &text(&signed_out, "accessToken"), Kind::Refused));
    let belongings = OwnedIds {
        customers_order: text(&placed, "id"),
        guests_order: text(&guests, "id"),
        customers_address: text(&address, "id"),
    };
    // Waits until the read models have the orders.
    shop.get(&format!("/api/orders/{}", belongings.guests_order)).await;
    (all, belongings)
}

/// Returns the path of an operation with the id of a resource that the customer or the guest owns, and true.
/// If the operation has no such resource, returns the path with ids that do not exist, and false.
fn owned_path(path: &str, is_guests: bool, own: &OwnedIds) -> (String, bool) {
    let order = if is_guests { &own.guests_order } else { &own.customers_order };
    let owned = match path {
        "/api/orders/{id}" | "/api/orders/{id}/cancel" => path.replace("{id}", order),
        "/api/payments/{id}" => {
            let order = order.parse().map(souk_domain::OrderId).unwrap();
            path.replace("{id}", &souk_domain::PaymentId::of(order).to_string())
        }
        path if path.starts_with("/api/users/me/addresses/{id}") => {
            path.replace("{id}", &own.customers_address)
        }
        _ => return (path_with_unknown_ids(path), false),
    };
    (owned, true)
}

/// Returns the path with ids that do not exist.
fn path_with_unknown_ids(path: &str) -> String {
    ["{id}", "{sku}", "{item}", "{stream}", "{code}"]
        .iter()
        .fold(path.to_owned(), |path, part| path.replace(part, UNKNOWN_ID))
}

/// Returns the result that the route table requires: the status of a refusal, or `in` if there is none.
fn expected(access: Access, kind: Kind, path: &str, is_owned: bool) -> &'static str {
    use Kind::{Admin, Customer, Guest, Nobody, OtherCustomer, OtherGuest, Refused, Service};
    let is_address = path.contains("/addresses/");
    match (access, kind) {
        (_, Refused) => "401",
        (Access::Anyone | Access::OptionalCart | Access::Signature, _) => "in",
        (_, Nobody) | (Access::SignedIn | Access::Staff | Access::Admin, Guest | OtherGuest) => "401",
        (Access::Staff | Access::Admin, Customer | OtherCustomer) | (Access::Admin, Service) => "403",
        (Access::Buyer, OtherGuest | OtherCustomer | Service) if is_owned => "404",
        // Machines have no account and therefore no addresses.
        (Access::SignedIn, OtherCustomer | Service | Admin) if is_owned && is_address => "404",
        (Access::Buyer | Access::SignedIn | Access::Staff | Access::Admin, _) => "in",
    }
}

/// Returns the actual result of a response, in the same form as [`expected`].
fn actual(status: u16, response: &Value, is_owned: bool) -> &'static str {
    let detail = response["detail"].as_str().unwrap_or("");
    match status {
        401 if REFUSALS.contains(&detail) => "401",
        403 if detail.starts_with("one of these roles is needed") => "403",
        404 if is_owned => "404",
        500.. => "an error of the shop",
        _ => "in",
    }
}

/// Returns a problem without the fields that differ between two requests.
fn without_request_fields(mut response: Value) -> Value {
    if let Some(problem) = response.as_object_mut() {
        problem.retain(|name, _| !matches!(name.as_str(), "correlationId" | "instance"));
    }
    response
}

/// Returns the example body of an operation from the API document.
fn example_body(document: &Value, operation: &Value) -> Value {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    schema["example"].clone()
}

// Proves: edge.access-table
#[tokio::test(flavor = "multi_thread")]
async fn every_identity_has_access_to_exactly_its_operations() {
    let shop = Shop::start(&[NO_LIMITS]).await;
    let matrix = access_matrix(&shop, async |method, path, body, headers| {
        shop.send(method, path, body, headers).await
    });
    compare(&matrix.await);
}

// Proves: edge.access-table
#[tokio::test(flavor = "multi_thread")]
async fn access_through_a_gateway_is_the_same() {
    // Redis tells the gateway which sessions have ended.
    let redis = Redis::start().unwrap();
    let url = redis.url();
    let variables = [NO_LIMITS, ("SOUK_REDIS_URL", url.as_str())];
    let shop = Shop::start(&variables).await;
    let gateway = Gateway::start(shop.address(), &variables).await;
    let matrix = access_matrix(&shop, async |method, path, body, headers| {
        gateway.send(method, path, body, headers).await
    });
    compare(&matrix.await);
}

/// Sends every operation with every identity. Returns the results as a Markdown table.
async fn access_matrix(
    shop: &Shop,
    send: impl AsyncFn(&str, &str, &Value, &[(&str, &str)]) -> (u16, Value),
) -> String {
    let (identities, own) = identities(shop).await;
    wait_for_revocation(identities.last().unwrap(), &send).await;
    let document = send("GET", "/openapi.json", &Value::Null, &[]).await.1;
    let paths = document["paths"].as_object().unwrap();
    let mut operations: Vec<(&str, String, &Value)> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (path.as_str(), method.to_uppercase(), operation))
        })
        .collect();
    // Routes about the process itself are not in the API document.
    let is_undocumented =
        |route: &&Route| !paths.contains_key(&route.path) && !route.path.starts_with(INTERNAL);
    let routes = souk::routes::table();
    let undocumented = routes.iter().filter(is_undocumented);
    operations.extend(undocumented.map(|route| (route.path.as_str(), route.method.to_owned(), &Value::Null)));
    let mut matrix = String::new();
    let names: Vec<_> = identities.iter().map(|identity| identity.name).collect();
    writeln!(matrix, "| operation | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len())).unwrap();
    let mut wrong = Vec::new();
    // Deletions come last.
    for is_deletion in [false, true] {
        let operations = operations.iter().filter(|(_, method, _)| (method == "DELETE") == is_deletion);
        for (path, method, operation) in operations {
            let access = routes.find(method, path).unwrap().access;
            let body = example_body(&document, operation);
            write!(matrix, "| `{method} {path}` |").unwrap();
            for identity in &identities {
                let is_guests = matches!(identity.kind, Kind::Guest | Kind::OtherGuest);
                let (url, is_owned) = owned_path(path, is_guests, &own);
                let headers: Vec<_> =
                    identity.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let (status, response) = send(method, &url, &body, &headers).await;
                let result = actual(status, &response, is_owned);
                let expected_result = expected(access, identity.kind, path, is_owned);
                if result != expected_result {
                    wrong.push(format!(
                        "{method} {path} as {}: expected {expected_result}, got {status} {response}",
                        identity.name
                    ));
                }
                if result == "404" {
                    let absent = send(method, &path_with_unknown_ids(path), &body, &headers).await;
                    wrong.extend(difference(
                        &(status, response),
                        &absent,
                        &format!("{method} {path} as {}", identity.name),
                    ));
                }
                write!(matrix, " {result} |").unwrap();
            }
            matrix.push('\n');
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    matrix
}

/// Waits until the edge refuses the token of a revoked session.
async fn wait_for_revocation(
    revoked: &Identity,
    send: &impl AsyncFn(&str, &str, &Value, &[(&str, &str)]) -> (u16, Value),
) {
    let headers: Vec<_> = revoked.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let is_refused = async {
        while send("GET", "/api/admin/projections", &Value::Null, &headers).await.0 != 401 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_refused).await.unwrap();
}

/// Compares the response for a resource of another owner with the response for an absent one. They must be
/// equal; a difference is returned as text.
fn difference(hidden: &(u16, Value), absent: &(u16, Value), call: &str) -> Option<String> {
    let is_equal = hidden.0 == absent.0
        && without_request_fields(hidden.1.clone()) == without_request_fields(absent.1.clone());
    (!is_equal).then(|| format!("{call}: {} differs from {}", hidden.1, absent.1))
}

fn compare(matrix: &str) {
    let text = format!(
        "# Access to operations\n\nThis file is written by `tests/shop/access.rs`. To update it, run \
         `{UPDATE}=1 cargo test -p souk --test shop access`.\n\n## Routes\n\n{}\n## Results for every operation and identity\n\n\
         The test sends every operation to a running shop, and again through a gateway. `in` means that the request passes the \
         access checks. `401` and `403` are refusals at the edge. `404` means that the resource belongs to somebody else; the \
         response is the same as for a resource that does not exist. The test also derives the expected result from the route \
         table, and fails if a result differs.\n\n{matrix}",
        souk_gateway::document::list(&souk::routes::table())
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        text,
        "{FILE} differs from the results; set {UPDATE}=1 to update it"
    );
}
