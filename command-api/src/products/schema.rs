//! Schemas of what a product has by name or in a list: texts whose limits a derived schema would not say.

use souk_domain::TextRule;
use souk_domain::limits::{ATTRIBUTES_MAX, IMAGES_MAX, OPTIONS_MAX};
use souk_domain::text::rules::{ATTRIBUTE_VALUE, IMAGE_URL, OPTION_VALUE, PART_NAME};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};

/// Attributes by name.
pub(super) fn attributes() -> Object {
    let types = SchemaType::from_iter([Type::String, Type::Number, Type::Boolean]);
    let value = text(&ATTRIBUTE_VALUE).schema_type(types);
    by_name(value, ATTRIBUTES_MAX).description(Some("Strings, numbers or booleans by name.")).build()
}

/// Options by name.
pub(super) fn options() -> Object {
    by_name(text(&OPTION_VALUE), OPTIONS_MAX).description(Some("What tells it from the others.")).build()
}

/// URLs of images.
pub(super) fn images() -> Array {
    let images = ArrayBuilder::new().items(text(&IMAGE_URL)).max_items(Some(IMAGES_MAX));
    images.description(Some("URLs of its images.")).build()
}

fn by_name(value: ObjectBuilder, count_max: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(text(&PART_NAME).build()))
        .additional_properties(Some(value))
        .max_properties(Some(count_max))
}

fn text(rule: &TextRule) -> ObjectBuilder {
    let needed = rule.chars_min > 0;
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(needed.then_some(rule.chars_min))
        .max_length(Some(rule.chars_max))
        .pattern(needed.then_some(r"\S"))
}
