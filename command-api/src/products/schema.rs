//! Schemas of attributes, options and images for the API document. A derived schema would not state the limits of
//! their texts.

use souk_domain::TextRule;
use souk_domain::limits::{ATTRIBUTES_MAX, IMAGES_MAX, OPTIONS_MAX};
use souk_domain::text::rules::{ATTRIBUTE_VALUE, IMAGE_URL, OPTION_VALUE, PART_NAME};
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};

/// Schema of attributes by name.
pub(super) fn attributes() -> Object {
    let types = SchemaType::from_iter([Type::String, Type::Number, Type::Boolean]);
    let value = text(&ATTRIBUTE_VALUE).schema_type(types);
    by_name(value, ATTRIBUTES_MAX)
        .description(Some("Attributes by name; each value is a string, a number or a boolean."))
        .build()
}

/// Schema of options by name.
pub(super) fn options() -> Object {
    let description = "Options that distinguish the variant from the others, such as its size.";
    by_name(text(&OPTION_VALUE), OPTIONS_MAX).description(Some(description)).build()
}

/// Schema of the list of image URLs.
pub(super) fn images() -> Array {
    let images = ArrayBuilder::new().items(text(&IMAGE_URL)).max_items(Some(IMAGES_MAX));
    images.description(Some("URLs of images of the variant.")).build()
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
