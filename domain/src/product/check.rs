//! What may be said of a product. Everything wrong is told at once, each with the place it stands at in
//! the content's JSON; an attribute's place is its name, since the API has attributes by name.

use std::collections::HashSet;

use crate::field_error::FieldError;
use crate::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, DESCRIPTION_BYTES_MAX, NAME_CHARS_MAX, OPTIONS_MAX, PRICE_MINOR_MAX,
    TEXT_CHARS_MAX, VARIANTS_MAX,
};

use super::event::{Attribute, Content, Variant};

impl Content {
    /// Everything that is wrong with it.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_CHARS_MAX {
            let detail = format!("a name has 1 to {NAME_CHARS_MAX} characters, not only spaces");
            errors.push(FieldError::new("/name", "invalid-length", detail));
        }
        if self.description.len() > DESCRIPTION_BYTES_MAX {
            let detail = format!("a description has at most {DESCRIPTION_BYTES_MAX} bytes");
            errors.push(FieldError::new("/description", "too-long", detail));
        }
        if self.category.chars().count() > TEXT_CHARS_MAX {
            let detail = format!("a category has at most {TEXT_CHARS_MAX} characters");
            errors.push(FieldError::new("/category", "too-long", detail));
        }
        // Descriptions and attributes come from elsewhere and are kept as they are: of 19,406 real products
        // six have control characters in there.
        for (pointer, text) in [("/name", &self.name), ("/category", &self.category)] {
            if text.chars().any(char::is_control) {
                let detail = "control characters are not allowed";
                errors.push(FieldError::new(pointer, "invalid-character", detail));
            }
        }
        check_attributes(&mut errors, &self.attributes);
        check_variants(&mut errors, &self.variants);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn check_attributes(errors: &mut Vec<FieldError>, attributes: &[Attribute]) {
    if attributes.len() > ATTRIBUTES_MAX {
        let detail = format!("a product has at most {ATTRIBUTES_MAX} attributes");
        errors.push(FieldError::new("/attributes", "too-many", detail));
    }
    let mut seen = HashSet::with_capacity(attributes.len());
    for attribute in attributes {
        let pointer = format!("/attributes/{}", escaped(&attribute.name));
        if !is_name(&attribute.name) {
            let detail = format!("an attribute's name has 1 to {TEXT_CHARS_MAX} characters");
            errors.push(FieldError::new(pointer.clone(), "invalid-name", detail));
        }
        if !seen.insert(attribute.name.as_str()) {
            errors.push(FieldError::new(pointer.clone(), "duplicate-name", "an attribute stands there once"));
        }
        if attribute.value.len() > ATTRIBUTE_BYTES_MAX {
            let detail = format!("an attribute's value has at most {ATTRIBUTE_BYTES_MAX} bytes");
            errors.push(FieldError::new(pointer, "too-long", detail));
        }
    }
}

fn check_variants(errors: &mut Vec<FieldError>, variants: &[Variant]) {
    if !(1..=VARIANTS_MAX).contains(&variants.len()) {
        let detail = format!("a product has 1 to {VARIANTS_MAX} variants");
        errors.push(FieldError::new("/variants", "invalid-count", detail));
    }
    let mut seen = HashSet::with_capacity(variants.len());
    for (index, variant) in variants.iter().enumerate() {
        if !seen.insert(&variant.sku) {
            let detail = format!("SKU {} stands there twice", variant.sku);
            errors.push(FieldError::new(format!("/variants/{index}/sku"), "duplicate-sku", detail));
        }
        check_price(errors, index, variant, &variants[0]);
        check_options(errors, index, variant);
    }
}

fn check_price(errors: &mut Vec<FieldError>, index: usize, variant: &Variant, first: &Variant) {
    if !(0..=PRICE_MINOR_MAX).contains(&variant.price.amount) {
        let detail = format!("a price is 0 to {PRICE_MINOR_MAX} minor units");
        errors.push(FieldError::new(format!("/variants/{index}/price/amount"), "out-of-range", detail));
    }
    if variant.price.currency != first.price.currency {
        let pointer = format!("/variants/{index}/price/currency");
        errors.push(FieldError::new(pointer, "currency-mismatch", "all variants are priced in one currency"));
    }
}

fn check_options(errors: &mut Vec<FieldError>, index: usize, variant: &Variant) {
    if variant.options.len() > OPTIONS_MAX {
        let detail = format!("a variant has at most {OPTIONS_MAX} options");
        errors.push(FieldError::new(format!("/variants/{index}/options"), "too-many", detail));
    }
    for (name, value) in &variant.options {
        let pointer = format!("/variants/{index}/options/{}", escaped(name));
        if !is_name(name) {
            let detail = format!("an option's name has 1 to {TEXT_CHARS_MAX} characters");
            errors.push(FieldError::new(pointer.clone(), "invalid-name", detail));
        }
        if value.chars().count() > TEXT_CHARS_MAX {
            let detail = format!("an option's value has at most {TEXT_CHARS_MAX} characters");
            errors.push(FieldError::new(pointer, "too-long", detail));
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX
}

/// A name as a JSON pointer (RFC 6901) has it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
