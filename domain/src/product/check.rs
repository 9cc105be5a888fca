//! Checks the content of a product. All errors are reported at once. Each error has a pointer to its field in
//! the content's JSON; the pointer to an attribute uses the attribute's name, because the API shows
//! attributes by name.

use std::collections::HashSet;

use crate::field_error::FieldError;
use crate::folding::category_path;
use crate::limits::{ATTRIBUTES_MAX, IMAGES_MAX, OPTIONS_MAX, PRICE_MINOR_MAX, VARIANTS_MAX};
use crate::text::rules::{
    ATTRIBUTE_VALUE, CATEGORY, DESCRIPTION, IMAGE_URL, OPTION_VALUE, PART_NAME, PRODUCT_NAME,
};
use crate::text::{TextError, TextRule};

use super::event::{Attribute, Content, Variant};

impl Content {
    /// Returns the content with every text trimmed, or all errors. Exactly the checked content is stored.
    pub fn checked(mut self) -> Result<Self, Vec<FieldError>> {
        self.check_counts()?;
        let mut errors = self.trim();
        errors.extend(self.check().err().unwrap_or_default());
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    /// Checks the content without trimming its texts. Returns all errors.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        // The counts are checked first, so that a content with far too many parts is refused quickly.
        self.check_counts()?;
        let mut errors = Vec::new();
        let mut check_text = |pointer: &str, code, text: &str, rule: &TextRule| {
            errors.extend(wrong(pointer.to_owned(), code, text, rule));
        };
        check_text("/name", "invalid-length", &self.name, &PRODUCT_NAME);
        check_text("/description", "too-long", &self.description, &DESCRIPTION);
        check_text("/category", "too-long", &self.category, &CATEGORY);
        check_attributes(&mut errors, &self.attributes);
        check_variants(&mut errors, &self.variants);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn check_counts(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.attributes.len() > ATTRIBUTES_MAX {
            let detail = format!("a product has at most {ATTRIBUTES_MAX} attributes");
            errors.push(FieldError::new("/attributes", "too-many", detail));
        }
        if !(1..=VARIANTS_MAX).contains(&self.variants.len()) {
            let detail = format!("a product has 1 to {VARIANTS_MAX} variants");
            errors.push(FieldError::new("/variants", "invalid-count", detail));
        }
        for (index, variant) in self.variants.iter().enumerate().take(VARIANTS_MAX) {
            if variant.options.len() > OPTIONS_MAX {
                let detail = format!("a variant has at most {OPTIONS_MAX} options");
                errors.push(FieldError::new(format!("/variants/{index}/options"), "too-many", detail));
            }
            if variant.images.len() > IMAGES_MAX {
                let detail = format!("a variant has at most {IMAGES_MAX} images");
                errors.push(FieldError::new(format!("/variants/{index}/images"), "too-many", detail));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Trims every text. Returns an error for each option whose trimmed name another option already has.
    fn trim(&mut self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        trim(&PRODUCT_NAME, &mut self.name);
        self.category = category_path(CATEGORY.trim(&self.category));
        for attribute in &mut self.attributes {
            trim(&PART_NAME, &mut attribute.name);
        }
        for (index, variant) in self.variants.iter_mut().enumerate() {
            for (name, value) in std::mem::take(&mut variant.options) {
                let name = PART_NAME.trim(&name).to_owned();
                if let Some(duplicate) = variant.options.get(&name).map(|_| escaped(&name)) {
                    let pointer = format!("/variants/{index}/options/{duplicate}");
                    errors.push(FieldError::new(
                        pointer,
                        "duplicate-name",
                        "the name of an option may occur only once",
                    ));
                }
                variant.options.insert(name, OPTION_VALUE.trim(&value).to_owned());
            }
            variant.images.iter_mut().for_each(|url| trim(&IMAGE_URL, url));
        }
        errors
    }
}

fn trim(rule: &TextRule, text: &mut String) {
    let kept = rule.trim(text);
    if kept.len() < text.len() {
        *text = kept.to_owned();
    }
}

/// Returns the error of a text that breaks its rule. `code` is the code for a wrong length. The pointer names
/// the field, so the detail does not.
fn wrong(pointer: String, code: &'static str, text: &str, rule: &TextRule) -> Option<FieldError> {
    let error = rule.check(text).err()?;
    let code = match error {
        TextError::Length { .. } | TextError::Bytes { .. } | TextError::Invisible => code,
        TextError::Control | TextError::Hidden(_) => "invalid-character",
    };
    Some(FieldError::new(pointer, code, error.to_string()))
}

/// Returns the error of the name of an attribute or option. The detail starts with "its name", because the
/// pointer is the same for the name and the value.
fn wrong_name(pointer: String, name: &str) -> Option<FieldError> {
    let error = wrong(pointer, "invalid-name", name, &PART_NAME)?;
    let detail = format!("its name: {}", error.detail);
    Some(FieldError { detail, ..error })
}

fn check_attributes(errors: &mut Vec<FieldError>, attributes: &[Attribute]) {
    let mut seen = HashSet::with_capacity(attributes.len());
    for attribute in attributes {
        let pointer = format!("/attributes/{}", escaped(&attribute.name));
        let name = &attribute.name;
        let value = &attribute.value;
        errors.extend(wrong_name(pointer.clone(), name));
        if !seen.insert(attribute.name.as_str()) {
            errors.push(FieldError::new(
                pointer.clone(),
                "duplicate-name",
                "the name of an attribute may occur only once",
            ));
        }
        errors.extend(wrong(pointer, "too-long", value, &ATTRIBUTE_VALUE));
    }
}

fn check_variants(errors: &mut Vec<FieldError>, variants: &[Variant]) {
    let mut seen = HashSet::with_capacity(variants.len());
    for (index, variant) in variants.iter().enumerate() {
        if !seen.insert(&variant.sku) {
            let detail = format!("SKU {} occurs twice", variant.sku);
            errors.push(FieldError::new(format!("/variants/{index}/sku"), "duplicate-sku", detail));
        }
        check_price(errors, index, variant, &variants[0]);
        check_texts(errors, index, variant);
    }
}

fn check_price(errors: &mut Vec<FieldError>, index: usize, variant: &Variant, first: &Variant) {
    if !(0..=PRICE_MINOR_MAX).contains(&variant.price.amount) {
        let detail = format!("a price is 0 to {PRICE_MINOR_MAX} minor units");
        errors.push(FieldError::new(format!("/variants/{index}/price/amount"), "out-of-range", detail));
    }
    if variant.price.currency != first.price.currency {
        let pointer = format!("/variants/{index}/price/currency");
        errors.push(FieldError::new(
            pointer,
            "currency-mismatch",
            "all variants must be priced in the same currency",
        ));
    }
}

fn check_texts(errors: &mut Vec<FieldError>, index: usize, variant: &Variant) {
    for (name, value) in &variant.options {
        let pointer = format!("/variants/{index}/options/{}", escaped(name));
        errors.extend(wrong_name(pointer.clone(), name));
        errors.extend(wrong(pointer, "too-long", value, &OPTION_VALUE));
    }
    for (at, url) in variant.images.iter().enumerate() {
        let pointer = format!("/variants/{index}/images/{at}");
        errors.extend(wrong(pointer, "invalid-length", url, &IMAGE_URL));
    }
}

/// Escapes a name for a JSON pointer (RFC 6901).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
