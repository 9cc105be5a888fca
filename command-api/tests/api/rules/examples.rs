//! Requests from the examples of the API document, for routes that need no other preparation.

use serde_json::Value;
use souk_http_shop::{Call, Shop};

use crate::rules::text_fields::fields::document;

/// Returns the example body of a route, such as `POST /api/products`; `None` if the route takes no body.
pub(crate) fn example(route: &str) -> Option<Value> {
    let document = document();
    let (method, path) = route.split_once(' ')?;
    let body = &document["paths"][path][method.to_lowercase()]["requestBody"];
    let reference = body["content"]["application/json"]["schema"]["$ref"].as_str()?;
    document.pointer(reference.strip_prefix('#')?)?.get("example").cloned()
}

/// Returns the path of a request to a route. If it ends in an id, the resource is created with the example of
/// `POST`. `None` for a route with other parameters.
pub(crate) async fn path(shop: &Shop, template: &str) -> Option<String> {
    let Some(list) = template.strip_suffix("/{id}") else {
        return (!template.contains('{')).then(|| template.to_owned());
    };
    let create = Call::post(list, &example(&format!("POST {list}"))?);
    Some(format!("{list}/{}", shop.admin(create).await.done(201).text("id")))
}
